"""The next movie of a review, in which a user rates or skips one movie after another."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.tables import Dismissal, Movie, Rating

SHUFFLE_PRIME = 10_007
"Modulus of the shuffled order: larger than most catalogues, and its square fits PostgreSQL's INTEGER."
PRIMITIVE_ROOT = 5
"Its powers run through all of 1 … SHUFFLE_PRIME - 1, so consecutive user ids get very different multipliers."
FIRST_EXPONENT = 1000
"Exponent of the multiplier of user 0."


def next_popular(user_id: int | None, exclude: Collection[int] = (), first: int | None = None) -> Movie | None:
    """Return the visible movie with the highest score that the user has neither rated, skipped nor dismissed, or None.

    `exclude` leaves out more ids. The movie `first` comes before all others, unless one of these rules leaves it out.
    """
    return next_in_order(Movie.score.desc().nulls_last(), user_id, exclude, first)


def next_shuffled(user_id: int | None, exclude: Collection[int] = (), first: int | None = None) -> Movie | None:
    """Return the next movie as `next_popular` does, in a pseudorandom order that is fixed for each user."""
    multiplier = pow(PRIMITIVE_ROOT, FIRST_EXPONENT + (user_id or 0), SHUFFLE_PRIME)
    shuffled = (Movie.id % SHUFFLE_PRIME + multiplier) * multiplier % SHUFFLE_PRIME
    return next_in_order(shuffled.asc(), user_id, exclude, first)


def next_in_order(
    order: sa.UnaryExpression[Any], user_id: int | None, exclude: Collection[int], first: int | None
) -> Movie | None:
    """Return the first movie in this order; see `next_popular`."""
    is_rated = sa.exists().where(Rating.movie_id == Movie.id, Rating.user_id == user_id)
    is_dismissed = sa.exists().where(Dismissal.movie_id == Movie.id, Dismissal.user_id == user_id)
    candidates = sa.select(Movie).where(~Movie.is_hidden, Movie.id.not_in(exclude), ~is_rated, ~is_dismissed)
    movie: Movie | None = None
    if first is not None:
        movie = db.session.scalar(candidates.where(Movie.id == first))
    return movie or db.session.scalar(candidates.order_by(order, Movie.id).limit(1))
