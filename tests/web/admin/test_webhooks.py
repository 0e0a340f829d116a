"""The admin page of webhooks."""

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.extensions import db
from recsite.jobs import webhooks as sending
from recsite.storage import webhooks
from recsite.storage.tables import AuditEntry, WebhookDelivery
from tests.jobs.receivers import KEY
from tests.processes.servers import RedisServer
from tests.web.clients import Client


@pytest.fixture
def delivery_id(app: Flask) -> int:
    """A delivery that has failed."""
    app.config.update(WEBHOOK_URL=("https://shop.example:8443/hooks/secret-part",), WEBHOOK_KEY=KEY)
    with db.engine.begin() as connection:
        webhooks.record(connection, "job.failed", kind="train", error="<b>too few</b>")
    claim = sending.claim_next()
    assert claim is not None
    sending.record_outcome(claim, sending.Outcome(410, "The answer was 410.", may_retry=False))
    return claim.id


def test_the_page_shows_the_deliveries_and_no_secret(admin: Client, delivery_id: int) -> None:
    page = admin.get("/admin/webhooks/").text

    for shown in ("shop.example:8443", "job.failed", "failed</span>", "The answer was 410.", "too few"):
        assert shown in page
    assert f'action="/admin/webhooks/{delivery_id}/send-again"' in page
    for secret in ("secret-part", KEY, "<b>"):
        assert secret not in page


def test_without_webhooks_the_page_says_how_to_begin(admin: Client) -> None:
    page = admin.get("/admin/webhooks/").text

    assert "WEBHOOK_URL" in page
    assert 'href="/admin/webhooks/"' in admin.get("/admin/").text


def test_the_button_queues_the_delivery_and_the_log_says_who(admin: Client, delivery_id: int) -> None:
    response = admin.post(f"/admin/webhooks/{delivery_id}/send-again", follow_redirects=True)

    assert "It is sent at once if a worker is free." in response.text
    assert db.session.get_one(WebhookDelivery, delivery_id).state == "waiting"
    assert db.session.scalars(sa.select(AuditEntry.by)).all() == ["alice"]
    assert "<strong>send again</strong> job.failed to shop.example:8443" in admin.get("/admin/audit/").text


def test_without_redis_the_delivery_waits_and_the_page_says_so(
    admin: Client, delivery_id: int, own_redis: RedisServer
) -> None:
    own_redis.stop()

    response = admin.post(f"/admin/webhooks/{delivery_id}/send-again", follow_redirects=True)

    assert "Redis does not answer; it is sent when it is back." in response.text
    assert db.session.get_one(WebhookDelivery, delivery_id).state == "waiting"


def test_a_delivery_that_is_gone_is_a_404(admin: Client) -> None:
    assert admin.post("/admin/webhooks/77/send-again").status_code == 404
