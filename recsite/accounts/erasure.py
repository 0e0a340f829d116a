"""Deleting a user with everything that follows, and a receipt that says what was removed and what was not."""

import secrets
from typing import Any

import sqlalchemy as sa

from recsite import movies, ratings, versions
from recsite.accounts import user_admin
from recsite.errors import NotFound
from recsite.extensions import db
from recsite.ratings import exports
from recsite.storage import audit
from recsite.storage.queries import run
from recsite.storage.tables import (
    Activation,
    ApiToken,
    AuditEntry,
    Dismissal,
    Erasure,
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
}
"What belongs to a user, by its name on the receipt; a new table of users' own data gets its line here."
SIGNED: tuple[sa.Column[str], ...] = (
    Activation.__table__.c.activated_by,
    AuditEntry.__table__.c.by,
    Run.__table__.c.asked_by,
)
"The site's own history stays, without the name of who made it."
AT_ONCE_BYTES = 20 * 1024 * 1024
"So much of exported files is rewritten while somebody waits; more is left to a worker."


def erase(user_id: int, by: str | None = None) -> Erasure:
    """Nothing of the user is left in the database but the id, which is never given again; one transaction.

    1. Lock the admins, if it is one, and then the user; refuse the last admin.
    2. Count and delete what the user owns, and the user.
    3. Take the name out of the site's history.
    4. Refresh the averages of the movies that the user rated.

    With `by`, who is not the user, the deletion is in the log of what admins changed, too. The files of earlier exports
    are left to `clean_exports`. Raises UserNotFound, InvalidInput.
    """
    # The admins first, for of two who leave at once the second waits here, and then is the last.
    is_admin = db.session.scalar(sa.select(User.is_admin).where(User.id == user_id))
    admin_ids = user_admin.lock_admins() if is_admin else ()
    ratings.count_change(user_id)
    user = db.session.get_one(User, user_id, populate_existing=True)
    if is_admin:
        user_admin.keep_an_admin(user, admin_ids)
    movie_ids = db.session.scalars(sa.select(Rating.movie_id).where(Rating.user_id == user_id)).all()
    removed = {name: run(sa.delete(table).where(table.user_id == user_id)).rowcount for name, table in OWNED.items()}
    take_name_away(user.username, user_id)
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


def take_name_away(name: str, user_id: int) -> None:
    """Wherever the user signed something, and where an admin wrote about the user, a number stands for the name."""
    nobody = f"deleted user {user_id}"
    for column in SIGNED:
        run(sa.update(column.table).where(column == name).values({column: nobody}))
    about = sa.update(AuditEntry).where(AuditEntry.kind == "user", AuditEntry.subject.in_((str(user_id), name)))
    run(about.values(subject=str(user_id), label=nobody, before={}, after={}))


def is_quick() -> bool:
    """Whether the files of earlier exports are rewritten soon enough for somebody who waits."""
    return exports.size_of_ratings() <= AT_ONCE_BYTES


def clean_exports() -> list[str]:
    """No file of an earlier export has a rating of an erased user; returns the names of the files that had.

    Again it leaves the same, and finds nothing to do.
    """
    waiting = sa.select(Erasure).where(Erasure.exports_cleaned_at.is_(None)).order_by(Erasure.id)
    records = db.session.scalars(waiting).all()
    if not records:
        return []
    files = exports.remove_users({record.user_id for record in records})
    for record in records:
        record.exports_cleaned_at = now()
    db.session.commit()
    return files


def find(receipt_key: str) -> Erasure:
    """The erasure that has this receipt; raises NotFound."""
    query = sa.select(Erasure).where(Erasure.receipt_key == receipt_key)
    # What cannot be a key may hold what makes a database fail, such as a NUL.
    record: Erasure | None = db.session.scalar(query) if receipt_key.isascii() and receipt_key.isprintable() else None
    if record is None:
        raise NotFound("Receipt not found")
    return record


def receipt_lines(record: Erasure) -> list[str]:
    """The receipt in sentences, for a page, a text and a terminal."""
    receipt: dict[str, Any] = record.receipt
    counted = ", ".join(f"{name} ({number:,})" for name, number in receipt["removed"].items())
    lines = [
        f"On {record.erased_at:%Y-%m-%d %H:%M} UTC the account with the number {record.user_id} was deleted.",
        f"Removed from the database: the account with its name, e-mail address and password; {counted}.",
        "The averages of the movies that were rated leave these ratings out.",
        "Prepared lists in the cache cannot be reached any more and go away by themselves.",
    ]
    if record.exports_cleaned_at:
        lines.append("Earlier exports of ratings on the server have no line of this account.")
    else:
        lines.append("Earlier exports of ratings on the server are being rewritten without this account's lines.")
    return [*lines, line_of_versions(receipt["versions"])]


def line_of_versions(names: list[str]) -> str:
    """What the model files still hold, said plainly."""
    if not names:
        return "No model version on the server was trained with these ratings."
    return (
        f"Trained with these ratings: {', '.join(names)}. A version holds no ratings, but the number of the account "
        "and figures worked out from its ratings (a vector of its taste), until the version is removed. "
        "The next training leaves them out."
    )
