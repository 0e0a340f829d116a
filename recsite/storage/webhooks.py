"""The outbox of webhooks: events are rows of `webhook_deliveries`, which workers send (`jobs/webhooks.py`).

A row is added in the transaction of what it tells of, so that neither exists without the other.
"""

import hashlib
import json
import secrets
from typing import Any, Literal
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import current_app

from recsite.extensions import db
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import WebhookDelivery, now

Event = Literal["version.activated", "job.finished", "job.failed"]
KEPT = 1000
"Deliveries that are kept, the newest."


def record(connection: sa.Connection, event: Event, **facts: Any) -> None:
    """Add a delivery of this event for each address of WEBHOOK_URL, in the transaction of the connection.

    `facts` are JSON values without personal data: what is sent cannot be erased any more.
    """
    for url in current_app.config["WEBHOOK_URL"]:
        key = secrets.token_hex(16)
        body = {"event": event, "id": key, "time": now().isoformat(timespec="seconds"), **facts}
        columns = {"key": key, "event": event, "host": host_of(url), "target": target_of(url), "body": json.dumps(body)}
        connection.execute(sa.insert(WebhookDelivery).values(columns))
        remove_old(connection)


def remove_old(connection: sa.Connection) -> None:
    """Delete all but the newest KEPT deliveries."""
    newest_of_old = sa.select(WebhookDelivery.id).order_by(WebhookDelivery.id.desc()).offset(KEPT).limit(1)
    connection.execute(sa.delete(WebhookDelivery).where(WebhookDelivery.id <= newest_of_old.scalar_subquery()))


def target_of(url: str) -> str:
    """Return what a delivery keeps in place of its address."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def host_of(url: str) -> str:
    """Return host and port of an address."""
    return urlsplit(url).netloc


def is_due() -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions of a delivery that a worker may send now."""
    return WebhookDelivery.state == "waiting", WebhookDelivery.due_at <= now()


def count_due() -> int:
    """Return how many deliveries a worker may send now."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(WebhookDelivery).where(*is_due())).scalar_one()


def list_latest(page: int, per_page: int) -> Page[WebhookDelivery]:
    """Return a page of the deliveries, the newest first."""
    return paginate(sa.select(WebhookDelivery).order_by(WebhookDelivery.id.desc()), page, per_page)
