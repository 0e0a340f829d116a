"""Reading a user's ratings: one, all in pages, and how many."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import Movie, Rating, User

SORTS = {
    "newest": "Newest",
    "oldest": "Oldest",
    "highest": "Highest",
    "lowest": "Lowest",
    "title": "Title",
}
"The orders of `ratings_of`: value in the URL → label on the page."
ORDERS: dict[str, tuple[sa.ColumnElement[Any], ...]] = {
    "newest": (Rating.timestamp.desc(),),
    "oldest": (Rating.timestamp.asc(),),
    "highest": (Rating.value.desc(), Rating.timestamp.desc()),
    "lowest": (Rating.value.asc(), Rating.timestamp.desc()),
    "title": (sa.func.lower(Movie.title),),
}


@dataclass(frozen=True)
class RatedMovie:
    """A movie with one user's rating of it."""

    movie: Movie
    value: float
    "In stars."
    timestamp: datetime


def rating_of(user_id: int, movie_id: int) -> float | None:
    """Return the user's rating of the movie in stars; None without a rating."""
    return db.session.scalar(sa.select(Rating.value).where(Rating.user_id == user_id, Rating.movie_id == movie_id))


def find_rated(user_id: int, movie_id: int) -> RatedMovie | None:
    """Return the movie with the user's rating of it; None without a rating."""
    row = db.session.execute(rated_by(user_id).where(Movie.id == movie_id)).first()
    return RatedMovie(*row) if row else None


def ratings_of(
    user_id: int | None, page: int, per_page: int, sort: str = "newest", title: str | None = None
) -> Page[RatedMovie]:
    """Return a page of the user's ratings of movies whose title contains `title`, in the order of SORTS, then by movie.

    None is a user of the site who is not stored yet, and has no ratings.

    Raises:
        UserNotFound: no user has this id.
    """
    if user_id is not None and db.session.get(User, user_id) is None:
        raise UserNotFound
    query = rated_by(user_id)
    if title:
        query = query.where(Movie.title.icontains(title, autoescape=True))
    return paginate(query.order_by(*ORDERS[sort], Rating.movie_id), page, per_page, make=RatedMovie)


def rated_by(user_id: int | None) -> sa.Select[Movie, float, datetime]:
    """Return the query of the user's rated movies, with value and time of each rating."""
    return (
        sa.select(Movie, Rating.value, Rating.timestamp)
        .join(Rating, Rating.movie_id == Movie.id)
        .where(Rating.user_id == user_id)
    )


def count_of(user_id: int) -> int:
    """Return the number of movies that the user rated."""
    return db.session.scalar(sa.select(sa.func.count()).where(Rating.user_id == user_id)) or 0
