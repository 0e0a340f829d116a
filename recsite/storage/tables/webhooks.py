"""Deliveries of webhooks."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from recsite.extensions import db

from .columns import UTCDateTime, now


class WebhookDelivery(db.Model):  # type: ignore[name-defined,misc]
    """An event for one address of WEBHOOK_URL. The row exists until the newest thousand have pushed it out."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
        # The button of an old page must never send a newer delivery with a reused id.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(32), unique=True)
    "The `id` in the body. It stays the same each time the event is sent."
    event: Mapped[str] = mapped_column(sa.String(30))
    host: Mapped[str] = mapped_column(sa.String(255))
    "Of the address, for people; the rest of an address may be secret."
    target: Mapped[str] = mapped_column(sa.String(16))
    "The beginning of the SHA-256 of the address, by which it is found in WEBHOOK_URL."
    body: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(10), default="waiting")
    "'waiting', 'delivered' or 'failed'."
    attempts: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    due_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    "A waiting delivery is not sent before this time."
    last_status: Mapped[int | None]
    "The HTTP status of the last attempt; NULL without an answer."
    last_error: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "When it was delivered or given up."
