"""Batches of ratings that a site sends: find the users and movies that the rows name, and save the good rows."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from recsite.accounts import site_ids
from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.movies import ids
from recsite.ratings.batches import BatchCounts, UserRating, save_batch
from recsite.storage.deadlocks import retry_deadlocks
from recsite.storage.queries import in_blocks, run
from recsite.storage.tables import Movie, User


class NamedRating(NamedTuple):
    """A rating of a user and a movie as the site names them."""

    user: int | str
    "The number, or the site's own id."
    movie: int | str
    "The number, or a reference such as imdb:tt0113277."
    value: float | None
    "In stars, one of VALUES; None withdraws the rating."
    timestamp: int | None
    "In seconds since 1970; None keeps the time of an equal rating and is the present time otherwise."


ATTEMPTS = 3
"Of a batch whose users are deleted while it is saved."


def rate_many(sent: Mapping[int, NamedRating]) -> tuple[BatchCounts, dict[int, str]]:
    """Save these rows in one transaction; return the counts, and the sentences about refused rows by index.

    The site's users who are not stored yet are created. Of several rows for one user and movie the last counts. The
    lists of these users become stale. If one of the users is deleted meanwhile, all is done again without them.

    Raises:
        UserNotFound: in each of ATTEMPTS a user was deleted meanwhile; nothing is saved.
    """
    for _ in range(1, ATTEMPTS):
        try:
            return save_rows(sent)
        except UserNotFound:
            db.session.rollback()
    return save_rows(sent)


@retry_deadlocks
def save_rows(sent: Mapping[int, NamedRating]) -> tuple[BatchCounts, dict[int, str]]:
    """Save these rows once, as `rate_many` does, or raise UserNotFound."""
    movie_ids = find_movies({row.movie for row in sent.values()})
    numbers = known_users({row.user for row in sent.values() if isinstance(row.user, int)})
    refused = {
        index: error for index, row in sent.items() if (error := why_refused(row, movie_ids.get(row.movie), numbers))
    }
    good = [row for index, row in sent.items() if index not in refused]
    user_ids = find_users(good)
    counts = save_batch(to_ratings(good, user_ids, {name: movie.id for name, movie in movie_ids.items()}))
    db.session.commit()
    # A rating that is withdrawn from somebody who is not stored changes nothing.
    of_nobody = sum(isinstance(row.user, str) and row.user not in user_ids for row in good)
    return counts._replace(unchanged=counts.unchanged + of_nobody), refused


class Found(NamedTuple):
    """A movie that a row names."""

    id: int
    is_hidden: bool


def find_movies(named: Iterable[int | str]) -> dict[int | str, Found]:
    """Return the movies by their numbers and references; unknown ones are missing."""
    refs = {name: ids.parse(name) for name in named if isinstance(name, str)}
    by_ref = ids.find_ids(refs.values())
    wanted: dict[int | str, int] = {name: name for name in named if isinstance(name, int)}
    wanted |= {name: by_ref[ref] for name, ref in refs.items() if ref in by_ref}
    hidden: dict[int, bool] = {}
    for block in in_blocks(sorted(set(wanted.values()))):
        rows = run(sa.select(Movie.id, Movie.is_hidden).where(Movie.id.in_(block)))
        hidden.update((row.id, row.is_hidden) for row in rows)
    return {name: Found(movie_id, hidden[movie_id]) for name, movie_id in wanted.items() if movie_id in hidden}


def known_users(numbers: Iterable[int]) -> set[int]:
    """Return those of the numbers that are users'."""
    blocks = in_blocks(sorted(numbers))
    return {row.id for block in blocks for row in run(sa.select(User.id).where(User.id.in_(block)))}


def why_refused(row: NamedRating, movie: Found | None, known: Set[int]) -> str:
    """Return the sentence that says why this row is not saved; '' for a good one."""
    if isinstance(row.user, int) and row.user not in known:
        return f"There is no user with the user_id {row.user}."
    if movie is None:
        return f"There is no movie {row.movie}."
    if movie.is_hidden and row.value is not None:
        return f"The movie {row.movie} is hidden; ratings of it can only be withdrawn."
    return ""


def find_users(rows: Iterable[NamedRating]) -> dict[int | str, int]:
    """Return the ids of the users whom these rows name; those who are given their first rating are created."""
    named = {row.user for row in rows if isinstance(row.user, str)}
    rating = {row.user for row in rows if isinstance(row.user, str) and row.value is not None}
    found: dict[int | str, int] = {row.user: row.user for row in rows if isinstance(row.user, int)}
    return found | site_ids.find_user_ids(named - rating) | site_ids.find_or_add_user_ids(rating)


def to_ratings(
    rows: Sequence[NamedRating], user_ids: Mapping[int | str, int], movie_ids: Mapping[int | str, int]
) -> list[UserRating]:
    """Return the rows with numbers in place of names; those of users who are not stored are left out."""
    return [
        UserRating(
            user_ids[row.user],
            movie_ids[row.movie],
            row.value,
            None if row.timestamp is None else datetime.fromtimestamp(row.timestamp, UTC),
        )
        for row in rows
        if row.user in user_ids
    ]
