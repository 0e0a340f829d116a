"""Several `flask cron` processes at the same moment, and one through an outage."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from recsite import jobs
from recsite.extensions import db
from recsite.storage.queue import queueing
from tests.processes.forks import Forked
from tests.processes.servers import RedisServer, running, wait_until

PROCESSES = 3


def at(hour: int, minute: int) -> datetime:
    """Return this time of today on this machine's clock."""
    return datetime.now().astimezone().replace(hour=hour, minute=minute, second=0, microsecond=0)


def set_clock(clock: Path, to: datetime) -> None:
    """Set the processes' clock, which goes on from there."""
    written = clock.with_suffix(".new")
    written.write_text(str((to - datetime.now(UTC)).total_seconds()))
    written.replace(clock)


def has_looked(clock: Path, process: Forked, since: datetime) -> bool:
    """Return whether the process has looked at the clock at this time or later."""
    looked = Path(f"{clock}.{process.pid}")
    return looked.exists() and datetime.fromisoformat(looked.read_text()) >= since


@pytest.mark.both_databases
def test_three_cron_processes_queue_each_run_once(app: Flask, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    set_clock(clock, at(2, 40))
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(running(app, "tests.processes.cron", str(clock))) for _ in range(PROCESSES)]
        wait_until(lambda: all(has_looked(clock, process, at(2, 40)) for process in processes), within_seconds=60)
        assert jobs.list_latest(1) == []

        set_clock(clock, at(3, 0))
        wait_until(lambda: all(has_looked(clock, process, at(3, 0)) for process in processes), within_seconds=60)

        assert [process.poll() for process in processes] == [None] * PROCESSES
    db.session.rollback()
    due = f"{at(3, 0).astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    assert sorted(run.idempotency_key or "" for run in jobs.list_latest(10)) == [f"averages {due}", f"train {due}"]
    # Processes that count at the same moment enqueue a job too many, which finds no due block and ends at once.
    assert queueing.count_jobs() >= 2


def test_the_process_lives_through_an_outage_of_redis(app: Flask, own_redis: RedisServer, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    set_clock(clock, at(2, 40))
    with running(app, "tests.processes.cron", str(clock)) as process:
        wait_until(lambda: has_looked(clock, process, at(2, 40)), within_seconds=60)
        own_redis.stop()
        set_clock(clock, at(3, 0))
        wait_until(lambda: len(jobs.list_latest(10)) > 0, within_seconds=60)

        own_redis.start()
        wait_until(lambda: queueing.is_reachable() and queueing.count_jobs() == 2, within_seconds=60)

        assert process.poll() is None
