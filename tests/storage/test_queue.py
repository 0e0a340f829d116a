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
from tests.processes import work
from tests.processes.servers import RedisServer, find_free_port


def test_a_job_is_kept_as_json_and_never_as_a_pickle(app: Flask) -> None:
    job = queueing.enqueue(work.add_line, "somewhere")

    kept = queueing.connection.hget(job.key, "data")

    assert json.loads(zlib.decompress(kept)) == ["tests.processes.work.add_line", None, ["somewhere"], {}]


def test_arguments_that_json_cannot_hold_are_refused_at_once(app: Flask) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        queueing.enqueue(work.add_line, Path("somewhere"))

    assert queueing.queue.count == 0


def test_a_job_id_names_one_run(app: Flask) -> None:
    first = queueing.enqueue(work.add_line, "first", job_id="train-1")
    second = queueing.enqueue(work.add_line, "second", job_id="train-1")

    assert queueing.queue.count == 1
    assert list(second.args) == list(first.args) == ["first"]


def test_nothing_is_asked_of_redis_before_there_is_something_to_ask(migrated_sqlite: Path) -> None:
    nowhere = f"redis://127.0.0.1:{find_free_port()}/0"

    app = create_app({"DATABASE_URL": f"sqlite:///{migrated_sqlite}", "REDIS_URL": nowhere, "SECRET_KEY": "test"})

    with app.app_context():
        assert not queueing.is_reachable()


def test_queueing_on_a_frozen_redis_fails_soon(own_redis: RedisServer) -> None:
    queueing.enqueue(work.fail)
    own_redis.freeze()

    started = time.monotonic()
    with pytest.raises(QueueUnavailable, match="nothing was queued"):
        queueing.enqueue(work.fail)

    assert time.monotonic() - started < 2


def test_queueing_works_again_as_soon_as_redis_does(own_redis: RedisServer) -> None:
    own_redis.stop()
    with pytest.raises(QueueUnavailable, match="nothing was queued"):
        queueing.enqueue(work.fail)

    own_redis.start()
    queueing.enqueue(work.fail)

    assert queueing.queue.count == 1
