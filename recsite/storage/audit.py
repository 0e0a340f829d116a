"""The audit log: what admins changed, when, from which value to which, and why."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import AuditEntry

LONGEST_LABEL = 500
LONGEST_NAME = 150

KINDS = ("movie", "user", "version", "queue", "token", "webhook", "import")
"What can be changed."


def record(
    by: str,
    action: str,
    kind: str,
    subject: str | int,
    label: str = "",
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Add a change to the log, in the transaction of the caller.

    `before` and `after` are stored as JSON, without the keys that have the same value in both.
    """
    before, after = before or {}, after or {}
    db.session.add(
        AuditEntry(
            by=by[:LONGEST_NAME],
            action=action,
            kind=kind,
            subject=str(subject),
            label=(label or str(subject))[:LONGEST_LABEL],
            before={key: value for key, value in before.items() if key not in after or after[key] != value},
            after={key: value for key, value in after.items() if key not in before or before[key] != value},
            reason=reason,
        )
    )


def entries(
    page: int, per_page: int, *, by: str | None = None, kind: str | None = None, subject: str | None = None
) -> Page[AuditEntry]:
    """Return a page of the log, the newest entries first; optionally only those by one admin or about one thing."""
    found = sa.select(AuditEntry)
    for column, wanted in ((AuditEntry.by, by), (AuditEntry.kind, kind), (AuditEntry.subject, subject)):
        if wanted:
            found = found.where(column == wanted)
    return paginate(found.order_by(AuditEntry.id.desc()), page, per_page)


def latest(limit: int) -> Sequence[AuditEntry]:
    """Return the last changes, the newest first."""
    return db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)).all()


def authors() -> list[str]:
    """Return the names of all admins who changed something, in alphabetical order."""
    return sorted(db.session.scalars(sa.select(AuditEntry.by).distinct()))
