"""Webhooks: which events are told, what is in them, and how they are signed."""

import hashlib
import hmac

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import jobs, versions
from recsite.errors import UntrustedVersion
from recsite.extensions import db
from recsite.jobs import tasks, webhooks
from recsite.storage import webhooks as outbox
from tests.conftest import TrainedWorld
from tests.jobs.blocks_at_work import fail_blocks, finish_run
from tests.jobs.receivers import KEY, Receiver, deliveries, record

both_databases = pytest.mark.both_databases


@both_databases
def test_a_finished_job_is_told_with_what_came_of_it(receiver: Receiver) -> None:
    run_id = jobs.start("averages", "alice")
    tasks.do_next("a-job")

    tasks.do_next("another-job")

    (received,) = receiver.received
    assert received.path == "/hooks?token=secret-part"
    assert received.json | {"id": "", "time": ""} == {
        "event": "job.finished",
        "id": "",
        "time": "",
        "job_id": run_id,
        "kind": "averages",
        "done": 0,
        "total": 0,
        "outcome": "nothing had changed",
        "error": "",
    }
    (delivery,) = deliveries()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 204)
    assert delivery.key == received.json["id"]
    assert delivery.ended_at is not None


def test_a_failed_job_is_told_with_its_error(receiver: Receiver) -> None:
    fail_blocks(jobs.start("train", "alice"), 0, error="too few ratings")

    webhooks.send_next()

    (received,) = receiver.received
    assert (received.json["event"], received.json["kind"], received.json["error"]) == (
        "job.failed",
        "train",
        "too few ratings",
    )


def test_a_cancelled_job_is_not_told(receiver: Receiver) -> None:
    jobs.cancel(jobs.start("train", "alice"), "alice")

    assert deliveries() == []


@both_databases
def test_an_activated_version_is_told_without_who_and_why(trained: TrainedWorld, receiver: Receiver) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE model_versions SET is_active = false"))

    versions.activate(trained.version_name, "alice", "because bob asked")

    webhooks.send_next()
    (received,) = receiver.received
    told = {key: value for key, value in received.json.items() if key not in ("id", "time")}
    assert told == {
        "event": "version.activated",
        "version": trained.version_name,
        "previous": None,
        "is_rollback": False,
    }


def test_an_activation_that_is_undone_is_not_told(
    trained: TrainedWorld, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE model_versions SET is_active = false"))

    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("recsite.versions.registry.point_latest_at", fail)

    with pytest.raises(UntrustedVersion, match="Read-only file system"):
        versions.activate(trained.version_name, "alice")

    assert deliveries() == []


def test_the_signature_is_the_hmac_of_the_body(receiver: Receiver) -> None:
    record()

    webhooks.send_next()

    (received,) = receiver.received
    expected = hmac.new(KEY.encode(), received.body, hashlib.sha256).hexdigest()
    assert received.headers["x-recsite-signature"] == f"sha256={expected}"
    assert received.headers["content-type"] == "application/json"


def test_each_address_gets_a_delivery_of_its_own(app: Flask, receiver: Receiver) -> None:
    app.config["WEBHOOK_URL"] = (receiver.url, receiver.url.replace("/hooks", "/others"))
    record()

    while webhooks.send_next():
        pass

    assert [each.path for each in receiver.received] == ["/hooks?token=secret-part", "/others?token=secret-part"]
    assert len({each.json["id"] for each in receiver.received}) == 2


def test_without_an_address_nothing_is_kept(app: Flask) -> None:
    finish_run(jobs.start("averages", "alice"))

    assert deliveries() == []


@both_databases
def test_only_the_newest_deliveries_are_kept(app: Flask, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "KEPT", 3)
    for _ in range(5):
        record()

    kept = [delivery.id for delivery in deliveries()]

    assert len(kept) == 3
    assert kept == sorted(kept)
    record()
    assert [delivery.id for delivery in deliveries()][:2] == kept[1:]
