"""Changes of ratings for tests of what is stale: they are saved and committed, but the user's list is not scored."""

from datetime import datetime

from recsite import ratings
from recsite.extensions import db


def rate(user_id: int, movie_id: int, value: float, at: datetime | None = None) -> bool:
    """Save a rating; return whether it is the user's first one of this movie."""
    is_new = ratings.save_rating(user_id, movie_id, value, at)
    db.session.commit()
    return is_new


def unrate(user_id: int, movie_id: int) -> None:
    """Withdraw a rating."""
    ratings.delete_rating(user_id, movie_id)
    db.session.commit()
