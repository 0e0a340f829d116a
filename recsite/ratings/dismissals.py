"""Movies that people put aside: skipped while they reviewed, or of no interest to them."""

import sqlalchemy as sa

from recsite import movies
from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import Dismissal, User, now


def skip(user_id: int, movie_id: int) -> None:
    """The review does not show the movie again; lists still may. Raises MovieNotFound."""
    put_aside(user_id, movie_id, is_unwanted=False)


def dismiss(user_id: int, movie_id: int) -> None:
    """No list of the user's shows the movie, nor the review; raises MovieNotFound, UserNotFound.

    Whoever keeps lists writes this user's anew afterwards, as after a rating.
    """
    put_aside(user_id, movie_id, is_unwanted=True)


def take_back(user_id: int, movie_id: int) -> None:
    """The movie is as if it had not been put aside, which it need not have been."""
    this_one = sa.delete(Dismissal).where(Dismissal.user_id == user_id, Dismissal.movie_id == movie_id)
    if db.session.scalar(this_one.returning(Dismissal.is_unwanted)):
        change_list_generation(user_id)
    db.session.commit()


def is_unwanted(user_id: int, movie_id: int) -> bool:
    """Whether the user is not interested in the movie."""
    query = sa.select(Dismissal.is_unwanted).where(Dismissal.user_id == user_id, Dismissal.movie_id == movie_id)
    return bool(db.session.scalar(query))


def put_aside(user_id: int, movie_id: int, *, is_unwanted: bool) -> None:
    """One row for the pair; a movie of no interest stays so when it is skipped."""
    movies.get_visible(movie_id)
    if is_unwanted:
        change_list_generation(user_id)
    new = dialect_insert(Dismissal.__table__).values(
        user_id=user_id, movie_id=movie_id, is_unwanted=is_unwanted, timestamp=now()
    )
    db.session.execute(
        new.on_conflict_do_update(
            index_elements=[Dismissal.user_id, Dismissal.movie_id],
            set_={"is_unwanted": new.excluded.is_unwanted | Dismissal.is_unwanted, "timestamp": new.excluded.timestamp},
        )
    )
    db.session.commit()


def change_list_generation(user_id: int) -> None:
    """Answers kept for this user are stale, though no rating changed; raises UserNotFound."""
    changed = db.session.execute(
        sa.update(User).where(User.id == user_id).values(list_generation=User.list_generation + 1).returning(User.id)
    )
    if changed.first() is None:
        db.session.rollback()
        raise UserNotFound
