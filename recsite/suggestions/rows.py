"""The suggestions table: one function that upserts lists on SQLite and PostgreSQL, at the speed of their drivers."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import repeat

import numpy as np
import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.tables import Suggestion, User, UTCDateTime, now
from recsite.suggestions.ranking import ScoredList

TRANSACTION_ROWS = 10_000
"Rows from one commit to the next: a tenth of a second, for which who rates may have to wait."

UPSERT = """
INSERT INTO suggestions (user_id, movie_id, value, rank, active, did_rate, model_version_id, timestamp) {}
ON CONFLICT (user_id, movie_id) DO UPDATE SET
    value = excluded.value, rank = excluded.rank, active = excluded.active,
    model_version_id = excluded.model_version_id, timestamp = excluded.timestamp
"""
UPSERT_A_ROW = UPSERT.format("VALUES (?, ?, ?, ?, true, false, ?, ?)")
# As fast as COPY into a temporary table and a merge, which would make and drop a table for each rating, too.
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
"Says on the user's row which version and which of the user's ratings the list is made from."

FALLEN_OUT = (
    sa.update(Suggestion.__table__)
    .where(
        Suggestion.user_id.in_(sa.bindparam("ids", expanding=True)),
        Suggestion.active,
        Suggestion.timestamp != sa.bindparam("at", type_=UTCDateTime),
    )
    .values(active=False)
)
"What these users' lists held before and do not hold any more."


def upsert(lists: Sequence[ScoredList], version_id: int) -> int:
    """Make these the users' lists, and commit every `TRANSACTION_ROWS`; returns the number of rows written.

    What a user rated (did_rate and its columns) is never touched; rows that fell out of a list become inactive. Whoever
    rated since the list was made is left out, for another list follows from that. The users are written in the order
    of their ids, so that two writers never wait for each other in a ring.
    """
    written = 0
    for some in portions(sorted(lists, key=lambda scored: scored.user_id)):
        written += write(mark_scored(some, version_id), version_id, now())
        db.session.commit()
    return written


def portions(lists: Sequence[ScoredList]) -> Iterator[list[ScoredList]]:
    """The lists in the same order, as many at a time as one transaction takes, and never a part of one."""
    some: list[ScoredList] = []
    n_rows = 0
    for scored in lists:
        if some and n_rows + len(scored.movie_ids) > TRANSACTION_ROWS:
            yield some
            some, n_rows = [], 0
        some.append(scored)
        n_rows += len(scored.movie_ids)
    if some:
        yield some


def mark_scored(lists: Sequence[ScoredList], version_id: int) -> list[ScoredList]:
    """Mark the users of these lists, and hold their rows until the commit; returns the lists that are to be written."""
    connection = db.session.connection()
    marks = [{"u": each.user_id, "generation": each.rating_generation, "version": version_id} for each in lists]
    connection.execute(MARK_SCORED, marks)
    # Generations only grow: the rows where they are equal now are the rows that were just marked.
    ids = [scored.user_id for scored in lists]
    found = connection.execute(sa.select(users.c.id, users.c.rating_generation).where(users.c.id.in_(ids)))
    generations = {row.id: row.rating_generation for row in found}
    return [each for each in lists if generations.get(each.user_id) == each.rating_generation]


def write(lists: Sequence[ScoredList], version_id: int, at: datetime) -> int:
    """The rows of these users are those of the lists, and the others inactive; returns the number of rows written."""
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
        stamp = at.strftime("%Y-%m-%d %H:%M:%S.%f")  # the text that SQLAlchemy would write
        columns = (user_ids.tolist(), movie_ids.tolist(), values.tolist(), ranks.tolist())
        # The last two are endless.
        rows = zip(*columns, repeat(version_id), repeat(stamp))
        connection.exec_driver_sql(UPSERT_A_ROW, list(rows))
    connection.execute(FALLEN_OUT, {"ids": [scored.user_id for scored in lists], "at": at})
    return len(movie_ids)
