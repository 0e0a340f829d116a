"""The suggestions table: one function that upserts lists on SQLite and PostgreSQL, at the speed of their drivers."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import repeat

import numpy as np
import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.deadlocks import retry_deadlocks
from recsite.storage.tables import Suggestion, User, UTCDateTime, now
from recsite.suggestions.ranking import ScoredList

TRANSACTION_ROWS = 10_000
"Rows from one commit to the next; they hold SQLite's write lock for about a tenth of a second."

UPSERT = """
INSERT INTO suggestions (user_id, movie_id, value, rank, active, did_rate, model_version_id, timestamp) {}
ON CONFLICT (user_id, movie_id) DO UPDATE SET
    value = excluded.value, rank = excluded.rank, active = excluded.active,
    model_version_id = excluded.model_version_id, timestamp = excluded.timestamp
"""
UPSERT_A_ROW = UPSERT.format("VALUES (?, ?, ?, ?, true, false, ?, ?)")
# As fast as COPY into a temporary table and a merge, without making and dropping a table for each rating.
UPSERT_ARRAYS = UPSERT.format(
    "SELECT list.*, true, false, %s, %s FROM unnest(%b::int[], %b::int[], %b::float8[], %b::int[]) AS list"
)

users: sa.Table = User.__table__
MARK_SCORED = (
    sa.update(users)
    .where(users.c.id == sa.bindparam("u"), users.c.rating_generation == sa.bindparam("generation"))
    .values(
        list_generation=users.c.list_generation + 1,
        list_version_id=sa.bindparam("version"),
        list_rating_generation=sa.bindparam("generation"),
    )
)
"Records on the user's row which version and which generation of the user's ratings the list is made from."

DEACTIVATE_OLDER = (
    sa.update(Suggestion.__table__)
    .where(
        Suggestion.user_id.in_(sa.bindparam("ids", expanding=True)),
        Suggestion.active,
        Suggestion.timestamp != sa.bindparam("at", type_=UTCDateTime),
    )
    .values(active=False)
)
"Deactivates the rows of these users that were not written at this moment."


def upsert(lists: Sequence[ScoredList], version_id: int) -> int:
    """Upsert the rows of these lists, with a commit every `TRANSACTION_ROWS`; return the number of rows written.

    Columns that record what the user rated (did_rate and its companions) keep their values; rows that are not in the
    new list become inactive. The list of a user who has rated since it was made is skipped, because a newer list
    follows. Users are written in the order of their ids, so that two writers cannot deadlock.
    """
    batches = split_into_transactions(sorted(lists, key=lambda scored: scored.user_id))
    return sum(write_batch(batch, version_id) for batch in batches)


@retry_deadlocks
def write_batch(lists: Sequence[ScoredList], version_id: int) -> int:
    """Upsert the rows of these lists in one transaction, and commit; return the number of rows written."""
    written = write_rows(mark_scored(lists, version_id), version_id, now())
    db.session.commit()
    return written


def split_into_transactions(lists: Sequence[ScoredList]) -> Iterator[list[ScoredList]]:
    """Yield the lists in the same order, in batches of at most `TRANSACTION_ROWS` rows; a list is never split."""
    batch: list[ScoredList] = []
    n_rows = 0
    for scored in lists:
        if batch and n_rows + len(scored.movie_ids) > TRANSACTION_ROWS:
            yield batch
            batch, n_rows = [], 0
        batch.append(scored)
        n_rows += len(scored.movie_ids)
    if batch:
        yield batch


def mark_scored(lists: Sequence[ScoredList], version_id: int) -> list[ScoredList]:
    """Mark and lock the users whose ratings these lists are made from; return the lists to be written."""
    connection = db.session.connection()
    marks = [{"u": scored.user_id, "generation": scored.rating_generation, "version": version_id} for scored in lists]
    if len(lists) == 1:
        return list(lists) if connection.execute(MARK_SCORED, marks[0]).rowcount else []
    connection.execute(MARK_SCORED, marks)
    # Generations only grow: the rows whose generations are equal now are the rows that were marked.
    ids = [scored.user_id for scored in lists]
    found = connection.execute(sa.select(users.c.id, users.c.rating_generation).where(users.c.id.in_(ids)))
    generations = {row.id: row.rating_generation for row in found}
    return [scored for scored in lists if generations.get(scored.user_id) == scored.rating_generation]


def write_rows(lists: Sequence[ScoredList], version_id: int, at: datetime) -> int:
    """Upsert the rows of these lists and deactivate the users' other rows; return the number of rows written."""
    if not lists:
        return 0
    connection = db.session.connection()
    lengths = [len(scored.movie_ids) for scored in lists]
    user_ids = np.repeat([scored.user_id for scored in lists], lengths)
    movie_ids = np.concatenate([scored.movie_ids for scored in lists])
    values = np.concatenate([scored.values for scored in lists])
    ranks = np.concatenate([np.arange(1, length + 1) for length in lengths])
    if len(movie_ids) and connection.dialect.name == "postgresql":
        connection.exec_driver_sql(UPSERT_ARRAYS, (version_id, at, user_ids, movie_ids, values, ranks))
    elif len(movie_ids):
        stamp = at.strftime("%Y-%m-%d %H:%M:%S.%f")  # The text that SQLAlchemy would write.
        columns = (user_ids.tolist(), movie_ids.tolist(), values.tolist(), ranks.tolist())
        # Not strict: repeat() has no end.
        rows = zip(*columns, repeat(version_id), repeat(stamp))
        connection.exec_driver_sql(UPSERT_A_ROW, list(rows))
    connection.execute(DEACTIVATE_OLDER, {"ids": [scored.user_id for scored in lists], "at": at})
    return len(movie_ids)
