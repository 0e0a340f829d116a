"""From runs to jobs in the queue, and what happens when the two lose sight of each other."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from recsite.errors import QueueUnavailable
from recsite.jobs import blocks, dispatch, runs
from recsite.storage.queue import queueing
from tests.jobs.test_blocks import started
from tests.processes.servers import RedisServer

pytestmark = pytest.mark.both_databases


def test_without_redis_a_run_has_failed_and_the_next_one_may_come(own_redis: RedisServer) -> None:
    own_redis.stop()

    with pytest.raises(QueueUnavailable, match="nothing was queued"):
        dispatch.start("train", "alice")

    (run,) = runs.list_latest(10)
    assert (run.state, run.error[:22]) == ("failed", "Redis does not answer,")
    own_redis.start()
    dispatch.start("train", "alice")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody was ever heard of any run, as when their workers are gone for good."""
    monkeypatch.setattr(dispatch, "SILENT_FOR", timedelta(seconds=-1))
    return


def test_a_run_whose_job_redis_forgot_is_queued_again(app: Flask, redis_server: RedisServer, silent: None) -> None:
    run_id = dispatch.start("averages", "alice")
    runs.claim(run_id, 1)
    redis_server.flush()

    dispatch.look_after_runs()
    dispatch.look_after_runs()

    assert queueing.queue.count == 1
    assert runs.find(run_id).state == "running"


def test_blocks_whose_jobs_redis_forgot_are_queued_again(app: Flask, redis_server: RedisServer, silent: None) -> None:
    run_id = started()
    blocks.finish(run_id, 1, 2)

    dispatch.look_after_runs()

    assert sorted(queueing.queue.job_ids) == [dispatch.job_id(runs.find(run_id), number) for number in (1, 3)]


def test_a_run_whose_job_was_given_up_in_silence_has_failed(app: Flask, silent: None) -> None:
    run_id = dispatch.start("averages", "alice")
    (job,) = queueing.queue.jobs
    job.cancel()

    dispatch.look_after_runs()

    assert (runs.find(run_id).state, runs.find(run_id).error[:22]) == ("failed", "A worker gave it up an")


def test_a_run_that_waits_in_the_queue_is_left_alone(app: Flask, silent: None) -> None:
    run_id = dispatch.start("averages", "alice")

    dispatch.look_after_runs()

    assert (queueing.queue.count, runs.find(run_id).state) == (1, "queued")


def test_cancelling_takes_the_jobs_out_of_the_queue(app: Flask) -> None:
    run_id = dispatch.start("averages", "alice")

    dispatch.cancel(run_id, "alice")

    assert queueing.queue.count == 0


def test_after_a_switch_a_scoring_by_the_version_before_makes_way(app: Flask) -> None:
    first = dispatch.start("score", "alice")
    assert dispatch.score_after_switch("bob") == f"Scoring of everybody is queued already as run {first}."
    runs.claim(first, 1)

    said = dispatch.score_after_switch("bob")

    assert runs.find(first).state == "cancelled"
    assert said == f"Scoring of everybody is queued as run {runs.list_latest(1)[0].id}."


def test_after_a_switch_without_redis_everybody_is_scored_when_it_is_back(own_redis: RedisServer, silent: None) -> None:
    own_redis.stop()

    assert dispatch.score_after_switch("bob").startswith("Redis does not answer; everybody is scored when it is back")

    own_redis.start()
    dispatch.look_after_runs()
    (run,) = runs.list_latest(10)
    assert (run.kind, run.state, queueing.queue.job_ids) == ("score", "queued", [dispatch.job_id(run)])
