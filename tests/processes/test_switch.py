"""Activating a version under load: real web workers, no failed request, no response that mixes versions."""

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import pytest
from flask import Flask

from recsite import suggestions, versions
from recsite.versions import training
from recsite.versions.active import recommender
from tests.conftest import TrainedWorld
from tests.processes.servers import running_site, wait_until

FOLLOWED_WITHIN_SECONDS = 2.0
READS_AFTER = 5
"Responses that every reader gets after the deadline of a switch, before the next one."
PATH = "/api/suggestions/?user_id=2&include=value&precision=full"


class Reader(threading.Thread):
    """A client that reads one list again and again, and records each response."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.host = urlsplit(address).netloc
        self.seen: list[tuple[float, float, int, str | None, str]] = []
        "Times of request and response, status, version and body."
        self.is_over = False

    def run(self) -> None:
        """Read until `is_over`; record a broken connection as status 0."""
        while not self.is_over:
            connection = http.client.HTTPConnection(self.host, timeout=10)
            sent_at = time.monotonic()
            try:
                connection.request("GET", PATH)
                response = connection.getresponse()
                body, status, version = response.read().decode(), response.status, response.headers["X-Model-Version"]
            except OSError as error:
                body, status, version = str(error), 0, None
            finally:
                connection.close()
            self.seen.append((sent_at, time.monotonic(), status, version, body))


def wait_for_reads(readers: list[Reader], since: float) -> None:
    """Return when every reader has `READS_AFTER` responses to requests that it sent after this time."""
    wait_until(
        lambda: all(sum(sent_at > since for sent_at, *_ in reader.seen) >= READS_AFTER for reader in readers),
        within_seconds=60,
    )


def values_by(version_name: str) -> list[dict[str, object]]:
    """Return the list of this version, computed in this process."""
    versions.activate(version_name, "the tests")
    suggestions.rescore([2])
    loaded = recommender.current()
    assert loaded is not None
    assert loaded.version_name == version_name
    return [{"id": item.movie_id, "value": item.value} for item in suggestions.best_for(2).items]


@pytest.mark.slow
def test_a_switch_under_load_fails_no_request_and_mixes_no_versions(app: Flask, trained: TrainedWorld) -> None:
    other = training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=5)).version_name
    expected = {name: values_by(name) for name in (other, trained.version_name)}
    # Four readers without a pause are more than one address may ask for.
    app.config["API_READS_PER_MINUTE"] = 0

    with running_site(app) as address:
        readers = [Reader(address) for _ in range(4)]
        for reader in readers:
            reader.start()
        settled = []
        for name in (other, trained.version_name, other):
            wait_for_reads(readers, time.monotonic())
            versions.activate(name, "the tests")
            deadline = time.monotonic() + FOLLOWED_WITHIN_SECONDS
            wait_for_reads(readers, deadline)
            settled.append((deadline, time.monotonic(), name))
        for reader in readers:
            reader.is_over = True
            reader.join()

    seen = sorted(each for reader in readers for each in reader.seen)
    assert {status for _, _, status, _, _ in seen} == {200}
    for _, _, _, version, body in seen:
        items = [{"id": item["id"], "value": item["value"]} for item in json.loads(body)["suggestions"]]
        assert items == [
            {"id": wanted["id"], "value": pytest.approx(wanted["value"], abs=1e-9)}
            for wanted in expected[version or ""]
        ]
    for begin, end, name in settled:
        assert {v for sent_at, ended_at, _, v, _ in seen if begin < sent_at and ended_at < end} == {name}
