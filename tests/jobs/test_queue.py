"""RQ jobs for the rows: there is one for each due block, whatever Redis lost."""

from pathlib import Path

import pytest
from flask import Flask
from rq import Callback
from rq.job import JobStatus

from recsite import jobs
from recsite.errors import QueueUnavailable
from recsite.jobs import runs
from recsite.jobs.worker import AppWorker
from recsite.storage.queue import queueing
from tests.jobs.blocks_at_work import claim_block, finish_blocks, start_scoring
from tests.processes.servers import RedisServer


def test_without_redis_a_run_has_failed_and_the_next_one_may_come(own_redis: RedisServer) -> None:
    own_redis.stop()

    with pytest.raises(QueueUnavailable, match="nothing was queued"):
        jobs.start("train", "alice")

    (run,) = jobs.list_latest(10)
    assert (run.state, run.error[:22]) == ("failed", "Redis does not answer,")
    own_redis.start()
    jobs.start("train", "alice")


def test_without_redis_a_retry_has_failed(own_redis: RedisServer) -> None:
    run_id = jobs.start("train", "alice")
    jobs.cancel(run_id, "alice")
    own_redis.stop()

    with pytest.raises(QueueUnavailable, match="nothing was queued"):
        jobs.retry(run_id, "alice")

    assert jobs.find(run_id).state == "failed"


def test_jobs_that_redis_forgot_are_enqueued_again_once(app: Flask, redis_server: RedisServer) -> None:
    run_id = start_scoring()
    finish_blocks(run_id, 2)
    redis_server.flush()

    runs.enqueue_due()
    runs.enqueue_due()

    assert queueing.count_jobs() == 2


def test_jobs_that_wait_are_left_alone(app: Flask) -> None:
    jobs.start("averages", "alice")

    runs.enqueue_due()

    assert queueing.count_jobs() == 1


def test_only_some_jobs_wait_at_a_time(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_ENQUEUED", 3)
    start_scoring(users=10, size=1)

    runs.enqueue_due()

    assert queueing.count_jobs() == 3


def test_after_an_activation_a_scoring_by_the_version_before_makes_way(app: Flask) -> None:
    first = jobs.start("score", "alice")
    assert jobs.score_after_activation("bob") == f"Scoring of everybody is queued already as run {first}."
    claim_block(first, 0)

    said = jobs.score_after_activation("bob")

    assert jobs.find(first).state == "cancelled"
    assert said == f"Scoring of everybody is queued as run {jobs.list_latest(1)[0].id}."


def test_after_an_activation_without_redis_everybody_is_scored_when_it_is_back(own_redis: RedisServer) -> None:
    own_redis.stop()

    said = jobs.score_after_activation("bob")

    assert said.startswith("Redis does not answer; everybody is scored when it is back")
    own_redis.start()
    runs.enqueue_due()
    (run,) = jobs.list_latest(10)
    assert (run.kind, run.state, queueing.count_jobs()) == ("score", "queued", 1)


def test_a_worker_runs_no_function_that_the_site_does_not_queue(app: Flask, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    foreign = queueing.queue.enqueue("os.system", f"touch {touched}")
    relative = queueing.queue.enqueue("os.path.os.system", f"touch {touched}")

    AppWorker(app).work(burst=True)

    assert not touched.exists()
    assert [job.get_status() for job in (foreign, relative)] == [JobStatus.FAILED] * 2


def test_a_worker_calls_no_callback_that_a_job_names(app: Flask, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    hook = Callback("tests.processes.work.note_callback")
    foreign = queueing.queue.enqueue("os.getpid", on_success=hook, on_failure=hook, meta={"note": str(touched)})

    AppWorker(app).work(burst=True)

    assert foreign.get_status() == JobStatus.FAILED
    assert not touched.exists()
