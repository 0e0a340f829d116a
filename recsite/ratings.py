"""What people gave the movies they saw: rating, taking it back, reading it, and what to rate next."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from . import catalog
from .catalog import Page
from .errors import InvalidInput, NotFound, UserNotFound
from .extensions import db, dialect_insert
from .models import Movie, Rating, Suggestion, User, now

VALUES = tuple(halves / 2 for halves in range(1, 11))
"What a movie can be given, in stars."
SHUFFLE_PRIME = 10_007
"More than the movies of most sites, and small enough for its square to be an INTEGER on PostgreSQL."


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
    if isinstance(value, bool) or value not in VALUES:
        raise InvalidInput("value must be 0.5 to 5.0 stars, in halves.")
    catalog.find_movie(movie_id)
    at = at or now()
    change_generation(user_id)
    is_new = rating_of(user_id, movie_id) is None
    upsert(user_id, movie_id, value, at)
    note_on_suggestion(user_id, movie_id, did_rate=True, rating_value=value, did_rate_timestamp=at)
    catalog.refresh_averages([movie_id])
    db.session.commit()
    return is_new


def unrate(user_id: int, movie_id: int) -> None:
    """The user has not rated the movie, and everything `rate` noted is undone; raises NotFound without a rating."""
    change_generation(user_id)
    this_one = sa.delete(Rating).where(Rating.user_id == user_id, Rating.movie_id == movie_id)
    if db.session.execute(this_one.returning(Rating.movie_id)).first() is None:
        db.session.rollback()
        raise NotFound("Rating not found")
    note_on_suggestion(user_id, movie_id, did_rate=False, rating_value=None, did_rate_timestamp=None)
    catalog.refresh_averages([movie_id])
    db.session.commit()


def rating_of(user_id: int, movie_id: int) -> float | None:
    """What the user gave the movie, in stars; None without a rating."""
    return db.session.scalar(sa.select(Rating.value).where(Rating.user_id == user_id, Rating.movie_id == movie_id))


def ratings_of(user_id: int, page: int, per_page: int) -> Page[RatedMovie]:
    """What the user rated, the newest first; raises UserNotFound."""
    if db.session.get(User, user_id) is None:
        raise UserNotFound
    rows = db.session.execute(
        sa.select(Movie, Rating.value, Rating.timestamp)
        .join(Rating, Rating.movie_id == Movie.id)
        .where(Rating.user_id == user_id)
        .order_by(Rating.timestamp.desc(), Rating.movie_id)
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return Page([RatedMovie(*row) for row in rows], page, per_page, count_of(user_id))


def count_of(user_id: int) -> int:
    """How many movies the user rated."""
    return db.session.scalar(sa.select(sa.func.count()).where(Rating.user_id == user_id)) or 0


def next_popular(user_id: int | None, skipped: Collection[int] = ()) -> Movie | None:
    """The visible movie of the highest score that this user has neither rated nor skipped; None when none is left."""
    return db.session.scalar(unrated(user_id, skipped).order_by(Movie.score.desc().nulls_last(), Movie.id).limit(1))


def next_shuffled(user_id: int | None, skipped: Collection[int] = ()) -> Movie | None:
    """Like next_popular, in an order that looks random and stays the same for one user."""
    # 5 generates all of 1 … SHUFFLE_PRIME - 1, so that two users in a row get multipliers far apart.
    multiplier = pow(5, 1000 + (user_id or 0), SHUFFLE_PRIME)
    shuffled = (Movie.id % SHUFFLE_PRIME + multiplier) * multiplier % SHUFFLE_PRIME
    return db.session.scalar(unrated(user_id, skipped).order_by(shuffled, Movie.id).limit(1))


def unrated(user_id: int | None, skipped: Collection[int]) -> sa.Select[Movie]:
    """The visible movies that this user has neither rated nor skipped."""
    is_rated = sa.exists().where(Rating.movie_id == Movie.id, Rating.user_id == user_id)
    return sa.select(Movie).where(~Movie.is_hidden, Movie.id.not_in(skipped), ~is_rated)


def change_generation(user_id: int) -> None:
    """Count one change of the user's ratings, and hold the user's row until the commit; raises UserNotFound."""
    changed = db.session.execute(
        sa.update(User)
        .where(User.id == user_id)
        .values(rating_generation=User.rating_generation + 1)
        .returning(User.id)
    )
    if changed.first() is None:
        db.session.rollback()
        raise UserNotFound


def upsert(user_id: int, movie_id: int, value: float, at: datetime) -> None:
    """One row for the pair, whoever else writes it now, such as an import."""
    new = dialect_insert(Rating.__table__).values(user_id=user_id, movie_id=movie_id, value=value, timestamp=at)
    db.session.execute(
        new.on_conflict_do_update(
            index_elements=[Rating.user_id, Rating.movie_id],
            set_={"value": new.excluded.value, "timestamp": new.excluded.timestamp},
        )
    )


def note_on_suggestion(user_id: int, movie_id: int, **columns: object) -> None:
    """Set these columns of the suggestion of this pair, if there is one."""
    db.session.execute(
        sa.update(Suggestion).where(Suggestion.user_id == user_id, Suggestion.movie_id == movie_id).values(columns)
    )
