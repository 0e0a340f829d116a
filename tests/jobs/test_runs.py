"""Runs: one of a kind at a time, their progress and how they end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import jobs
from recsite.errors import RunCancelled, RunInTheWay, RunIsOver, RunNotFound
from recsite.extensions import db
from recsite.jobs import blocks, tasks
from recsite.storage.tables import Run, now
from tests.jobs.blocks_at_work import claim_block, finish_run

pytestmark = pytest.mark.both_databases


def test_a_run_says_who_asked_for_what(app: Flask) -> None:
    run = jobs.find(jobs.start("train", "alice", epochs=3))

    assert (run.kind, run.asked_by, run.parameters, run.state) == ("train", "alice", {"epochs": 3}, "queued")


def test_a_second_run_of_a_kind_is_refused_and_names_the_one_in_its_way(app: Flask) -> None:
    first = jobs.start("train", "alice")

    with pytest.raises(RunInTheWay, match=rf"Run {first} \(train, queued, asked for by alice\) is in the way"):
        jobs.start("train", "bob")

    assert len(jobs.list_latest(10)) == 1


def test_runs_of_one_kind_about_several_subjects_go_side_by_side(app: Flask) -> None:
    jobs.start("erase", "alice", subject="1")
    jobs.start("erase", "bob", subject="2")

    with pytest.raises(RunInTheWay, match="erase"):
        jobs.start("erase", "alice", subject="1")


def test_of_many_that_ask_at_once_one_gets_the_run(app: Flask) -> None:
    def ask(number: int) -> int | None:
        with app.app_context():
            try:
                return jobs.start("train", f"user-{number}")
            except RunInTheWay:
                return None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))

    assert len([answer for answer in answers if answer]) == 1
    assert len(jobs.list_latest(100)) == 1


def test_a_slot_of_the_schedule_has_one_run_even_when_that_is_over(app: Flask) -> None:
    first = jobs.start("averages", "the schedule", key="averages 03:00")
    finish_run(first)

    assert jobs.start("averages", "the schedule", key="averages 03:00") == first


def test_an_ended_run_goes_away_after_ninety_days(app: Flask) -> None:
    old = jobs.start("train", "alice")
    jobs.cancel(old, "alice")
    db.session.execute(sa.update(Run).values(ended_at=now() - timedelta(days=91)))
    db.session.commit()

    jobs.start("train", "alice")

    with pytest.raises(RunNotFound, match=f"no run {old}"):
        jobs.find(old)


def test_progress_is_kept_while_it_runs(app: Flask) -> None:
    run_id = jobs.start("train", "alice")
    claim = claim_block(run_id, blocks.WHOLE_RUN)

    tasks.RunProgress(claim)(7, 7)

    assert (jobs.find(run_id).done, jobs.find(run_id).total) == (7, 7)


def test_work_whose_run_was_cancelled_ends_when_it_tells_how_far_it_is(app: Flask) -> None:
    run_id = jobs.start("train", "alice")
    claim = claim_block(run_id, blocks.WHOLE_RUN)
    jobs.cancel(run_id, "bob")

    with pytest.raises(RunCancelled, match="was cancelled"):
        tasks.RunProgress(claim)(1, 7)

    assert jobs.find(run_id).error == "Cancelled by bob."


def test_a_cancelled_run_is_not_begun(app: Flask) -> None:
    run_id = jobs.start("averages", "alice")
    jobs.cancel(run_id, "alice")

    tasks.do_next("a-job")

    assert jobs.find(run_id).state == "cancelled"


def test_a_run_that_is_over_cannot_be_cancelled(app: Flask) -> None:
    run_id = jobs.start("averages", "alice")
    tasks.do_next("a-job")

    with pytest.raises(RunIsOver, match="is finished; only one that is queued or running"):
        jobs.cancel(run_id, "alice")


def test_a_finished_run_says_what_came_of_it(app: Flask) -> None:
    run_id = jobs.start("averages", "alice")

    tasks.do_next("a-job")

    run = jobs.find(run_id)
    assert (run.state, run.outcome, run.is_whole) == ("finished", "nothing had changed", True)
    assert run.started_at is not None
    assert run.ended_at is not None


def test_a_run_that_did_everything_is_not_retried(app: Flask) -> None:
    run_id = jobs.start("averages", "alice")
    tasks.do_next("a-job")

    with pytest.raises(RunIsOver, match="there is nothing to retry"):
        jobs.retry(run_id, "alice")


def test_a_retry_waits_for_its_turn_like_any_run(app: Flask) -> None:
    first = jobs.start("train", "alice")
    jobs.cancel(first, "alice")
    second = jobs.start("train", "bob")

    with pytest.raises(RunInTheWay, match=f"Run {second}"):
        jobs.retry(first, "alice")

    assert jobs.find(first).state == "cancelled"
