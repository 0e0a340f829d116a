"""Runs done by real workers, some of which are killed."""

import contextlib
import os
import signal
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from rq import Worker

from recsite import jobs, suggestions, versions
from recsite.extensions import db
from recsite.jobs import blocks, tasks
from recsite.storage.queue import queueing
from recsite.storage.tables import Run, RunBlock, Suggestion
from tests.conftest import TrainedWorld, World
from tests.processes.forks import Forked
from tests.processes.servers import RedisServer, running, running_command, wait_until
from tests.processes.work import USERS_BEFORE_GATE

LONG_TRAINING: dict[str, Any] = {"epochs": 1000, "factors": 2000, "folds": 20}
"Takes minutes, even on a few ratings."


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file that lets workers score more than the first users."""
    return tmp_path / "gate"


def working(app: Flask, gate: Path, *options: str) -> AbstractContextManager[Forked]:
    """Run a worker that waits at the gate, for the length of the block."""
    return running(app, "tests.processes.work", str(gate), *options)


def work_off(app: Flask, gate: Path) -> None:
    """Let a worker process empty the queue."""
    gate.touch()
    with working(app, gate, "--burst") as worker:
        worker.communicate(timeout=120)


def count_running(run_id: int) -> int:
    """Return how many blocks of the run a worker works on."""
    db.session.rollback()
    running_blocks = sa.select(sa.func.count()).where(RunBlock.run_id == run_id, RunBlock.state == "running")
    return db.session.execute(running_blocks).scalar_one()


def is_at_gate(run_id: int, workers: int = 1) -> bool:
    """Return whether the first users are scored and so many workers wait at the gate."""
    return current(run_id).done == USERS_BEFORE_GATE and count_running(run_id) == workers


def table() -> list[tuple[float, ...]]:
    """Every suggestion, with all that scoring decides."""
    db.session.rollback()
    columns = (Suggestion.user_id, Suggestion.rank, Suggestion.movie_id, Suggestion.value, Suggestion.active)
    return [tuple(row) for row in db.session.execute(sa.select(*columns).order_by(*columns))]


@pytest.fixture
def undisturbed(app: Flask, trained: TrainedWorld) -> list[tuple[float, ...]]:
    """The table as scoring leaves it, which is empty again; users are scored one by one from now on."""
    suggestions.rescore(suggestions.all_user_ids())
    rows = table()
    db.session.execute(sa.delete(Suggestion))
    db.session.commit()
    app.config["SCORE_BLOCK_USERS"] = 1
    return rows


def current(run_id: int) -> Run:
    """Return the run from the database."""
    db.session.rollback()
    return jobs.find(run_id)


def wait_until_ended(run_id: int, within_seconds: float = 60) -> Run:
    """Wait until the run is over and return it."""
    wait_until(lambda: not current(run_id).is_live, within_seconds)
    return current(run_id)


def horses() -> list[int]:
    """Return the ids of the processes that do jobs now."""
    parents = {worker.pid for worker in Worker.all(queue=queueing.queue)}
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) in parents:
                found.append(int(stat.parent.name))
    return found


@pytest.mark.both_databases
def test_several_workers_share_the_blocks(app: Flask, undisturbed: list[tuple[float, ...]], gate: Path) -> None:
    run_id = jobs.start("score", "alice")

    with working(app, gate), working(app, gate):
        wait_until(lambda: is_at_gate(run_id, workers=2), within_seconds=60)
        gate.touch()
        run = wait_until_ended(run_id)

    assert (run.state_text, run.done, run.total, run.outcome) == ("finished", 10, 10, "10 users")
    assert table() == undisturbed


@pytest.mark.both_databases
@pytest.mark.slow
def test_when_a_worker_is_killed_a_healthy_one_finishes_within_a_minute(
    app: Flask, undisturbed: list[tuple[float, ...]], gate: Path
) -> None:
    run_id = jobs.start("score", "alice")
    with working(app, gate) as worker:
        wait_until(lambda: is_at_gate(run_id), within_seconds=60)
        worker.kill()
        killed_at = time.monotonic()
    gate.touch()

    with working(app, gate):
        run = wait_until_ended(run_id)

    assert time.monotonic() - killed_at < 60
    assert (run.state_text, run.done) == ("finished", 10)
    assert table() == undisturbed


@pytest.mark.slow
def test_when_the_process_of_a_block_is_killed_the_block_is_done_again(
    app: Flask, undisturbed: list[tuple[float, ...]], gate: Path
) -> None:
    run_id = jobs.start("score", "alice")
    with working(app, gate):
        wait_until(lambda: is_at_gate(run_id), within_seconds=60)
        (horse,) = horses()
        os.kill(horse, signal.SIGKILL)
        gate.touch()

        run = wait_until_ended(run_id)

    assert (run.state_text, run.done) == ("finished", 10)
    assert table() == undisturbed


@pytest.mark.slow
def test_when_redis_is_killed_and_comes_back_empty_the_run_goes_on(
    app: Flask, own_redis: RedisServer, undisturbed: list[tuple[float, ...]], gate: Path
) -> None:
    run_id = jobs.start("score", "alice")
    with working(app, gate):
        wait_until(lambda: is_at_gate(run_id), within_seconds=60)
        assert own_redis.process is not None
        own_redis.process.kill()
        gate.touch()
        wait_until(lambda: current(run_id).done > USERS_BEFORE_GATE, within_seconds=60)
        own_redis.stop()
        own_redis.start()
        own_redis.flush()

        run = wait_until_ended(run_id)

    assert (run.state_text, run.done) == ("finished", 10)
    assert table() == undisturbed


@pytest.mark.slow
def test_a_job_taken_by_a_worker_that_dies_at_once_is_done_within_a_minute(
    app: Flask, undisturbed: list[tuple[float, ...]], gate: Path
) -> None:
    run_id = jobs.start("score", "alice")
    queueing.connection.lmove(queueing.queue.key, queueing.queue.intermediate_queue_key, "LEFT", "RIGHT")
    gate.touch()

    with working(app, gate):
        run = wait_until_ended(run_id)

    assert run.state_text == "finished"
    assert table() == undisturbed


def test_a_block_that_fails_for_good_is_listed_and_the_others_are_done(
    app: Flask, undisturbed: list[tuple[float, ...]], gate: Path
) -> None:
    db.session.execute(
        sa.text(
            "CREATE TRIGGER full BEFORE INSERT ON suggestions WHEN new.user_id IN (2, 5) "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    )
    run_id = jobs.start("score", "alice")
    db.session.commit()
    tasks.do_next("a-job")
    db.session.execute(sa.update(RunBlock).values(attempts=blocks.MOST_ATTEMPTS - 1))
    db.session.commit()

    work_off(app, gate)

    run = current(run_id)
    assert (run.state_text, run.done, run.failed_blocks) == ("finished with 2 failed blocks", 8, [2, 3])
    assert "the disk is full" in run.error

    db.session.execute(sa.text("DROP TRIGGER full"))
    db.session.commit()
    jobs.retry(run_id, "alice")
    work_off(app, gate)

    assert (current(run_id).state_text, current(run_id).done) == ("finished", 10)
    assert table() == undisturbed


def test_a_run_that_fails_says_why(app: Flask, world: World, gate: Path) -> None:
    run_id = jobs.start("train", "alice", folds=20)

    work_off(app, gate)

    run = current(run_id)
    assert (run.state, run.error[:44]) == ("failed", "There are 7 ratings; training takes at least")


def test_cancelling_stops_the_process_at_work_and_the_next_run_may_begin(app: Flask, trained: TrainedWorld) -> None:
    run_id = jobs.start("train", "alice", **LONG_TRAINING)
    with running_command(app, "worker"):
        wait_until(lambda: current(run_id).state == "running" and bool(horses()), within_seconds=60)

        jobs.cancel(run_id, "alice")

        wait_until(lambda: not horses(), within_seconds=60)
        wait_until_ended(jobs.start("averages", "alice"), within_seconds=60)
    assert current(run_id).state == "cancelled"


def test_a_worker_killed_in_a_piece_of_a_training_costs_that_piece(app: Flask, trained: TrainedWorld) -> None:
    run_id = jobs.start("train", "alice", epochs=300, factors=50, folds=3)
    with running_command(app, "worker"):
        wait_until(lambda: current(run_id).done >= 1 and bool(horses()), within_seconds=60)
        done = current(run_id).done
        for horse in horses():
            os.kill(horse, signal.SIGKILL)
        run = wait_until_ended(run_id, within_seconds=90)

    assert (run.state, run.error, run.done) == ("finished", "", run.total)
    assert done < run.total
    assert run.outcome == f"{versions.list_versions()[0].version_name}, not activated"
    assert len(versions.list_versions()) == 2


def test_a_cancelled_run_loses_its_blocks_also_without_redis(
    app: Flask, own_redis: RedisServer, undisturbed: list[tuple[float, ...]], gate: Path
) -> None:
    run_id = jobs.start("score", "alice")
    with working(app, gate):
        wait_until(lambda: is_at_gate(run_id), within_seconds=60)
        own_redis.stop()
        jobs.cancel(run_id, "alice")
        own_redis.start()
        gate.touch()

        wait_until(lambda: queueing.is_reachable() and queueing.count_jobs() == 0 and not horses(), within_seconds=60)
    assert (current(run_id).state, current(run_id).done) == ("cancelled", USERS_BEFORE_GATE)
    assert len({user_id for user_id, *_ in table()}) <= USERS_BEFORE_GATE + 1
