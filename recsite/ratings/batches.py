"""Thousands of new, changed and withdrawn ratings of many users in one short transaction.

The invariants are those of `writing`. What differs from the database is found before anything is locked, so that a
batch that was sent before locks nothing, and again behind the locks.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from recsite import movies
from recsite.errors import UserNotFound
from recsite.ratings.writing import COLUMNS, count_change_of_each, lock_users, note_from, ratings, upsert_from, users
from recsite.storage.queries import run
from recsite.storage.row_tables import table_of
from recsite.storage.tables import UTCDateTime, now

TYPES = dict(zip(COLUMNS, (sa.Integer, sa.Integer, sa.Double, UTCDateTime), strict=True))


class UserRating(NamedTuple):
    """A rating that a batch sets, or withdraws."""

    user_id: int
    movie_id: int
    value: float | None
    "In stars, one of VALUES; None withdraws the rating."
    timestamp: datetime | None
    "UTC; None keeps the time of an equal rating and is the present time otherwise."


class BatchCounts(NamedTuple):
    """What became of the ratings of a batch."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    withdrawn: int = 0


class Stored(NamedTuple):
    """A rating as it is in the database."""

    value: float
    timestamp: datetime


Key = tuple[int, int]
"User and movie."


def save_batch(sent: Sequence[UserRating]) -> BatchCounts:
    """Save the ratings of existing users and movies; of several for one pair the last counts. Does not commit.

    Raises:
        UserNotFound: a user has been deleted meanwhile.
    """
    wanted = {(row.user_id, row.movie_id): row for row in sent}
    if find_differences(wanted, read_stored(wanted)):
        lock({user_id for user_id, _ in wanted})
        stored = read_stored(wanted)
        differences = find_differences(wanted, stored)
        write(differences, stored)
    else:
        stored, differences = {}, []
    withdrawn = sum(row.value is None for row in differences)
    new = sum(row.value is not None and (row.user_id, row.movie_id) not in stored for row in differences)
    return BatchCounts(new, len(differences) - new - withdrawn, len(sent) - len(differences), withdrawn)


def read_stored(keys: Collection[Key]) -> dict[Key, Stored]:
    """Return the stored ratings of these users and movies."""
    sent = table_of({"user_id": sa.Integer, "movie_id": sa.Integer}, keys)
    is_same = (ratings.c.user_id == sent.c.user_id) & (ratings.c.movie_id == sent.c.movie_id)
    rows = run(sa.select(ratings).join(sent, is_same))
    return {(row.user_id, row.movie_id): Stored(row.value, row.timestamp) for row in rows}


def find_differences(wanted: Mapping[Key, UserRating], stored: Mapping[Key, Stored]) -> list[UserRating]:
    """Return what differs from the database, ordered by user and movie."""
    return [row for key, row in sorted(wanted.items()) if differs(row, stored.get(key))]


def differs(row: UserRating, stored: Stored | None) -> bool:
    """Return whether a rating is to be written."""
    if stored is None or row.value is None:
        return (stored is None) != (row.value is None)
    return row.value != stored.value or row.timestamp not in (None, stored.timestamp)


def lock(user_ids: Set[int]) -> None:
    """Lock these users until the commit; SQLite, which has a single writer, as a whole. Raise UserNotFound."""
    ids = sa.select(ids_table(user_ids).c.user_id)
    lock_users(ids)
    # SQLite locks by writing: this changes nothing.
    run(sa.update(users).where(users.c.id == min(user_ids)).values(rating_generation=users.c.rating_generation))
    found = {user_id for (user_id,) in run(sa.select(users.c.id).where(users.c.id.in_(ids)))}
    if gone := user_ids - found:
        raise UserNotFound(min(gone))


def ids_table(user_ids: Collection[int]) -> sa.Subquery:
    """Return a table of these users."""
    return table_of({"user_id": sa.Integer}, [(user_id,) for user_id in user_ids])


def write(differences: Sequence[UserRating], stored: Mapping[Key, Stored]) -> None:
    """Write these ratings and what derives from them."""
    at = now()
    changes = [row if row.value is None else row._replace(timestamp=row.timestamp or at) for row in differences]
    saved = [row for row in changes if row.value is not None]
    withdrawn = table_of(TYPES, [row for row in changes if row.value is None])
    run(upsert_from(table_of(TYPES, saved)))
    run(
        sa.delete(ratings).where(
            sa.tuple_(ratings.c.user_id, ratings.c.movie_id).in_(sa.select(withdrawn.c.user_id, withdrawn.c.movie_id))
        )
    )
    run(note_from(table_of(TYPES, changes)))
    touched = ids_table({row.user_id for row in changes})
    run(count_change_of_each(sa.select(touched.c.user_id)))
    movies.change_averages(sums_by_movie(changes, stored))


def sums_by_movie(changes: Iterable[UserRating], stored: Mapping[Key, Stored]) -> dict[int, tuple[int, int]]:
    """Return by movie how many ratings come, less those that go, and the change of their sum in half stars."""
    sums: dict[int, tuple[int, int]] = {}
    for row in changes:
        former = stored.get((row.user_id, row.movie_id))
        number = (row.value is not None) - (former is not None)
        half_stars = round(2 * ((row.value or 0) - (former.value if former else 0)))
        count, total = sums.get(row.movie_id, (0, 0))
        sums[row.movie_id] = count + number, total + half_stars
    return sums
