"""Movies that a user skipped in a review or dismissed as not interesting."""

import sqlalchemy as sa

from recsite import movies
from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import Dismissal, User, now


def skip(user_id: int, movie_id: int) -> None:
    """Exclude the movie from the user's reviews but not from lists, and commit; raise MovieNotFound unless visible."""
    movies.get_visible(movie_id)
    upsert_dismissal(user_id, movie_id, is_unwanted=False)
    db.session.commit()


def save_dismissal(user_id: int, movie_id: int) -> None:
    """Exclude the movie from the user's lists and reviews. Does not commit.

    Raises:
        MovieNotFound: no visible movie has this id.
        UserNotFound: no user has this id.
    """
    movies.get_visible(movie_id)
    invalidate_list(user_id)
    upsert_dismissal(user_id, movie_id, is_unwanted=True)


def delete_dismissal(user_id: int, movie_id: int) -> bool:
    """Undo a skip or dismissal; return whether the user's list may change. Does not commit."""
    is_this = (Dismissal.user_id == user_id, Dismissal.movie_id == movie_id)
    was_unwanted = bool(db.session.scalar(sa.delete(Dismissal).where(*is_this).returning(Dismissal.is_unwanted)))
    if was_unwanted:
        invalidate_list(user_id)
    return was_unwanted


def is_unwanted(user_id: int, movie_id: int) -> bool:
    """Return whether the user dismissed the movie as not interesting."""
    query = sa.select(Dismissal.is_unwanted).where(Dismissal.user_id == user_id, Dismissal.movie_id == movie_id)
    return bool(db.session.scalar(query))


def upsert_dismissal(user_id: int, movie_id: int, *, is_unwanted: bool) -> None:
    """Upsert the row; a skip keeps an earlier dismissal. Does not commit."""
    insert = dialect_insert(Dismissal.__table__).values(
        user_id=user_id, movie_id=movie_id, is_unwanted=is_unwanted, timestamp=now()
    )
    replacement = {
        "is_unwanted": insert.excluded.is_unwanted | Dismissal.is_unwanted,
        "timestamp": insert.excluded.timestamp,
    }
    db.session.execute(
        insert.on_conflict_do_update(index_elements=[Dismissal.user_id, Dismissal.movie_id], set_=replacement)
    )


def invalidate_list(user_id: int) -> None:
    """Increment the user's list generation, which makes cached lists stale; raise UserNotFound without a user."""
    changed = db.session.execute(
        sa.update(User).where(User.id == user_id).values(list_generation=User.list_generation + 1).returning(User.id)
    )
    if changed.first() is None:
        raise UserNotFound
