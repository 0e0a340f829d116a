"""Runs done by real workers, some of which are killed."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from rq import Worker

from recsite import suggestions
from recsite.extensions import db
from recsite.jobs import dispatch, runs, tasks
from recsite.storage import queue as queue_module
from recsite.storage.queue import queueing as queue
from recsite.storage.tables import Run, Suggestion
from tests.conftest import TrainedWorld, World
from tests.processes.servers import RedisServer, running_command, wait_until

LONG_TRAINING = {"epochs": 1000, "factors": 2000, "folds": 20}
"Takes minutes, even on a few ratings."


def table() -> list[tuple[int, ...]]:
    """Every suggestion, with all that scoring decides."""
    db.session.rollback()
    columns = (Suggestion.user_id, Suggestion.rank, Suggestion.movie_id, Suggestion.value, Suggestion.active)
    return [tuple(row) for row in db.session.execute(sa.select(*columns).order_by(*columns))]


@pytest.fixture
def undisturbed(app: Flask, trained: TrainedWorld) -> list[tuple[int, ...]]:
    """The table as scoring leaves it, which is empty again; users are scored one by one from now on."""
    suggestions.rescore(suggestions.all_user_ids())
    rows = table()
    db.session.execute(sa.delete(Suggestion))
    db.session.commit()
    app.config["SCORE_BLOCK_USERS"] = 1
    return rows


def current(run_id: int) -> Run:
    """The run as it is now."""
    db.session.rollback()
    return runs.find(run_id)


def wait_until_ended(run_id: int, within_seconds: float = 60) -> Run:
    """The run, when it is not live any more."""
    wait_until(lambda: not current(run_id).is_live, within_seconds)
    return current(run_id)


def horses() -> list[int]:
    """The processes in which workers do jobs now."""
    parents = {worker.pid for worker in Worker.all(queue=queue.queue)}
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) in parents:
                found.append(int(stat.parent.name))
    return found


def kill_a_horse() -> bool:
    """Whether there was one to kill."""
    for pid in horses():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


@pytest.mark.both_databases
def test_several_workers_share_the_blocks(app: Flask, undisturbed: list[tuple[int, ...]]) -> None:
    run_id = dispatch.start("score", "alice")

    with running_command(app, "worker"), running_command(app, "worker"):
        run = wait_until_ended(run_id)

    assert (run.state_text, run.done, run.total, run.outcome) == ("finished", 10, 10, "10 users")
    assert table() == undisturbed
    workers = {
        job.worker_name for number in range(1, 11) if (job := queue.queue.fetch_job(dispatch.job_id(run, number)))
    }
    assert len(workers) == 2


@pytest.mark.both_databases
@pytest.mark.slow
def test_when_a_worker_is_killed_a_healthy_one_finishes_within_a_minute(
    app: Flask, undisturbed: list[tuple[int, ...]]
) -> None:
    run_id = dispatch.start("score", "alice")
    with running_command(app, "worker") as worker:
        wait_until(lambda: current(run_id).done >= 2 and bool(horses()), within_seconds=30)
        worker.kill()
        killed_at = time.monotonic()
    assert current(run_id).is_live

    with running_command(app, "worker"):
        run = wait_until_ended(run_id)

    assert time.monotonic() - killed_at < 60
    assert (run.state_text, run.done) == ("finished", 10)
    assert table() == undisturbed


@pytest.mark.both_databases
@pytest.mark.slow
def test_when_the_process_of_a_block_is_killed_the_block_is_done_again(
    app: Flask, undisturbed: list[tuple[int, ...]]
) -> None:
    run_id = dispatch.start("score", "alice")
    with running_command(app, "worker"):
        wait_until(lambda: current(run_id).done >= 2, within_seconds=30)
        wait_until(kill_a_horse, within_seconds=10)

        run = wait_until_ended(run_id)

    assert (run.state_text, run.done) == ("finished", 10)
    assert table() == undisturbed


@pytest.mark.slow
def test_when_redis_is_emptied_the_run_goes_on(
    app: Flask, redis_server: RedisServer, undisturbed: list[tuple[int, ...]]
) -> None:
    run_id = dispatch.start("score", "alice")
    with running_command(app, "worker") as worker:
        wait_until(lambda: current(run_id).done >= 2, within_seconds=30)
        worker.kill()
    redis_server.flush()

    with running_command(app, "worker"):
        run = wait_until_ended(run_id)

    assert (run.state_text, run.done) == ("finished", 10)
    assert table() == undisturbed


@pytest.mark.slow
def test_a_job_taken_by_a_worker_that_dies_at_once_is_done_within_a_minute(
    app: Flask, undisturbed: list[tuple[int, ...]]
) -> None:
    run_id = dispatch.start("score", "alice")
    taken = queue.queue.intermediate_queue_key
    queue.connection.lmove(queue.queue.key, taken, "LEFT", "RIGHT")

    with running_command(app, "worker"):
        run = wait_until_ended(run_id)

    assert run.state_text == "finished"
    assert table() == undisturbed


def test_a_block_that_fails_for_good_is_listed_and_the_others_are_done(
    app: Flask, undisturbed: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "RETRY", None)
    db.session.execute(
        sa.text(
            "CREATE TRIGGER full BEFORE INSERT ON suggestions WHEN new.user_id IN (2, 5) "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    )
    db.session.commit()
    run_id = runs.start("score", "alice")
    tasks.perform(run_id, 1)

    with running_command(app, "worker", "--burst") as worker:
        worker.communicate(timeout=60)

    run = current(run_id)
    assert (run.state_text, run.done, run.failed_blocks) == ("finished with 2 failed blocks", 8, [2, 3])
    assert "the disk is full" in run.error

    db.session.execute(sa.text("DROP TRIGGER full"))
    db.session.commit()
    dispatch.retry(run_id, "alice")
    with running_command(app, "worker", "--burst") as worker:
        worker.communicate(timeout=60)

    assert (current(run_id).state_text, current(run_id).done) == ("finished", 10)
    assert table() == undisturbed


def test_a_run_that_fails_says_why(app: Flask, world: World) -> None:
    run_id = dispatch.start("train", "alice", folds=20)

    with running_command(app, "worker", "--burst") as worker:
        worker.communicate(timeout=60)

    run = current(run_id)
    assert (run.state, run.error[:44]) == ("failed", "There are 7 ratings; training takes at least")


def test_cancelling_stops_the_process_at_work_and_the_next_run_may_begin(app: Flask, trained: TrainedWorld) -> None:
    run_id = dispatch.start("train", "alice", **LONG_TRAINING)
    with running_command(app, "worker"):
        wait_until(lambda: current(run_id).state == "running" and bool(horses()), within_seconds=30)

        dispatch.cancel(run_id, "alice")

        wait_until(lambda: not horses(), within_seconds=10)
        wait_until_ended(dispatch.start("averages", "alice"), within_seconds=20)
    assert current(run_id).state == "cancelled"


def test_between_blocks_a_cancelled_run_ends_without_redis_being_told(
    app: Flask, undisturbed: list[tuple[int, ...]]
) -> None:
    run_id = dispatch.start("score", "alice")
    with running_command(app, "worker"):
        wait_until(lambda: current(run_id).done >= 2, within_seconds=30)

        runs.cancel(run_id, "alice")

        wait_until(lambda: queue.queue.count == 0, within_seconds=30)
    assert current(run_id).state == "cancelled"
    assert 2 <= len({user_id for user_id, *_ in table()}) < 10


@pytest.mark.slow
def test_a_worker_at_work_is_heard_of_even_when_redis_forgot_its_job(
    app: Flask, trained: TrainedWorld, redis_server: RedisServer
) -> None:
    run_id = dispatch.start("train", "alice", **LONG_TRAINING)
    with running_command(app, "worker"):
        wait_until(lambda: current(run_id).state == "running", within_seconds=30)
        redis_server.flush()
        heard_at = current(run_id).heard_at

        wait_until(lambda: current(run_id).heard_at > heard_at, within_seconds=15)
