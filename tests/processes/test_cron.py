"""Several `flask cron` processes at the same moment."""

import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from recsite.extensions import db
from recsite.jobs import runs
from recsite.jobs.schedule import SCHEDULE
from recsite.storage.queue import queueing
from tests.processes.servers import running, wait_until

PROCESSES = 3


def at(hour: int, minute: int) -> datetime:
    """This time of today, on this machine's clock."""
    return datetime.now().astimezone().replace(hour=hour, minute=minute, second=0, microsecond=0)


def set_clock(path: Path, to: datetime) -> None:
    """The processes' clock shows this now, and goes on."""
    written = path.with_suffix(".new")
    written.write_text(str((to - datetime.now(UTC)).total_seconds()))
    written.replace(path)


@pytest.mark.both_databases
def test_three_cron_processes_queue_each_run_once(app: Flask, tmp_path: Path) -> None:
    clock = tmp_path / "ahead"
    set_clock(clock, at(2, 40))
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(running(app, "tests.cron", str(clock))) for _ in range(PROCESSES)]
        for process in processes:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in SCHEDULE][-1] == f"{SCHEDULE[-1].when:15} {SCHEDULE[-1].name}\n"
        # From its last line on, each works out what is due next, and looks at the clock twenty times a second.
        time.sleep(0.5)

        set_clock(clock, at(3, 0))
        wait_until(lambda: queueing.queue.count >= 2, within_seconds=5)
        time.sleep(0.5)

        assert [process.poll() for process in processes] == [None] * PROCESSES
    db.session.rollback()
    slot = f"{at(3, 0).astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    assert sorted(run.slot or "" for run in runs.list_latest(10)) == [f"averages {slot}", f"train {slot}"]
    assert queueing.queue.count == 2
