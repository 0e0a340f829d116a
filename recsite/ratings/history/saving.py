"""Saving of an import's rows as ratings, and its undoing."""

from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ratings.history.imports import WITH_RATINGS, find_import, rows_table
from recsite.ratings.writing import RatingChange, write_ratings
from recsite.storage.tables import HistoryImport, now

MARK_SAVED = (
    sa.update(rows_table)
    .where(rows_table.c.import_id == sa.bindparam("import"), rows_table.c.movie_id == sa.bindparam("movie"))
    .values(
        is_saved=True,
        timestamp=sa.bindparam("at"),
        former_value=sa.bindparam("former"),
        former_timestamp=sa.bindparam("former_at"),
    )
)


def save(user_id: int, import_id: int, *, replace: bool) -> HistoryImport:
    """Save the import's rows as ratings, all or none; with `replace` also where the user's value differs.

    Keeps the rating that each row replaces, for `undo`. Saving again changes nothing. Does not commit.

    Raises:
        NotFound: this user has no import with this id.
        UserNotFound: no user has this id.
    """
    with write_ratings(user_id) as changes:
        found = find_import(user_id, import_id)
        if found.state != "waiting":
            db.session.rollback()
            return find_import(user_id, import_id)
        rows = rows_with_ratings(found)
        at = now()
        chosen = [row for row in rows if row.current_value is None or (replace and row.current_value != row.value)]
        changes += [RatingChange(row.movie_id, row.value, row.timestamp or at) for row in chosen]
        if chosen:
            former = [{"former": row.current_value, "former_at": row.current_timestamp} for row in chosen]
            marks = [
                {"import": found.id, "movie": change.movie_id, "at": change.timestamp, **each}
                for change, each in zip(changes, former, strict=True)
            ]
            db.session.connection().execute(MARK_SAVED, marks)
        found.state, found.saved_at = "saved", at
        found.report = found.report | count_rows(rows) | {"replaced": replace}
    return found


def undo(user_id: int, import_id: int) -> HistoryImport:
    """Restore replaced ratings and delete added ones, except where the user changed them since.

    Undoing again changes nothing. Does not commit.

    Raises:
        NotFound: this user has no import with this id.
        UserNotFound: no user has this id.
    """
    with write_ratings(user_id) as changes:
        found = find_import(user_id, import_id)
        if found.state != "saved":
            db.session.rollback()
            return find_import(user_id, import_id)
        saved = rows_with_ratings(found, rows_table.c.is_saved)
        unchanged = [row for row in saved if (row.current_value, row.current_timestamp) == (row.value, row.timestamp)]
        changes += [RatingChange(row.movie_id, row.former_value, row.former_timestamp) for row in unchanged]
        found.state, found.undone_at = "undone", now()
        found.report = found.report | {"taken_back": len(unchanged), "left": len(saved) - len(unchanged)}
    return found


def rows_with_ratings(history_import: HistoryImport, *conditions: sa.ColumnElement[bool]) -> list[Any]:
    """Return the rows of WITH_RATINGS for this import."""
    parameters = {"user": history_import.user_id, "import": history_import.id}
    return list(db.session.execute(WITH_RATINGS.where(*conditions), parameters))


def count_rows(rows: list[Any]) -> dict[str, int]:
    """Return the numbers of new, same and other rows."""
    return {
        "new": sum(row.current_value is None for row in rows),
        "same": sum(row.current_value == row.value for row in rows),
        "other": sum(row.current_value not in (None, row.value) for row in rows),
    }
