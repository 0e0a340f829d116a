"""What runs by the clock."""

import time
from datetime import timedelta

import pytest
from flask import Flask
from rq.utils import now

from recsite import versions
from recsite.errors import QueueUnavailable
from recsite.extensions import db
from recsite.jobs import runs, schedule
from recsite.jobs.schedule import SCHEDULE, Due, Entry, start_due, starting, upcoming
from recsite.storage.queue import queueing
from recsite.storage.tables import ModelVersion
from recsite.versions import training
from tests.conftest import TrainedWorld
from tests.processes.servers import RedisServer, running_command

SLOT = "retrain-check 2026-11-23T10:10Z"


def due_a_minute_ago() -> list[Due]:
    """What one `flask cron` process holds when two runs are due."""
    entries = upcoming(
        (Entry("often", "* * * * *", starting("averages")), Entry("too", "* * * * *", starting("train")))
    )
    for due in entries:
        due.clock.next_enqueue_time = now().replace(second=0, microsecond=0) - timedelta(minutes=1)
    return entries


def test_the_schedule_says_when_what_runs() -> None:
    assert [(entry.name, entry.when) for entry in SCHEDULE] == [
        ("averages", "*/30 * * * *"),
        ("export-ratings", "30 1 * * *"),
        ("export-movies", "15 2 * * *"),
        ("train", "0 3 * * *"),
        ("score", "30 4 * * *"),
        ("reach", "30 5 * * *"),
        ("retrain-check", "10 * * * *"),
    ]


@pytest.mark.parametrize("entry", SCHEDULE[:-1], ids=lambda entry: entry.name)
def test_each_line_starts_a_run_of_its_name(app: Flask, entry: Entry) -> None:
    run_id = entry.start("a slot")

    run = runs.find(run_id or 0)
    assert (run.kind, run.asked_by, run.slot) == (entry.name, "the schedule", "a slot")


def test_the_times_are_the_machines_own() -> None:
    next_times = {due.entry.name: due.clock.next_enqueue_time.astimezone() for due in upcoming(SCHEDULE)}

    assert next_times["averages"].minute in (0, 30)
    assert (next_times["train"].hour, next_times["train"].minute) == (3, 0)
    assert (next_times["score"].hour, next_times["score"].minute) == (4, 30)


def test_a_duplicate_schedule_key_is_refused_and_drops_no_job() -> None:
    twice = (Entry("train", "0 3 * * *", starting("train")), Entry("train", "0 4 * * *", starting("score")))

    with pytest.raises(ValueError, match="the same name"):
        upcoming(twice)


def test_a_run_is_queued_once_however_many_processes_look_at_the_clock(app: Flask) -> None:
    here, there = due_a_minute_ago(), due_a_minute_ago()

    assert start_due(here) == start_due(there)

    assert queueing.queue.count == 2


def test_a_run_is_queued_once_also_when_it_was_done_before_the_other_process_looked(app: Flask) -> None:
    here, there = due_a_minute_ago(), due_a_minute_ago()
    for run_id in start_due(here):
        runs.claim(run_id, 1)
        runs.finish(run_id, 1)
    queueing.queue.empty()

    start_due(there)

    assert queueing.queue.count == 0
    assert len(runs.list_latest(10)) == 2


def test_a_run_is_queued_once_by_the_same_process(app: Flask) -> None:
    entries = due_a_minute_ago()
    start_due(entries)

    assert start_due(entries) == []


def test_a_run_that_is_still_going_is_not_started_anew_and_holds_up_no_other(app: Flask) -> None:
    runs.start("averages", "alice")

    (started,) = start_due(due_a_minute_ago())

    assert runs.find(started).kind == "train"


def test_a_scheduled_job_that_loses_its_worker_is_tried_again(app: Flask) -> None:
    start_due(due_a_minute_ago())

    assert [job.retries_left for job in queueing.queue.jobs] == [3, 3]


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

    run_id = schedule.retrain(SLOT)

    assert schedule.retrain(SLOT) == run_id
    run = runs.find(run_id or 0)
    assert (run.kind, run.parameters["reasons"]) == (
        "train",
        [f"100 ratings are new since {trained.version_name} was trained."],
    )


def test_with_fewer_new_ratings_nothing_is_queued(app: Flask, trained: TrainedWorld) -> None:
    app.config["RETRAIN_NEW_RATINGS"] = 101
    db.session.get_one(ModelVersion, 1).rating_count -= 100
    db.session.commit()

    assert schedule.retrain(SLOT) is None
    assert queueing.queue.count == 0


def test_a_version_that_waits_to_be_activated_is_not_trained_over_and_over(app: Flask, trained: TrainedWorld) -> None:
    db.session.get_one(ModelVersion, 1).rating_count -= 100
    db.session.commit()

    training.train(training.set_up_from_settings(factors=3, epochs=10, folds=2))

    assert schedule.retrain(SLOT) is None
    assert versions.find_active().version_name == trained.version_name  # type: ignore[union-attr]


def test_the_process_lives_through_an_outage(app: Flask, own_redis: RedisServer) -> None:
    own_redis.stop()
    with running_command(app, "cron") as process:
        line = process.stdout.readline()
        time.sleep(1)

        assert process.poll() is None

        process.terminate()
        process.wait(timeout=3)
    assert line.split() == ["*/30", "*", "*", "*", "*", "averages"]
