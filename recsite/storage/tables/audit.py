"""The audit log."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from recsite.extensions import db

from .columns import UTCDateTime, now


class AuditEntry(db.Model):  # type: ignore[name-defined,misc]
    """One change by an admin. Its subject may be deleted later, so there are no foreign keys."""

    __tablename__ = "audit_entries"
    __table_args__ = (sa.Index("ix_audit_entries_kind_subject", "kind", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    by: Mapped[str] = mapped_column(sa.String(150))
    action: Mapped[str] = mapped_column(sa.String(50))
    "What was done, such as 'hide movie'."
    kind: Mapped[str] = mapped_column(sa.String(20))
    "Kind of the subject, one of `audit.KINDS`."
    subject: Mapped[str] = mapped_column(sa.String(150))
    "Id or name of the subject."
    label: Mapped[str] = mapped_column(sa.String(500))
    "Name of the subject for people, at the time of the change."
    before: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    reason: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
