"""What people gave the movies they saw: rating, taking it back, reading it, and what to rate next."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from recsite import movies
from recsite.errors import InvalidInput, MovieNotFound, NotFound, UserNotFound
from recsite.extensions import db
from recsite.storage.paging import Page
from recsite.storage.queries import run
from recsite.storage.tables import Dismissal, Movie, Rating, Suggestion, User, UTCDateTime, now

VALUES = tuple(halves / 2 for halves in range(1, 11))
"What a movie can be given, in stars."
SORTS = {
    "newest": "Newest",
    "oldest": "Oldest",
    "highest": "Highest",
    "lowest": "Lowest",
    "title": "Title",
}
"The orders of `ratings_of`, by their word in a URL."
ORDERS: dict[str, tuple[sa.ColumnElement[Any], ...]] = {
    "newest": (Rating.timestamp.desc(),),
    "oldest": (Rating.timestamp.asc(),),
    "highest": (Rating.value.desc(), Rating.timestamp.desc()),
    "lowest": (Rating.value.asc(), Rating.timestamp.desc()),
    "title": (sa.func.lower(Movie.title),),
}
SHUFFLE_PRIME = 10_007
"More than the movies of most sites, and small enough for its square to be an INTEGER on PostgreSQL."

OF_PAIR = (Rating.user_id == sa.bindparam("user"), Rating.movie_id == sa.bindparam("movie"))
CHANGE_GENERATION = (
    sa.update(User)
    .where(User.id == sa.bindparam("user"))
    .values(
        rating_generation=User.rating_generation + 1,
        # From the first rating on a list is owed, and a worker makes it if this process dies before it does.
        list_rating_generation=sa.func.coalesce(User.list_rating_generation, User.rating_generation),
    )
)
MOVIE_AND_RATING = (
    sa.select(Movie.id, Rating.value)
    .outerjoin(Rating, sa.and_(*OF_PAIR))
    .where(Movie.id == sa.bindparam("movie"), ~Movie.is_hidden)
)
"One row for a visible movie; `value` is null without a rating."
UPSERT = sa.text(
    """
    INSERT INTO ratings (user_id, movie_id, value, timestamp) VALUES (:user, :movie, :stars, :at)
    ON CONFLICT (user_id, movie_id) DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp
    """
).bindparams(sa.bindparam("at", type_=UTCDateTime))
"One row for the pair, whoever else writes it now, such as an import."
DELETE = sa.delete(Rating).where(*OF_PAIR).returning(Rating.value, Rating.timestamp)
NOTE_ON_SUGGESTION = (
    sa.update(Suggestion)
    .where(Suggestion.user_id == sa.bindparam("user"), Suggestion.movie_id == sa.bindparam("movie"))
    .values(did_rate=sa.bindparam("did"), rating_value=sa.bindparam("stars"), did_rate_timestamp=sa.bindparam("at"))
)


@dataclass(frozen=True)
class RatedMovie:
    """A movie and what one user gave it."""

    movie: Movie
    value: float
    "In stars."
    timestamp: datetime


def rate(user_id: int, movie_id: int, value: float, at: datetime | None = None) -> bool:
    """The user's rating of the movie is `value`; True when there was none before.

    1. Lock the user's row by counting up its generation, so that one user's ratings change one after another.
    2. Upsert the rating.
    3. Note it on the suggestion that led here, if any did.
    4. Refresh the movie's averages, and commit it all at once.

    Raises InvalidInput, MovieNotFound, UserNotFound.
    """
    check_value(value)
    pair = {"user": user_id, "movie": movie_id}
    change_generation(user_id)
    found = run(MOVIE_AND_RATING, **pair).first()
    if found is None:
        db.session.rollback()
        raise MovieNotFound
    at = at or now()
    run(UPSERT, **pair, stars=value, at=at)
    run(NOTE_ON_SUGGESTION, **pair, did=True, stars=value, at=at)
    movies.refresh_averages([movie_id])
    db.session.commit()
    return found.value is None


def check_value(value: float) -> None:
    """A movie can be given this; raises InvalidInput."""
    if isinstance(value, bool) or value not in VALUES:
        raise InvalidInput("value must be 0.5 to 5.0 stars, in halves.")


def add_missing(user_id: int, given: Mapping[int, float]) -> int:
    """The user rated these movies too, where there was no rating and the movie still is there; returns how many.

    `given` is in stars by movie. Raises InvalidInput, UserNotFound.
    """
    there = set(db.session.scalars(sa.select(Rating.movie_id).where(Rating.user_id == user_id)))
    added = 0
    for movie_id, value in given.items():
        if movie_id not in there:
            with contextlib.suppress(MovieNotFound):
                added += rate(user_id, movie_id, value)
    return added


def unrate(user_id: int, movie_id: int) -> tuple[float, datetime]:
    """The user has not rated the movie, and everything `rate` noted is undone.

    Returns the value that stood there, in stars, and its time. Raises NotFound without a rating.
    """
    pair = {"user": user_id, "movie": movie_id}
    change_generation(user_id)
    former = run(DELETE, **pair).first()
    if former is None:
        db.session.rollback()
        raise NotFound("Rating not found")
    run(NOTE_ON_SUGGESTION, **pair, did=False, stars=None, at=None)
    movies.refresh_averages([movie_id])
    db.session.commit()
    return former.value, former.timestamp


def put_back(user_id: int, movie_id: int, value: float, at: datetime) -> bool:
    """What `unrate` took away stands there again; False when the user has rated the movie since, and nothing changes.

    Raises MovieNotFound, UserNotFound.
    """
    if rating_of(user_id, movie_id) is not None:
        return False
    rate(user_id, movie_id, value, at)
    return True


def rating_of(user_id: int, movie_id: int) -> float | None:
    """What the user gave the movie, in stars; None without a rating."""
    return db.session.scalar(sa.select(Rating.value).where(Rating.user_id == user_id, Rating.movie_id == movie_id))


def find(user_id: int, movie_id: int) -> RatedMovie | None:
    """The movie with what the user gave it; None without a rating."""
    row = db.session.execute(
        sa.select(Movie, Rating.value, Rating.timestamp)
        .join(Rating, Rating.movie_id == Movie.id)
        .where(Rating.user_id == user_id, Rating.movie_id == movie_id)
    ).first()
    return RatedMovie(*row) if row else None


def ratings_of(
    user_id: int, page: int, per_page: int, sort: str = "newest", title: str | None = None
) -> Page[RatedMovie]:
    """What the user rated, in the order of SORTS, of movies with this in their title; raises UserNotFound."""
    if db.session.get(User, user_id) is None:
        raise UserNotFound
    found = (
        sa.select(Movie, Rating.value, Rating.timestamp)
        .join(Rating, Rating.movie_id == Movie.id)
        .where(Rating.user_id == user_id)
    )
    if title:
        found = found.where(Movie.title.icontains(title, autoescape=True))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) if title else count_of(user_id)
    rows = db.session.execute(
        found.order_by(*ORDERS[sort], Rating.movie_id).limit(per_page).offset((page - 1) * per_page)
    )
    return Page([RatedMovie(*row) for row in rows], page, per_page, total or 0)


def count_of(user_id: int) -> int:
    """How many movies the user rated."""
    return db.session.scalar(sa.select(sa.func.count()).where(Rating.user_id == user_id)) or 0


def next_popular(user_id: int | None, left_out: Collection[int] = (), first: int | None = None) -> Movie | None:
    """The visible movie of the highest score that this user neither rated nor put aside; None when none is left.

    The movie `first`, if it may come at all, comes before the others.
    """
    return next_by(Movie.score.desc().nulls_last(), user_id, left_out, first)


def next_shuffled(user_id: int | None, left_out: Collection[int] = (), first: int | None = None) -> Movie | None:
    """Like next_popular, in an order that looks random and stays the same for one user."""
    # 5 generates all of 1 … SHUFFLE_PRIME - 1, so that two users in a row get multipliers far apart.
    multiplier = pow(5, 1000 + (user_id or 0), SHUFFLE_PRIME)
    shuffled = (Movie.id % SHUFFLE_PRIME + multiplier) * multiplier % SHUFFLE_PRIME
    return next_by(shuffled.asc(), user_id, left_out, first)


def next_by(
    order: sa.UnaryExpression[Any], user_id: int | None, left_out: Collection[int], first: int | None
) -> Movie | None:
    """The first movie in this order that may come up."""
    is_rated = sa.exists().where(Rating.movie_id == Movie.id, Rating.user_id == user_id)
    is_put_aside = sa.exists().where(Dismissal.movie_id == Movie.id, Dismissal.user_id == user_id)
    query = sa.select(Movie).where(~Movie.is_hidden, Movie.id.not_in(left_out), ~is_rated, ~is_put_aside)
    if first is not None:
        movie: Movie | None = db.session.scalar(query.where(Movie.id == first))
        if movie is not None:
            return movie
    movie = db.session.scalar(query.order_by(order, Movie.id).limit(1))
    return movie


def change_generation(user_id: int) -> None:
    """Count one change of the user's ratings, and hold the user's row until the commit; raises UserNotFound."""
    if not run(CHANGE_GENERATION, user=user_id).rowcount:
        db.session.rollback()
        raise UserNotFound
