"""Worker processes that send webhooks: at the end of a job, and killed in between."""

import os
import signal
from datetime import timedelta

import sqlalchemy as sa
from flask import Flask

from recsite.accounts import site_tokens
from recsite.extensions import db
from recsite.jobs import runs
from recsite.storage import webhooks
from recsite.storage.tables import WebhookDelivery, now
from tests.conftest import TrainedWorld
from tests.jobs.receivers import KEY, running_receiver
from tests.processes.servers import running_command, wait_until
from tests.web.clients import Client


def test_a_delivery_whose_worker_is_killed_arrives_again_with_the_same_id(app: Flask) -> None:
    with running_receiver() as receiver:
        app.config.update(WEBHOOK_URL=(receiver.url,), WEBHOOK_KEY=KEY)
        receiver.may_answer.clear()
        with db.engine.begin() as connection:
            webhooks.record(connection, "job.finished", kind="train")
        with running_command(app, "worker") as worker:
            runs.enqueue_due()
            wait_until(lambda: len(receiver.received) == 1, within_seconds=30)
            # The child that waits for the answer dies with the worker.
            os.kill(worker.pid, signal.SIGKILL)
        # The lease ends.
        db.session.execute(sa.update(WebhookDelivery).values(due_at=now() - timedelta(seconds=1)))
        db.session.commit()
        receiver.may_answer.set()

        with running_command(app, "worker"):
            wait_until(lambda: len(receiver.received) == 2, within_seconds=30)
            first, second = receiver.received
            wait_until(lambda: state_of_delivery() == ("delivered", 2), within_seconds=30)

    assert first.json["id"] == second.json["id"]
    assert first.headers["x-recsite-signature"] == second.headers["x-recsite-signature"]


def test_a_training_started_over_the_api_is_told_of_when_it_ends(
    app: Flask, client: Client, trained: TrainedWorld
) -> None:
    token = site_tokens.create("the shop", ["jobs:write"], None, "the tests")
    with running_receiver() as receiver:
        app.config.update(WEBHOOK_URL=(receiver.url,), WEBHOOK_KEY=KEY)
        response = client.post(
            "/api/jobs", json={"kind": "train", "activate": True}, headers={"Authorization": f"Bearer {token}"}
        )

        with running_command(app, "worker"):
            # Everybody is scored with the new version.
            wait_until(lambda: len(receiver.received) >= 3, within_seconds=60)

    told = {(each.json["event"], each.json.get("kind")): each.json for each in receiver.received}
    assert told.keys() == {("version.activated", None), ("job.finished", "train"), ("job.finished", "score")}
    assert told["job.finished", "train"]["job_id"] == response.json["id"]
    assert told["version.activated", None]["previous"] == trained.version_name
    name = told["version.activated", None]["version"]
    assert told["job.finished", "train"]["outcome"] == f"{name}, active"


def state_of_delivery() -> tuple[str, int]:
    """Read state and attempts of the only delivery."""
    db.session.rollback()
    delivery = db.session.scalars(sa.select(WebhookDelivery), execution_options={"populate_existing": True}).one()
    return delivery.state, delivery.attempts
