"""Putting work into the queue."""

import json
import time
import zlib
from pathlib import Path

import pytest
from flask import Flask

from recsite import create_app
from recsite.errors import QueueUnavailable
from recsite.storage.queue import queueing
from tests.processes.servers import RedisServer, find_free_port


def test_a_job_is_kept_as_json_and_never_as_a_pickle(app: Flask) -> None:
    queueing.enqueue("recsite.jobs.tasks.do_next")

    (job,) = queueing.queue.jobs
    kept = queueing.connection.hget(job.key, "data")

    assert isinstance(kept, bytes)
    assert json.loads(zlib.decompress(kept)) == ["recsite.jobs.tasks.do_next", None, [], {}]


def test_several_jobs_are_enqueued_at_once(app: Flask) -> None:
    queueing.enqueue("recsite.jobs.tasks.do_next", 3)

    assert len(set(queueing.queue.job_ids)) == queueing.count_jobs() == 3


def test_stopping_a_job_that_is_gone_changes_nothing(app: Flask) -> None:
    queueing.enqueue("recsite.jobs.tasks.do_next")

    queueing.stop(["gone", *queueing.queue.job_ids])

    assert queueing.count_jobs() == 1


def test_nothing_is_asked_of_redis_before_there_is_something_to_ask(migrated_sqlite: Path) -> None:
    nowhere = f"redis://127.0.0.1:{find_free_port()}/0"

    app = create_app({"DATABASE_URL": f"sqlite:///{migrated_sqlite}", "REDIS_URL": nowhere, "SECRET_KEY": "test"})

    with app.app_context():
        assert not queueing.is_reachable()


def test_queueing_on_a_frozen_redis_fails_soon(own_redis: RedisServer) -> None:
    queueing.enqueue("recsite.jobs.tasks.do_next")
    own_redis.freeze()

    started = time.monotonic()
    with pytest.raises(QueueUnavailable, match="nothing was queued"):
        queueing.enqueue("recsite.jobs.tasks.do_next")

    assert time.monotonic() - started < 2


def test_queueing_works_again_as_soon_as_redis_does(own_redis: RedisServer) -> None:
    own_redis.stop()
    with pytest.raises(QueueUnavailable, match="nothing was queued"):
        queueing.enqueue("recsite.jobs.tasks.do_next")

    own_redis.start()
    queueing.enqueue("recsite.jobs.tasks.do_next")

    assert queueing.queue.count == 1
