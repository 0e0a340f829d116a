"""What runs by the clock."""

import dataclasses
from datetime import timedelta

import pytest
from flask import Flask
from rq.utils import now

from recsite import jobs, versions
from recsite.errors import QueueUnavailable
from recsite.extensions import db
from recsite.jobs import schedule, tasks
from recsite.jobs.schedule import SCHEDULE, Entry, Timers, make_timers, start_due
from recsite.storage.queue import queueing
from recsite.storage.tables import ModelVersion
from recsite.versions import training
from tests.conftest import TrainedWorld
from tests.jobs.blocks_at_work import finish_run
from tests.processes.servers import RedisServer

RETRAIN_CHECK = next(entry for entry in SCHEDULE if entry.name == "retrain-check")
KEY = "retrain-check 2026-11-23T10:10Z"


def due_a_minute_ago() -> Timers:
    """Return what one `flask cron` process holds when two runs are due."""
    timers = make_timers((Entry("often", "* * * * *", "averages"), Entry("too", "* * * * *", "train")))
    for timer in timers.values():
        timer.next_enqueue_time = now().replace(second=0, microsecond=0) - timedelta(minutes=1)
    return timers


def test_each_line_starts_a_run_that_a_worker_knows(app: Flask) -> None:
    for entry in SCHEDULE:
        run_id = schedule.start(dataclasses.replace(entry, find_reasons=None), f"{entry.name} now")
        if run_id is None:
            assert entry.name == "retrain-check"  # the daily training is in its way
            continue
        run = jobs.find(run_id)
        assert (run.kind, run.asked_by, run.idempotency_key) == (entry.kind, "the schedule", f"{entry.name} now")
        assert run.kind in tasks.KINDS


def test_the_times_are_the_machines_own() -> None:
    due_at = {entry.name: timer.next_enqueue_time for entry, timer in make_timers(SCHEDULE).items()}
    next_times = {name: at.astimezone() for name, at in due_at.items() if at is not None}

    assert next_times["averages"].minute in (0, 30)
    assert (next_times["train"].hour, next_times["train"].minute) == (3, 0)
    assert (next_times["score"].hour, next_times["score"].minute) == (4, 30)


def test_a_duplicate_schedule_key_is_refused_and_drops_no_job() -> None:
    twice = (Entry("train", "0 3 * * *", "train"), Entry("train", "0 4 * * *", "score"))

    with pytest.raises(ValueError, match="the same name"):
        make_timers(twice)


def test_a_run_is_queued_once_however_many_processes_look_at_the_clock(app: Flask) -> None:
    here, there = due_a_minute_ago(), due_a_minute_ago()

    assert start_due(here) == start_due(there)

    assert queueing.queue.count == 2


def test_a_run_is_queued_once_also_when_it_was_done_before_the_other_process_looked(app: Flask) -> None:
    here, there = due_a_minute_ago(), due_a_minute_ago()
    for run_id in start_due(here):
        finish_run(run_id)
    queueing.queue.empty()

    start_due(there)

    assert queueing.queue.count == 0
    assert len(jobs.list_latest(10)) == 2


def test_a_run_is_queued_once_by_the_same_process(app: Flask) -> None:
    entries = due_a_minute_ago()
    start_due(entries)

    assert start_due(entries) == []


def test_a_run_that_is_still_going_is_not_started_anew_and_holds_up_no_other(app: Flask) -> None:
    jobs.start("averages", "alice")

    (started,) = start_due(due_a_minute_ago())

    assert jobs.find(started).kind == "train"


def test_a_run_that_was_due_without_redis_is_queued_when_it_is_back(own_redis: RedisServer) -> None:
    entries = due_a_minute_ago()
    own_redis.stop()
    with pytest.raises(QueueUnavailable, match="Redis does not answer"):
        start_due(entries)

    own_redis.start()

    assert len(start_due(entries)) == 2
    assert queueing.queue.count == 2


def test_a_hundred_new_ratings_queue_a_training_with_its_reasons(app: Flask, trained: TrainedWorld) -> None:
    app.config["RETRAIN_NEW_RATINGS"] = 100
    db.session.get_one(ModelVersion, 1).rating_count -= 100
    db.session.commit()

    run_id = schedule.start(RETRAIN_CHECK, KEY)

    assert schedule.start(RETRAIN_CHECK, KEY) == run_id
    run = jobs.find(run_id or 0)
    assert (run.kind, run.parameters["reasons"]) == (
        "train",
        [f"100 ratings are new since {trained.version_name} was trained."],
    )


def test_with_fewer_new_ratings_nothing_is_queued(app: Flask, trained: TrainedWorld) -> None:
    app.config["RETRAIN_NEW_RATINGS"] = 101
    db.session.get_one(ModelVersion, 1).rating_count -= 100
    db.session.commit()

    assert schedule.start(RETRAIN_CHECK, KEY) is None
    assert queueing.queue.count == 0


def test_a_version_that_waits_to_be_activated_is_not_trained_over_and_over(app: Flask, trained: TrainedWorld) -> None:
    db.session.get_one(ModelVersion, 1).rating_count -= 100
    db.session.commit()

    training.train(training.set_up_from_settings(factors=3, epochs=10, folds=2))

    assert schedule.start(RETRAIN_CHECK, KEY) is None
    assert versions.find_active().version_name == trained.version_name  # type: ignore[union-attr]
