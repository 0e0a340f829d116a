"""The processes that do the queue's work, killed and starved of Redis."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from rq import Worker
from rq.job import Job
from rq.registry import FailedJobRegistry, ScheduledJobRegistry
from rq.utils import now, utcformat

from recsite.jobs.worker import cause_of
from recsite.storage.queue import queueing
from tests.conftest import World
from tests.processes import work
from tests.processes.servers import RedisServer, running_command, wait_until
from tests.web.clients import Runner


def work_off(app: Flask) -> str:
    """Let a worker process empty the queue; returns what it printed."""
    with running_command(app, "worker", "--burst") as process:
        return process.communicate(timeout=60)[0]


def is_done(job: Job) -> bool:
    return bool(job.get_status() == "finished")


def living_workers() -> list[Worker]:
    return Worker.all(queue=queueing.queue)


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that ended and waits to be noticed does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.both_databases
def test_a_job_runs_in_a_worker_with_the_app_and_its_database(app: Flask, world: World) -> None:
    job = queueing.enqueue(work.count_users)

    work_off(app)

    assert job.return_value(refresh=True) == 4


def test_a_job_that_fails_is_tried_again_later(app: Flask) -> None:
    job = queueing.enqueue(work.fail)

    work_off(app)

    job.refresh()
    assert job.get_status() == "scheduled"
    assert job.retries_left == 2


def test_a_try_that_is_due_is_queued_by_any_worker(app: Flask, tmp_path: Path) -> None:
    job = queueing.queue.enqueue_at(now() - timedelta(seconds=1), work.add_line, str(tmp_path / "ran"))

    work_off(app)

    assert is_done(job)


def test_a_failure_with_a_name_is_not_tried_again(app: Flask) -> None:
    job = queueing.enqueue(work.fail_for_good)

    work_off(app)

    assert job.get_status() == "failed"
    assert "NotEnoughRatings: too few" in job.latest_result().exc_string
    assert job.id in FailedJobRegistry(queue=queueing.queue)
    assert len(ScheduledJobRegistry(queue=queueing.queue)) == 0


def test_workers_that_live_are_found_and_silent_ones_are_not(app: Flask) -> None:
    with running_command(app, "worker"):
        wait_until(lambda: len(queueing.find_workers()) == 1, within_seconds=20)
        (name,) = queueing.find_workers()

    queueing.connection.hset(f"rq:worker:{name}", "last_heartbeat", utcformat(now() - timedelta(minutes=2)))

    assert queueing.find_workers() == []


def test_a_worker_without_work_ends_soon_after_it_is_told_to(app: Flask) -> None:
    with running_command(app, "worker") as process:
        wait_until(lambda: any(worker.get_state() == "idle" for worker in living_workers()), within_seconds=20)

        process.terminate()

        assert process.wait(timeout=3) == 0
    assert queueing.find_workers() == []


def test_without_redis_a_burst_ends_with_a_sentence(own_redis: RedisServer, runner: Runner) -> None:
    own_redis.stop()

    result = runner.invoke(args=["worker", "--burst"])

    assert result.exit_code == 1
    assert "Error: Redis does not answer" in result.output


@pytest.mark.slow
def test_a_job_whose_process_is_killed_is_run_again(app: Flask, tmp_path: Path) -> None:
    job = queueing.enqueue(work.add_line_and_hang_once, str(tmp_path / "ran"))
    with running_command(app, "worker"):
        wait_until(lambda: len(lines_of(tmp_path / "ran")) == 1, within_seconds=20)

        os.kill(int(lines_of(tmp_path / "ran")[0]), signal.SIGKILL)

        wait_until(lambda: is_done(job), within_seconds=30)
    assert len(lines_of(tmp_path / "ran")) == 2


@pytest.mark.slow
def test_a_job_whose_worker_is_killed_is_run_again_within_a_minute(app: Flask, tmp_path: Path) -> None:
    job = queueing.enqueue(work.add_line_and_hang_once, str(tmp_path / "ran"))
    with running_command(app, "worker") as worker:
        wait_until(lambda: len(lines_of(tmp_path / "ran")) == 1, within_seconds=20)
        worker.kill()
        killed_at = time.monotonic()

    with running_command(app, "worker"):
        wait_until(lambda: is_done(job), within_seconds=60)

    assert time.monotonic() - killed_at < 60
    first, _second = lines_of(tmp_path / "ran")
    assert not is_running(int(first))


@pytest.mark.slow
def test_jobs_resume_when_redis_is_back(app: Flask, own_redis: RedisServer) -> None:
    with running_command(app, "worker"):
        wait_until(lambda: len(queueing.find_workers()) == 1, within_seconds=20)
        own_redis.stop()
        time.sleep(3)
        own_redis.start()

        job = queueing.enqueue(work.count_users)

        wait_until(lambda: is_done(job), within_seconds=20)


@pytest.mark.parametrize(
    ("traceback", "cause"),
    (
        ("Traceback …\n  File …\nZeroDivisionError: division by zero\n", "ZeroDivisionError: division by zero"),
        ("Traceback …\n  File …\nrecsite.errors.NotEnoughRatings: Too few: 3.\n", "Too few: 3."),
        (
            "sqlalchemy.exc.IntegrityError: full\n[SQL: INSERT\nINTO x]\n(Background on …)\n",
            "sqlalchemy.exc.IntegrityError: full",
        ),
        (
            "Work-horse terminated unexpectedly; waitpid returned 9; ",
            "Work-horse terminated unexpectedly; waitpid returned 9",
        ),
        ("", ""),
    ),
)
def test_the_cause_of_a_failure_is_the_line_that_names_it(traceback: str, cause: str) -> None:
    assert cause_of(traceback) == cause
