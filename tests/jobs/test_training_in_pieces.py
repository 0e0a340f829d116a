"""A training whose pieces any number of workers share."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask
from threadpoolctl import threadpool_info

from recsite import jobs, versions
from recsite.errors import RecsiteError, RunCancelled
from recsite.extensions import db
from recsite.jobs import blocks, tasks
from recsite.jobs.blocks import Claim
from recsite.ml import ease
from recsite.storage.queue import queueing
from recsite.storage.tables import Movie, RunBlock, now
from recsite.versions import plan, training
from recsite.versions.pieces import do_piece
from tests.conftest import TrainedWorld
from tests.jobs.blocks_at_work import claim_block, claim_next, start_training, work_off

SMALL: dict[str, Any] = {"factors": 3, "epochs": 10, "folds": 2, "seed": 5}
PIECES = ["version", "time", "random", "fold 1", "fold 2"]


def workspaces(app: Flask) -> list[str]:
    root: Path = app.config["MEDIA_ROOT"] / "ml" / "training"
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def test_workers_that_share_pieces_make_the_version_that_one_process_makes(app: Flask, trained: TrainedWorld) -> None:
    alone = training.train(training.set_up_from_settings(**SMALL))
    run_id = start_training(**SMALL)
    run = jobs.find(run_id)
    assert (run.done, run.total) == (0, len(PIECES))

    outcome = work_off(run_id)

    together = versions.list_versions()[0]
    assert outcome == f"{together.version_name}, not activated"
    assert together.version_name != alone.version_name
    assert (together.rmse, together.mae, together.metrics) == (alone.rmse, alone.mae, alone.metrics)
    for array in ("pu", "qi", "ranker_weights", "user_generations"):
        first, second = (np.load(versions.folder() / each.version_name / f"{array}.npy") for each in (alone, together))
        assert (first == second).all()
    assert workspaces(app) == []


def test_the_version_is_made_when_the_last_piece_is_done_and_once(trained: TrainedWorld) -> None:
    run_id = start_training(**SMALL)
    claims = [claim_next(f"job-{number}") for number in range(len(PIECES))]
    assert blocks.claim_next("early") is None

    for each in claims[1:]:
        tasks.do(each)
    assert blocks.claim_next("early") is None
    assert (jobs.find(run_id).done, jobs.find(run_id).state) == (4, "running")

    tasks.do(claims[0])
    last = claim_next("last")
    assert blocks.claim_next("late") is None
    tasks.do(last)

    assert jobs.find(run_id).state == "finished"
    assert len(versions.list_versions()) == 2


def test_a_killed_worker_costs_its_piece_alone(trained: TrainedWorld) -> None:
    run_id = start_training(**SMALL)
    lost = claim_next("killed")
    tasks.do(claim_next("other"))
    db.session.execute(
        sa.update(RunBlock).where(RunBlock.number == lost.number).values(heartbeat_at=now() - 2 * blocks.LEASE)
    )
    db.session.commit()
    blocks.requeue_stale()

    work_off(run_id)

    assert jobs.find(run_id).state == "finished"
    assert len(versions.list_versions()) == 2


def test_a_piece_that_is_done_twice_leaves_one_result(app: Flask, trained: TrainedWorld) -> None:
    run_id = start_training(**SMALL)
    slow = claim_next("taken-for-dead")
    workspace = training.open_workspace(f"run-{run_id}")
    do_piece(workspace, PIECES[slow.number - 1])
    first = workspace.facts(PIECES[slow.number - 1])

    do_piece(workspace, PIECES[slow.number - 1])

    assert workspace.facts(PIECES[slow.number - 1]) == first
    assert not list(workspace.root.glob(".building-*"))


def test_a_piece_that_fails_fails_the_training_and_a_retry_does_the_rest(
    app: Flask, trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start_training(**SMALL)
    for piece in PIECES[:3]:
        tasks.do(claim_next(piece))
    broken = claim_next("broken")
    with monkeypatch.context() as patch:
        patch.setattr("recsite.versions.pieces.fold_errors", fail)
        patch.setattr(blocks, "MOST_ATTEMPTS", 1)
        with pytest.raises(MemoryError):
            run_claimed(broken)

    failed = jobs.find(run_id)
    assert (failed.state, failed.error) == ("failed", "MemoryError: no memory")
    assert blocks.claim_next("idle") is None

    jobs.retry(run_id, "alice")
    work_off(run_id)

    assert jobs.find(run_id).state == "finished"
    assert len(versions.list_versions()) == 2


def fail(*arguments: object) -> None:
    raise MemoryError("no memory")


def run_claimed(claimed: Claim) -> None:
    """Do a claimed block as `do_next` does."""
    try:
        tasks.do(claimed)
    except Exception as error:
        blocks.fail(claimed, tasks.describe(error), may_retry=tasks.is_temporary(error))
        raise


@pytest.mark.parametrize("name", ("version", "fold 1"))
def test_a_piece_of_a_cancelled_training_ends_at_its_next_epoch(trained: TrainedWorld, name: str) -> None:
    run_id = start_training(**SMALL)
    piece = claim_block(run_id, 1 + PIECES.index(name))
    jobs.cancel(run_id, "alice")

    with pytest.raises(RunCancelled):
        tasks.do(piece)

    assert jobs.find(run_id).state == "cancelled"


def test_a_worker_takes_no_more_threads_than_it_is_given(
    app: Flask, trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["WORKER_THREADS"] = 1
    taken: list[int] = []
    weights = ease.ease_weights

    def count(*arguments: Any) -> Any:
        taken.extend(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return weights(*arguments)

    monkeypatch.setattr(ease, "ease_weights", count)
    start_training(**SMALL)
    tasks.do(claim_next("version"))

    assert set(taken) == {1}


def test_without_the_data_a_retry_says_what_to_do(app: Flask, trained: TrainedWorld) -> None:
    run_id = start_training(**SMALL)
    training.open_workspace(f"run-{run_id}").remove()
    piece = claim_block(run_id, 1)

    with pytest.raises(RecsiteError, match=r"are not in .* any more\. Start a new training\."):
        tasks.do(piece)


def test_the_time_limit_of_a_job_follows_from_the_plan_of_a_training(app: Flask, trained: TrainedWorld) -> None:
    app.config["JOB_TIMEOUT_SECONDS"] = 10
    db.session.execute(sa.update(Movie).values(rating_count=100_000))
    db.session.commit()
    jobs.start("train", "alice", factors=200, epochs=1000)
    (job,) = queueing.queue.jobs
    planned = plan.make_plan(training.set_up_from_settings(factors=200, epochs=1000), threads=1)
    assert job.timeout == round(4 * planned.seconds) > 10


def test_other_jobs_have_the_time_limit_of_the_setting(app: Flask, trained: TrainedWorld) -> None:
    jobs.start("averages", "alice")
    (job,) = queueing.queue.jobs
    assert job.timeout == app.config["JOB_TIMEOUT_SECONDS"]
