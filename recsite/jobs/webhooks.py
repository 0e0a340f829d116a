"""Sending of webhooks: a worker claims a due delivery, posts it once, and records the answer or the next attempt.

The rows are the truth, and RQ jobs carry them as they carry the blocks of runs: any job sends any delivery.
"""

import contextlib
import hashlib
import hmac
import logging
import socket
import threading
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import current_app

from recsite.config import VERSION
from recsite.errors import NotFound, QueueUnavailable
from recsite.extensions import db
from recsite.jobs import runs
from recsite.storage import audit
from recsite.storage.tables import WebhookDelivery, now
from recsite.storage.webhooks import is_due, target_of

TIMEOUT_SECONDS = 10.0
"Of each wait for the receiver."
LONGEST_SECONDS = 20.0
"Of a whole attempt: a receiver that answers byte by byte is cut off."
LEASE = timedelta(seconds=60)
"A delivery whose worker has not said how it ended for this long is sent again."
RETRY_DELAYS = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
)
"Before the second attempt, the third, …; after the last one the delivery has failed."
GONE = "WEBHOOK_URL has no such address any more."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A delivery that one worker may send until its lease expires."""

    id: int
    key: str
    host: str
    target: str
    body: str
    attempts: int

    @property
    def delivery(self) -> tuple[sa.ColumnElement[bool], ...]:
        """The conditions of the delivery, as long as nobody else claims it."""
        is_same = WebhookDelivery.id == self.id, WebhookDelivery.attempts == self.attempts
        return *is_same, WebhookDelivery.state == "waiting"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    status: int | None
    error: str = ""
    "'' when the receiver took the delivery."
    may_retry: bool = True


def send_next() -> bool:
    """Send the oldest due delivery once; return False if there is none.

    1. Claim it: until the lease ends it is not due again, so a delivery survives the death of its worker.
    2. Post it. The same delivery has the same `id` each time, by which a receiver finds repetitions.
    3. Record that it is delivered, when it is due again, or that it has failed.
    """
    claim = claim_next()
    if claim is None:
        return False
    outcome = send(claim)
    log.info("webhook %s to %s, attempt %d: %s", claim.key, claim.host, claim.attempts, outcome.error or outcome.status)
    record_outcome(claim, outcome)
    return True


def claim_next() -> Claim | None:
    """Claim the oldest due delivery; return None if none is due."""
    names = ("id", "key", "host", "target", "body", "attempts")
    columns = [WebhookDelivery.__table__.c[name] for name in names]
    oldest = sa.select(*columns).where(*is_due()).order_by(WebhookDelivery.id).limit(1)
    while True:
        with db.engine.connect() as connection:
            row = connection.execute(oldest).first()
        if row is None:
            return None
        is_unclaimed = WebhookDelivery.id == row.id, WebhookDelivery.attempts == row.attempts, *is_due()
        claimed = {"attempts": row.attempts + 1, "due_at": now() + LEASE}
        with db.engine.begin() as connection:
            if connection.execute(sa.update(WebhookDelivery).where(*is_unclaimed).values(claimed)).rowcount == 1:
                return Claim(**{**row._mapping, "attempts": row.attempts + 1})
        # Another worker claimed this delivery.


def send(claim: Claim) -> Outcome:
    """Post the delivery once and return how that ended; redirects are not followed."""
    urls = {target_of(url): url for url in current_app.config["WEBHOOK_URL"]}
    if claim.target not in urls:
        return Outcome(None, GONE, may_retry=False)
    body = claim.body.encode()
    try:
        status = post(urls[claim.target], body, headers_of(body))
    except (OSError, HTTPException) as error:
        return Outcome(None, f"{type(error).__name__}: {error}"[:500])
    if 200 <= status < 300:
        return Outcome(status)
    is_redirect = 300 <= status < 400
    return Outcome(status, f"The answer was {status}{'; redirects are not followed' if is_redirect else ''}.")


def headers_of(body: bytes) -> dict[str, str]:
    """Return the headers of a delivery with this body, one of which signs it with WEBHOOK_KEY."""
    signature = hmac.new(current_app.config["WEBHOOK_KEY"].encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": f"recsite/{VERSION}",
        "X-Recsite-Signature": f"sha256={signature}",
        "Connection": "close",
    }


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Return the status that this address answers to a POST; its body is not read.

    Raises:
        OSError: there is no connection, or it takes too long.
        HTTPException: the answer is no HTTP, or is cut off.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    timer = threading.Timer(LONGEST_SECONDS, cut_off, [connection])
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", body, headers)
        return connection.getresponse().status
    finally:
        timer.cancel()
        connection.close()


def cut_off(connection: HTTPConnection) -> None:
    """End all waits of another thread for this connection."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def record_outcome(claim: Claim, outcome: Outcome) -> None:
    """Record how the attempt ended; a claim that no longer holds changes nothing."""
    columns: dict[str, Any] = {"last_status": outcome.status, "last_error": outcome.error}
    if not outcome.error:
        columns |= {"state": "delivered", "ended_at": now()}
    elif outcome.may_retry and claim.attempts <= len(RETRY_DELAYS):
        columns |= {"due_at": now() + RETRY_DELAYS[claim.attempts - 1]}
    else:
        columns |= {"state": "failed", "ended_at": now()}
    with db.engine.begin() as connection:
        connection.execute(sa.update(WebhookDelivery).where(*claim.delivery).values(columns))


def send_again(delivery_id: int, by: str) -> str:
    """Let a worker send the delivery anew, with all its attempts; return a sentence that says when.

    Raises:
        NotFound: no delivery has this id.
    """
    delivery = db.session.get(WebhookDelivery, delivery_id)
    if delivery is None:
        raise NotFound("Delivery not found")
    # The attempts are counted anew, so a worker that sends it at this moment usually loses its claim.
    delivery.state, delivery.attempts, delivery.due_at, delivery.ended_at = "waiting", 0, now(), None
    audit.record(by, "send again", "webhook", delivery_id, f"{delivery.event} to {delivery.host}")
    db.session.commit()
    try:
        runs.enqueue_due()
    except QueueUnavailable:
        return "Redis does not answer; it is sent when it is back."
    return "It is sent at once if a worker is free."
