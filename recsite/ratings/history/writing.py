"""Many ratings of one user at once, within the caller's transaction."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import Rating, Suggestion

ROWS_A_STATEMENT = 2_000

ratings_table: sa.Table = Rating.__table__
suggestions_table: sa.Table = Suggestion.__table__
NOTE = (
    sa.update(suggestions_table)
    .where(suggestions_table.c.user_id == sa.bindparam("user"), suggestions_table.c.movie_id == sa.bindparam("movie"))
    .values(
        did_rate=sa.bindparam("did"),
        rating_value=sa.bindparam("stars"),
        did_rate_timestamp=sa.bindparam("at"),
    )
)


def rate_all(user_id: int, rows: Iterable[tuple[int, float, Any]]) -> None:
    """These movies have these ratings by the user, and their suggestions know of it."""
    named = [
        {"user_id": user_id, "movie_id": movie_id, "value": value, "timestamp": at} for movie_id, value, at in rows
    ]
    insert = dialect_insert(ratings_table)
    replacement = {"value": insert.excluded.value, "timestamp": insert.excluded.timestamp}
    write(insert.on_conflict_do_update(index_elements=["user_id", "movie_id"], set_=replacement), named)
    note_all(user_id, [(row["movie_id"], True, row["value"], row["timestamp"]) for row in named])


def unrate_all(user_id: int, movie_ids: Sequence[int]) -> None:
    """The user has not rated these movies, and their suggestions know of it."""
    pair = (ratings_table.c.user_id == sa.bindparam("user"), ratings_table.c.movie_id == sa.bindparam("movie"))
    write(sa.delete(ratings_table).where(*pair), [{"user": user_id, "movie": movie_id} for movie_id in movie_ids])
    note_all(user_id, [(movie_id, False, None, None) for movie_id in movie_ids])


def note_all(user_id: int, rows: Iterable[tuple[int, bool, float | None, Any]]) -> None:
    """The suggestions of these movies, where there are any, say whether they were rated."""
    suggested = set(db.session.scalars(sa.select(suggestions_table.c.movie_id).filter_by(user_id=user_id)))
    write(
        NOTE,
        [
            {"user": user_id, "movie": movie_id, "did": did, "stars": stars, "at": at}
            for movie_id, did, stars, at in rows
            if movie_id in suggested
        ],
    )


def write(statement: sa.Executable, rows: Sequence[dict[str, Any]]) -> None:
    """Run the statement for each row, so many at a time; not at all without rows."""
    db.session.flush()
    connection = db.session.connection()
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        connection.execute(statement, rows[start : start + ROWS_A_STATEMENT])
