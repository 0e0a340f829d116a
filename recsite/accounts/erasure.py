"""Erasure of a user and everything stored about them, with a receipt that says what was removed and what was not."""

import secrets
from typing import Any

import sqlalchemy as sa

from recsite import movies, ratings, versions
from recsite.accounts import user_admin
from recsite.errors import NotFound
from recsite.extensions import db
from recsite.ratings import export_files
from recsite.ratings.importers import kept_files
from recsite.storage import audit, media
from recsite.storage.queries import run
from recsite.storage.tables import (
    CANCELLED_BY,
    Activation,
    ApiToken,
    AuditEntry,
    Dismissal,
    Erasure,
    FeedToken,
    HistoryImport,
    Rating,
    Run,
    Suggestion,
    User,
    now,
)

OWNED: dict[str, type[Any]] = {
    "ratings": Rating,
    "suggestions": Suggestion,
    "movies put aside": Dismissal,
    "API tokens": ApiToken,
    "imported histories": HistoryImport,
    "feeds": FeedToken,
}
"The tables of a user's own rows, by their name on the receipt; a new table of personal data needs a line here."
SIGNED: tuple[sa.Column[str], ...] = (
    Activation.__table__.c.activated_by,
    AuditEntry.__table__.c.by,
    Run.__table__.c.asked_by,
)
"Columns of the site's history that hold a user's name; erasure replaces the name and keeps the rows."
RATING_KEYS = {"movie", "movie_id", "stars", "rated"}
"Keys of audit entries that hold a rating of the user."
AT_ONCE_BYTES = 20 * 1024 * 1024
"The size of exported files up to which they are rewritten within the request; a worker rewrites larger ones."


def erase(user_id: int, by: str | None = None) -> Erasure:
    """Delete the user and everything stored about them in one transaction; the id is never reused.

    The site's history keeps a replacement of the name; the averages of the rated movies are recomputed. If an admin
    erases the user (`by`), the audit log records it. Call `clean_exports` afterwards.

    Raises:
        UserNotFound: no user has this id.
        InvalidInput: the user is the last admin who can log in.
    """
    # The admins are locked first: of two concurrent erasures, the second waits and then finds the last admin.
    is_admin = db.session.scalar(sa.select(User.is_admin).where(User.id == user_id))
    admin_ids = user_admin.lock_admins() if is_admin else ()
    ratings.count_change(user_id)
    user = db.session.get_one(User, user_id, populate_existing=True)
    if is_admin:
        user_admin.keep_an_admin(user, admin_ids)
    movie_ids = db.session.scalars(sa.select(Rating.movie_id).where(Rating.user_id == user_id)).all()
    removed = {name: run(sa.delete(table).where(table.user_id == user_id)).rowcount for name, table in OWNED.items()}
    replace_name(user.username, user_id)
    run(sa.delete(User).where(User.id == user_id))
    if by is not None:
        audit.record(by, "delete user", "user", user_id, f"deleted user {user_id}")
    movies.refresh_averages(movie_ids)
    receipt = {"removed": removed, "versions": versions.trained_on(user_id)}
    record = Erasure(user_id=user_id, receipt_key=secrets.token_urlsafe(32), receipt=receipt)
    db.session.add(record)
    db.session.commit()
    db.session.expunge(user)
    return record


def replace_name(name: str, user_id: int) -> None:
    """Write "deleted user 7" for the name in the site's history; entries about the user keep what the admin did."""
    replacement = f"deleted user {user_id}"
    for column in SIGNED:
        run(sa.update(column.table).where(column == name).values({column: replacement}))
    cancelled = sa.update(Run).where(Run.error == CANCELLED_BY.format(name))
    run(cancelled.values(error=CANCELLED_BY.format(replacement)))
    # By the id alone: a name may look like the id of another user.
    about = sa.select(AuditEntry).where(AuditEntry.kind == "user", AuditEntry.subject == str(user_id))
    for entry in db.session.scalars(about):
        entry.label = replacement
        entry.before = {key: entry.before[key] for key in entry.before.keys() - RATING_KEYS}


def is_quick() -> bool:
    """Return whether `clean_exports` is quick enough to run within a request."""
    return not media.is_shared() and export_files.size_of_users() <= AT_ONCE_BYTES


def clean_exports() -> list[str]:
    """Remove erased users from the files of exports and imports; return the names of the changed ones; idempotent.

    Raises:
        MediaUnavailable: the files below MEDIA_URL cannot be rewritten; the next export or erasure tries again.
    """
    waiting = sa.select(Erasure).where(Erasure.exports_cleaned_at.is_(None)).order_by(Erasure.id)
    if media.is_shared():
        # One host at a time rewrites the files; another one waits here for its commit.
        waiting = waiting.with_for_update()
    records = db.session.scalars(waiting).all()
    if not records:
        return []
    user_ids = {record.user_id for record in records}
    files = export_files.remove_users(user_ids) + kept_files.remove_users(user_ids)
    for record in records:
        record.exports_cleaned_at = now()
    db.session.commit()
    return files


def is_erased(user_id: int) -> bool:
    """Return whether there was a user with this id who was deleted."""
    return bool(db.session.scalar(sa.select(sa.exists().where(Erasure.user_id == user_id))))


def find(receipt_key: str) -> Erasure:
    """Return the erasure with this receipt key, or raise NotFound."""
    query = sa.select(Erasure).where(Erasure.receipt_key == receipt_key)
    # A text that cannot be a key may contain a NUL, which PostgreSQL refuses.
    record: Erasure | None = db.session.scalar(query) if receipt_key.isascii() and receipt_key.isprintable() else None
    if record is None:
        raise NotFound("Receipt not found")
    return record


def receipt_lines(record: Erasure) -> list[str]:
    """Return the receipt as sentences, for a page, a text file and a terminal."""
    receipt: dict[str, Any] = record.receipt
    counted = ", ".join(f"{name} ({number:,})" for name, number in receipt["removed"].items())
    lines = [
        f"On {record.erased_at:%Y-%m-%d %H:%M} UTC the account with the number {record.user_id} was deleted.",
        f"Removed from the database: the account with its name, e-mail address and password; {counted}.",
        "The averages of the movies that were rated leave these ratings out.",
        "Prepared lists in the cache cannot be reached any more and go away by themselves.",
    ]
    if record.exports_cleaned_at:
        lines.append("Earlier exports of ratings and suggestions on the server have no row of this account.")
    else:
        lines.append(
            "Earlier exports on the server are being rewritten without this account's ratings and suggestions."
        )
    return [*lines, line_of_versions(receipt["versions"])]


def line_of_versions(names: list[str]) -> str:
    """Return a sentence that says what the files of these versions still contain."""
    if not names:
        return "No model version on the server was trained with these ratings."
    return (
        f"Trained with these ratings: {', '.join(names)}. A version holds no ratings, but the number of the account "
        "and figures worked out from its ratings (a vector of its taste), until the version is removed. "
        "The next training leaves them out."
    )
