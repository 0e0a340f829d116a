"""Two hosts with a folder each, one database and one bucket: what a worker trains on one, both serve."""

import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from recsite import jobs, versions
from recsite.extensions import db
from recsite.storage.tables import Run
from tests.conftest import TrainedWorld
from tests.processes.servers import RedisServer, running_command, running_site, wait_until
from tests.storage.buckets import Bucket
from tests.web.apps import make_app
from tests.web.clients import Client

FOLLOWED_WITHIN_SECONDS = 2.0


def served_by(address: str) -> str | None:
    """Return the version with which this site answers."""
    with urllib.request.urlopen(f"{address}/api/suggestions?user_id=1", timeout=10) as response:
        name: str | None = response.headers["X-Model-Version"]
        return name


def train_in_the_worker(**parameters: Any) -> str:
    """Let the worker train one more version; return its name."""
    before = versions.names()
    run_id = jobs.start("train", "the tests", factors=2, epochs=3, folds=2, seed=len(before), **parameters)
    wait_until(lambda: current(run_id).state not in ("queued", "running"), within_seconds=60)
    assert current(run_id).state == "finished", current(run_id).error
    (name,) = versions.names() - before
    return name


def current(run_id: int) -> Run:
    """Return the run as it is now."""
    db.session.rollback()
    return jobs.find(run_id)


def seconds_until_served(addresses: list[str], name: str) -> float:
    """Return the seconds from now until every site answers with this version."""
    started = time.monotonic()
    wait_until(lambda: all(served_by(address) == name for address in addresses), within_seconds=20)
    return time.monotonic() - started


@pytest.mark.slow
def test_what_one_host_trains_the_other_one_serves(
    app: Flask, admin: Client, trained: TrainedWorld, bucket: Bucket, redis_server: RedisServer, tmp_path: Path
) -> None:
    app.config["MEDIA_URL"] = bucket.url
    versions.activate(trained.version_name, "the tests")
    other = make_app(app.config["DATABASE_URL"], redis_server, tmp_path / "other", MEDIA_URL=bucket.url)
    with (
        running_site(app, workers=1) as here,
        running_site(other, workers=1) as there,
        running_command(other, "worker"),
    ):
        assert seconds_until_served([here, there], trained.version_name) < 10

        new = train_in_the_worker()
        assert not (versions.folder() / new).exists()
        # This host fetches the files within the request.
        admin.post("/admin/models/activate", data={"version_name": new, "confirmed": "on", "reason": "a test"})
        by_web = seconds_until_served([here, there], new)

        # The worker activates, so the web process here fetches the files while it answers.
        newest = train_in_the_worker(auto_activate=True)
        started = time.monotonic()
        wait_until(lambda: bool(served_by(here)) and (versions.folder() / newest).exists(), within_seconds=20)
        fetched = time.monotonic() - started
        by_worker = seconds_until_served([here], newest)

    # Shown by `pytest -s`.
    print(f"Served {by_web:.2f} s after an activation here. After one on the other host, ", end="")  # noqa: T201
    print(f"fetched within {fetched:.2f} s and served {by_worker:.2f} s later.")  # noqa: T201
    assert max(by_web, by_worker) < FOLLOWED_WITHIN_SECONDS
    assert (versions.folder() / "latest.pkl").resolve() == versions.folder() / f"{newest}.pkl"
