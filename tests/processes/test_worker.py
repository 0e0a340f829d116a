"""The processes that do the queue's work, killed and starved of Redis."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from rq import Worker
from rq.utils import now, utcformat

from recsite import jobs
from recsite.extensions import db
from recsite.jobs import blocks
from recsite.storage.queue import queueing
from recsite.storage.tables import Run, RunBlock
from tests.conftest import World
from tests.processes.forks import Forked
from tests.processes.servers import RedisServer, running, running_command, wait_until
from tests.web.clients import Runner


@contextlib.contextmanager
def working(app: Flask, tmp_path: Path, *options: str) -> Iterator[Forked]:
    """Run a worker that knows the kinds of tests.processes.work, for the length of the block."""
    with running(app, "tests.processes.work", str(tmp_path / "gate"), *options) as process:
        yield process


def work_off(app: Flask, tmp_path: Path) -> None:
    """Let a worker process empty the queue."""
    with working(app, tmp_path, "--burst") as process:
        process.communicate(timeout=120)


def current(run_id: int) -> Run:
    """Return the run as it is now."""
    db.session.rollback()
    return jobs.find(run_id)


def block_of(run_id: int) -> RunBlock:
    """Return the block 0 of the run as it is now."""
    db.session.rollback()
    return db.session.get_one(RunBlock, (run_id, 0), populate_existing=True)


def start_waiting(tmp_path: Path) -> int:
    """Start a run that notes each process that does it in `ran`, and waits for the file `until`."""
    return jobs.start("wait", "alice", ran=str(tmp_path / "ran"), until=str(tmp_path / "until"))


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def is_running(pid: int) -> bool:
    """Return whether the process exists; one that ended and waits for its parent does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def follow(process: Forked) -> list[str]:
    """Return a list that gets each line the process prints."""
    lines: list[str] = []
    # `extend` adds each line as it comes.
    threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True).start()
    return lines


@pytest.mark.both_databases
def test_a_run_is_done_in_a_worker_with_the_app_and_its_database(app: Flask, world: World, tmp_path: Path) -> None:
    run_id = jobs.start("count", "alice")

    work_off(app, tmp_path)

    assert (current(run_id).state, current(run_id).outcome) == ("finished", "4 users")


def test_a_run_that_fails_is_tried_again_later(app: Flask, tmp_path: Path) -> None:
    run_id = jobs.start("fail", "alice")

    work_off(app, tmp_path)

    block = block_of(run_id)
    assert (current(run_id).state, block.state, block.attempts) == ("running", "queued", 1)
    assert block.error == "ZeroDivisionError: no reason"
    assert block.heartbeat_at is not None
    assert block.due_at >= block.heartbeat_at + blocks.RETRY_DELAY


def test_an_attempt_that_is_due_is_made_by_any_worker_and_the_last_one_fails_the_run(
    app: Flask, tmp_path: Path
) -> None:
    run_id = jobs.start("fail", "alice")
    db.session.execute(sa.update(RunBlock).values(attempts=3, due_at=now() - timedelta(seconds=1)))
    db.session.commit()
    queueing.queue.empty()

    work_off(app, tmp_path)

    assert (current(run_id).state, current(run_id).error) == ("failed", "ZeroDivisionError: no reason")


def test_a_failure_with_a_name_is_not_tried_again(app: Flask, tmp_path: Path) -> None:
    run_id = jobs.start("fail-for-good", "alice")

    work_off(app, tmp_path)

    assert (current(run_id).state, current(run_id).error) == ("failed", "too few")


@pytest.mark.slow
def test_a_run_beyond_the_time_limit_has_failed(app: Flask, tmp_path: Path) -> None:
    app.config["JOB_TIMEOUT_SECONDS"] = 1
    run_id = start_waiting(tmp_path)
    app.config["JOB_TIMEOUT_SECONDS"] = 10

    work_off(app, tmp_path)

    assert current(run_id).state == "failed"
    assert current(run_id).error.startswith("JobTimeoutException: Task exceeded maximum timeout value (1 seconds)")


def test_workers_that_live_are_found_and_silent_ones_are_not(app: Flask) -> None:
    with running_command(app, "worker"):
        wait_until(lambda: len(queueing.find_workers()) == 1, within_seconds=60)
        (name,) = queueing.find_workers()

    queueing.connection.hset(f"rq:worker:{name}", "last_heartbeat", utcformat(now() - timedelta(minutes=2)))

    assert queueing.find_workers() == []


def test_a_worker_without_work_ends_soon_after_it_is_told_to(app: Flask) -> None:
    with running_command(app, "worker") as process:
        wait_until(
            lambda: any(worker.get_state() == "idle" for worker in Worker.all(queue=queueing.queue)), within_seconds=60
        )

        process.terminate()

        assert process.wait(timeout=10) == 0
    assert queueing.find_workers() == []


def test_without_redis_a_burst_ends_with_a_sentence(own_redis: RedisServer, runner: Runner) -> None:
    own_redis.stop()

    result = runner.invoke(args=["worker", "--burst"])

    assert result.exit_code == 1
    assert "Error: Redis does not answer" in result.output


@pytest.mark.slow
def test_a_run_whose_process_is_killed_is_done_again_within_a_minute(app: Flask, tmp_path: Path) -> None:
    run_id = start_waiting(tmp_path)
    with working(app, tmp_path):
        wait_until(lambda: len(lines_of(tmp_path / "ran")) == 1, within_seconds=60)

        os.kill(int(lines_of(tmp_path / "ran")[0]), signal.SIGKILL)
        (tmp_path / "until").touch()

        wait_until(lambda: current(run_id).state == "finished", within_seconds=60)
    assert len(lines_of(tmp_path / "ran")) == 2


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_is_done_again_within_a_minute(app: Flask, tmp_path: Path) -> None:
    run_id = start_waiting(tmp_path)
    with working(app, tmp_path) as worker:
        wait_until(lambda: len(lines_of(tmp_path / "ran")) == 1, within_seconds=60)
        worker.kill()
        killed_at = time.monotonic()

    with working(app, tmp_path):
        wait_until(lambda: len(lines_of(tmp_path / "ran")) == 2, within_seconds=60)
        assert time.monotonic() - killed_at < 60
        first, second = lines_of(tmp_path / "ran")
        assert (is_running(int(first)), is_running(int(second))) == (False, True)
        (tmp_path / "until").touch()
        wait_until(lambda: current(run_id).state == "finished", within_seconds=60)


@pytest.mark.slow
def test_a_run_goes_on_while_redis_is_killed_and_is_not_done_twice(
    app: Flask, own_redis: RedisServer, tmp_path: Path
) -> None:
    run_id = start_waiting(tmp_path)
    with working(app, tmp_path) as first, working(app, tmp_path) as second:
        logs = [follow(first), follow(second)]
        wait_until(lambda: len(lines_of(tmp_path / "ran")) == 1, within_seconds=60)
        assert own_redis.process is not None
        own_redis.process.kill()
        killed_at = now()

        wait_until(lambda: (block_of(run_id).heartbeat_at or killed_at) > killed_at + timedelta(seconds=20), 60)
        own_redis.stop()
        own_redis.start()
        wait_until(lambda: len(queueing.find_workers()) == 2, within_seconds=60)
        (tmp_path / "until").touch()
        wait_until(lambda: current(run_id).state == "finished", within_seconds=60)

        assert [first.poll(), second.poll()] == [None, None], logs
    assert len(lines_of(tmp_path / "ran")) == 1


@pytest.mark.slow
def test_runs_resume_when_redis_is_back(app: Flask, world: World, own_redis: RedisServer, tmp_path: Path) -> None:
    with working(app, tmp_path) as worker:
        wait_until(lambda: len(queueing.find_workers()) == 1, within_seconds=60)
        log = follow(worker)
        own_redis.stop()
        wait_until(lambda: any("could not connect to Redis" in line for line in log), within_seconds=60)
        own_redis.start()

        run_id = jobs.start("count", "alice")

        wait_until(lambda: current(run_id).state == "finished", within_seconds=60)


@pytest.mark.slow
def test_a_worker_waits_for_redis(app: Flask, world: World, own_redis: RedisServer, tmp_path: Path) -> None:
    own_redis.stop()
    with working(app, tmp_path) as worker:
        log = follow(worker)
        wait_until(lambda: any("Redis at REDIS_URL is unreachable" in line for line in log), within_seconds=60)
        own_redis.start()

        run_id = jobs.start("count", "alice")

        wait_until(lambda: current(run_id).state == "finished", within_seconds=60)


@pytest.mark.slow
def test_a_run_that_an_older_version_queued_is_done(app: Flask, world: World, tmp_path: Path) -> None:
    run_id = jobs.start("count", "alice")
    queueing.queue.empty()
    queueing.queue.enqueue("recsite.jobs.perform", run_id, 1)

    with working(app, tmp_path):
        wait_until(lambda: current(run_id).state == "finished", within_seconds=60)
