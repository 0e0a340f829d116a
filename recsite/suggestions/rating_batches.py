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
from recsite.storage.tables import Movie
from recsite.suggestions.scoring import known_user_ids


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
    movie_ids = ids.find_named({row.movie for row in sent.values()})
    hidden = find_hidden(movie_ids.values())
    numbers = known_user_ids({row.user for row in sent.values() if isinstance(row.user, int)})
    refused: dict[int, str] = {}
    for index, row in sent.items():
        movie_id = movie_ids.get(row.movie)
        if error := why_refused(row, movie_id, is_hidden=movie_id in hidden, known=numbers):
            refused[index] = error
    good = [row for index, row in sent.items() if index not in refused]
    user_ids = find_users(good)
    counts = save_batch(to_ratings(good, user_ids, movie_ids))
    db.session.commit()
    # A rating that is withdrawn from somebody who is not stored changes nothing.
    of_nobody = sum(isinstance(row.user, str) and row.user not in user_ids for row in good)
    return counts._replace(unchanged=counts.unchanged + of_nobody), refused


def find_hidden(movie_ids: Iterable[int]) -> set[int]:
    """Return those of the movies that are hidden."""
    blocks = in_blocks(sorted(set(movie_ids)))
    return {row.id for block in blocks for row in run(sa.select(Movie.id).where(Movie.id.in_(block), Movie.is_hidden))}


def why_refused(row: NamedRating, movie_id: int | None, *, is_hidden: bool, known: Set[int]) -> str:
    """Return the sentence that says why this row is not saved; '' for a good one."""
    if isinstance(row.user, int) and row.user not in known:
        return f"There is no user with the user_id {row.user}."
    if movie_id is None:
        return f"There is no movie {row.movie}."
    if is_hidden and row.value is not None:
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
