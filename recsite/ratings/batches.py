"""Thousands of new, changed and withdrawn ratings of many users in one short transaction.

The invariants are those of `writing`. What differs from the database is found before anything is locked: locks are held
for the statements alone, and a batch that was sent before locks nothing. Behind the locks, the users' rating
generations say whether a rating of theirs was written in between; if so, the differences are found again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    """The value and time of a stored rating."""

    value: float
    timestamp: datetime


Key = tuple[int, int]
"User and movie."


class Plan(NamedTuple):
    """What a batch changes."""

    generations: dict[int, int]
    "The rating generations of its users, by id. While they are the same, the plan holds."
    stored: dict[Key, Stored]
    "The stored ratings of its users and movies."
    changes: list[UserRating]
    "What differs from those, with times, ordered by user and movie."
    table: sa.Subquery
    "The changes."


def save_batch(sent: Sequence[UserRating]) -> BatchCounts:
    """Save the ratings of existing users and movies; of several for one pair the last counts. Does not commit.

    Raises:
        UserNotFound: a user has been deleted meanwhile.
    """
    wanted = {(row.user_id, row.movie_id): row for row in sent}
    plan = make_plan(wanted)
    if plan.changes:
        lock(plan.generations)
        if read_generations(plan.generations) != plan.generations:
            plan = make_plan(wanted)
        write(plan)
    withdrawn = sum(row.value is None for row in plan.changes)
    new = sum(row.value is not None and (row.user_id, row.movie_id) not in plan.stored for row in plan.changes)
    return BatchCounts(new, len(plan.changes) - new - withdrawn, len(sent) - len(plan.changes), withdrawn)


def make_plan(wanted: Mapping[Key, UserRating]) -> Plan:
    """Return what differs from the database; raise UserNotFound for a user who is not there."""
    # The generations first: a rating that is saved in between then makes them differ.
    generations = read_generations({user_id for user_id, _ in wanted})
    stored = read_stored(wanted)
    changes = find_changes(wanted, stored, now())
    return Plan(generations, stored, changes, table_of(TYPES, changes))


def read_generations(user_ids: Collection[int]) -> dict[int, int]:
    """Return the users' rating generations by id; raise UserNotFound for a user who is not there."""
    ids = sa.select(ids_table(user_ids).c.user_id)
    rows = run(sa.select(users.c.id, users.c.rating_generation).where(users.c.id.in_(ids)))
    found = {row.id: row.rating_generation for row in rows}
    if gone := set(user_ids) - found.keys():
        raise UserNotFound(min(gone))
    return found


def read_stored(keys: Collection[Key]) -> dict[Key, Stored]:
    """Return the stored ratings of these users and movies."""
    sent = table_of({"user_id": sa.Integer, "movie_id": sa.Integer}, keys)
    is_same = (ratings.c.user_id == sent.c.user_id) & (ratings.c.movie_id == sent.c.movie_id)
    rows = run(sa.select(ratings).join(sent, is_same))
    return {(row.user_id, row.movie_id): Stored(row.value, row.timestamp) for row in rows}


def find_changes(wanted: Mapping[Key, UserRating], stored: Mapping[Key, Stored], at: datetime) -> list[UserRating]:
    """Return what differs from the database, ordered by user and movie; ratings without a time get this one."""
    changes = [row for key, row in sorted(wanted.items()) if differs(row, stored.get(key))]
    return [row if row.value is None else row._replace(timestamp=row.timestamp or at) for row in changes]


def differs(row: UserRating, stored: Stored | None) -> bool:
    """Return whether a rating is to be written."""
    if stored is None or row.value is None:
        return (stored is None) != (row.value is None)
    return row.value != stored.value or row.timestamp not in (None, stored.timestamp)


def lock(user_ids: Collection[int]) -> None:
    """Lock these users until the commit; SQLite, which has a single writer, as a whole."""
    lock_users(sa.select(ids_table(user_ids).c.user_id))
    # SQLite locks by writing: this changes nothing.
    run(sa.update(users).where(users.c.id == min(user_ids)).values(rating_generation=users.c.rating_generation))


def ids_table(user_ids: Collection[int]) -> sa.Subquery:
    """Return a table of these users."""
    return table_of({"user_id": sa.Integer}, [(user_id,) for user_id in user_ids])


def write(plan: Plan) -> None:
    """Write these changes and what derives from them."""
    sent = plan.table
    run(upsert_from(sa.select(sent).where(sent.c.value.is_not(None)).subquery("saved")))
    withdrawn = sa.select(sent.c.user_id, sent.c.movie_id).where(sent.c.value.is_(None))
    run(sa.delete(ratings).where(sa.tuple_(ratings.c.user_id, ratings.c.movie_id).in_(withdrawn)))
    run(note_from(sent))
    touched = ids_table({row.user_id for row in plan.changes})
    run(count_change_of_each(sa.select(touched.c.user_id)))
    movies.change_averages(sums_by_movie(plan.changes, plan.stored))


def sums_by_movie(changes: Iterable[UserRating], stored: Mapping[Key, Stored]) -> dict[int, tuple[int, int]]:
    """Return by movie the change of the number of ratings, and that of their sum in half stars."""
    sums: dict[int, tuple[int, int]] = {}
    for row in changes:
        former = stored.get((row.user_id, row.movie_id))
        number = (row.value is not None) - (former is not None)
        half_stars = round(2 * ((row.value or 0) - (former.value if former else 0)))
        count, total = sums.get(row.movie_id, (0, 0))
        sums[row.movie_id] = count + number, total + half_stars
    return sums
