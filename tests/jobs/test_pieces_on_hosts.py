"""A training whose pieces the workers of two hosts share; the arrays pass through MEDIA_URL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from recsite import jobs, versions
from recsite.errors import MediaUnavailable, TrainingGone
from recsite.extensions import db
from recsite.jobs import tasks
from tests.conftest import TrainedWorld
from tests.jobs.blocks_at_work import claim_block, claim_next, start_training
from tests.processes.servers import RedisServer
from tests.storage.buckets import Bucket
from tests.web.apps import make_app

PIECES = 5


@pytest.fixture
def host(app: Flask, trained: TrainedWorld, bucket: Bucket) -> Flask:
    app.config["MEDIA_URL"] = bucket.url
    return app


@pytest.fixture
def other(host: Flask, bucket: Bucket, database_url: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[Flask]:
    """Another host: the same database and bucket, and nothing in its own folder."""
    app = make_app(database_url, redis_server, tmp_path / "other", MEDIA_URL=bucket.url)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def test_two_hosts_share_the_pieces_of_a_training(host: Flask, other: Flask, bucket: Bucket) -> None:
    with host.app_context():
        run_id = start_training(factors=3, epochs=10, folds=2, seed=5)
    for number in range(PIECES):
        with (host if number % 2 else other).app_context():
            tasks.do(claim_next(f"job-{number}"))
    # The first host makes the version, of results that the other one has put into the bucket.
    with host.app_context():
        tasks.do(claim_next("last"))
        run = jobs.find(run_id)
        assert (run.state, run.error) == ("finished", "")
        version = versions.list_versions()[0]
        assert run.outcome == f"{version.version_name}, not activated"
    assert not [name for name in bucket.names() if "ml/training" in name]
    assert [name for name in bucket.names() if version.version_name in name]


def test_a_piece_waits_for_a_bucket_that_does_not_answer(host: Flask, other: Flask, bucket: Bucket) -> None:
    with host.app_context():
        start_training(factors=3, epochs=10, folds=2, seed=5)
    bucket.stop()
    with other.app_context(), pytest.raises(MediaUnavailable) as raised:
        tasks.do(claim_next("job"))
    assert tasks.is_temporary(raised.value)


def test_arrays_that_were_not_uploaded_whole_are_not_used(host: Flask, other: Flask, bucket: Bucket) -> None:
    with host.app_context():
        run_id = start_training(factors=3, epochs=10, folds=2, seed=5)
        (facts,) = (name for name in bucket.names() if name.endswith(f"run-{run_id}/data/facts.json"))
    bucket.driver.rm(f"{bucket.folder}/{facts}")
    with other.app_context(), pytest.raises(TrainingGone):
        tasks.do(claim_block(run_id, 1))
