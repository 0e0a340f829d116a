"""Changes of ratings, committed without scoring the user's list, and what a change may have touched."""

from datetime import datetime

import sqlalchemy as sa

from recsite import ratings
from recsite.extensions import db
from recsite.storage.tables import Movie, Rating, Suggestion


def rate(user_id: int, movie_id: int, value: float, at: datetime | None = None) -> bool:
    """Save a rating; return whether it is the user's first one of this movie."""
    is_new = ratings.save_rating(user_id, movie_id, value, at)
    db.session.commit()
    return is_new


def unrate(user_id: int, movie_id: int) -> None:
    """Withdraw a rating."""
    ratings.delete_rating(user_id, movie_id)
    db.session.commit()


def everything() -> list[tuple[object, ...]]:
    """Return the ratings, averages and marks of suggestions: all that an import may change, except generations."""
    db.session.expire_all()
    columns = (
        (Rating.user_id, Rating.movie_id, Rating.value, Rating.timestamp),
        (Movie.id, Movie.rating_count, Movie.rating_avg, Movie.score),
        (Suggestion.user_id, Suggestion.movie_id, Suggestion.did_rate, Suggestion.rating_value),
    )
    return [tuple(row) for some in columns for row in db.session.execute(sa.select(*some).order_by(*some[:2]))]
