"""What runs by the clock."""

import time
from datetime import timedelta

import pytest
from flask import Flask
from rq.cron import CronJob
from rq.utils import now

from recsite.errors import QueueUnavailable
from recsite.extensions import queueing
from recsite.schedule import SCHEDULE, Entry, enqueue_due, upcoming_runs

from . import work
from .servers import RedisServer, running_command

pytestmark = pytest.mark.one_database


def runs_due_a_minute_ago() -> list[CronJob]:
    """What one `flask cron` process holds when two runs are due."""
    runs = upcoming_runs((Entry("averages", "* * * * *", work.fail), Entry("train", "* * * * *", work.fail)))
    for run in runs:
        run.next_enqueue_time = now().replace(second=0, microsecond=0) - timedelta(minutes=1)
    return runs


def test_the_schedule_says_when_what_runs() -> None:
    assert [(entry.name, entry.when, entry.func.__name__) for entry in SCHEDULE] == [
        ("averages", "*/30 * * * *", "refresh_averages"),
        ("train", "0 3 * * *", "train"),
        ("score", "30 4 * * *", "rescore_everybody"),
    ]


def test_the_times_are_the_machines_own() -> None:
    due = {run.name: run.next_enqueue_time.astimezone() for run in upcoming_runs(SCHEDULE)}

    assert due["averages"].minute in (0, 30)
    assert (due["train"].hour, due["train"].minute) == (3, 0)
    assert (due["score"].hour, due["score"].minute) == (4, 30)


def test_a_duplicate_schedule_key_is_refused_and_drops_no_job() -> None:
    twice = (Entry("train", "0 3 * * *", work.fail), Entry("train", "0 4 * * *", work.add_line))

    with pytest.raises(ValueError, match="the same name"):
        upcoming_runs(twice)


def test_a_run_is_queued_once_however_many_processes_look_at_the_clock(app: Flask) -> None:
    here, there = runs_due_a_minute_ago(), runs_due_a_minute_ago()

    assert enqueue_due(here) == enqueue_due(there)

    assert queueing.queue.count == 2


def test_a_run_is_queued_once_by_the_same_process(app: Flask) -> None:
    runs = runs_due_a_minute_ago()
    enqueue_due(runs)

    assert enqueue_due(runs) == []


def test_a_scheduled_job_that_loses_its_worker_is_tried_again(app: Flask) -> None:
    (job_id, _) = enqueue_due(runs_due_a_minute_ago())

    assert queueing.queue.fetch_job(job_id).retries_left == 3


def test_a_run_that_was_due_without_redis_is_queued_when_it_is_back(own_redis: RedisServer) -> None:
    runs = runs_due_a_minute_ago()
    own_redis.stop()
    with pytest.raises(QueueUnavailable, match="Redis does not answer"):
        enqueue_due(runs)

    own_redis.start()

    assert len(enqueue_due(runs)) == 2


def test_the_process_lives_through_an_outage(app: Flask, own_redis: RedisServer) -> None:
    own_redis.stop()
    with running_command(app, "cron") as process:
        line = process.stdout.readline()
        time.sleep(1)

        assert process.poll() is None

        process.terminate()
        process.wait(timeout=3)
    assert line.split() == ["*/30", "*", "*", "*", "*", "averages"]
