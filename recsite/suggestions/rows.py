"""The suggestions table: one code path that upserts lists on SQLite and PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ..extensions import db
from ..models import Suggestion, User, now
from .ranking import ScoredList

BATCH_ROWS = 5_000
"Rows of one statement, so that a reader or rater never waits long for the writer."

UPSERT = """
INSERT INTO suggestions (user_id, movie_id, value, rank, active, did_rate, model_version_id, timestamp)
VALUES ({0}, {0}, {0}, {0}, true, false, {0}, {0})
ON CONFLICT (user_id, movie_id) DO UPDATE SET
    value = excluded.value, rank = excluded.rank, active = excluded.active,
    model_version_id = excluded.model_version_id, timestamp = excluded.timestamp
"""

MARK_SCORED = (
    sa.update(User.__table__)
    .where(User.__table__.c.id == sa.bindparam("u"))
    .values(
        list_generation=User.__table__.c.list_generation + 1,
        list_version_id=sa.bindparam("version"),
        list_rating_generation=sa.bindparam("generation"),
    )
)
"Says on the user's row which version and which of the user's ratings the list is made from."


def upsert(lists: Sequence[ScoredList], version_id: int) -> int:
    """Make these the users' lists, within the caller's transaction; returns the number of rows written.

    What a user rated (did_rate and its columns) is never touched; rows that fell out of a list become inactive. The
    users are written in the order of their ids, so that two writers never wait for each other in a ring.
    """
    lists = sorted(lists, key=lambda scored: scored.user_id)
    user_ids = [scored.user_id for scored in lists]
    at = now()
    connection = db.session.connection()
    # Locks the users' rows first: the rows of one user are rewritten by one writer at a time.
    connection.execute(
        MARK_SCORED,
        [{"u": scored.user_id, "generation": scored.rating_generation, "version": version_id} for scored in lists],
    )
    placeholder = "?" if connection.dialect.name == "sqlite" else "%s"
    stamp = as_stored(at, connection.dialect.name)
    rows = [
        (scored.user_id, movie_id, value, rank, version_id, stamp)
        for scored in lists
        for rank, (movie_id, value) in enumerate(
            zip(scored.movie_ids.tolist(), scored.values.tolist(), strict=True), start=1
        )
    ]
    for start in range(0, len(rows), BATCH_ROWS):
        connection.exec_driver_sql(UPSERT.format(placeholder), rows[start : start + BATCH_ROWS])
    db.session.execute(
        sa.update(Suggestion)
        .where(Suggestion.user_id.in_(user_ids), Suggestion.active, Suggestion.timestamp != at)
        .values(active=False),
        execution_options={"synchronize_session": False},
    )
    return len(rows)


def as_stored(at: datetime, dialect: str) -> datetime | str:
    """The timestamp as the driver takes it; SQLite keeps the text that SQLAlchemy would write."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f") if dialect == "sqlite" else at
