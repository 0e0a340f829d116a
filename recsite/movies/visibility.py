"""Lookup of a movie by id, its visibility, and the counter of catalogue changes."""

import secrets

import sqlalchemy as sa

from recsite.errors import MovieNotFound
from recsite.extensions import db
from recsite.storage.queries import dialect_insert, run
from recsite.storage.tables import Counter, Movie

LARGEST_FIRST_VALUE = 1_000_000_000
"Upper bound of the random start of the catalogue counter."


def get_visible(movie_id: int) -> Movie:
    """Return this movie; raise MovieNotFound if it does not exist or is hidden."""
    movie = get_movie(movie_id)
    if movie.is_hidden:
        raise MovieNotFound
    return movie


def get_movie(movie_id: int) -> Movie:
    """Return this movie, visible or hidden; raise MovieNotFound if it does not exist."""
    movie = db.session.get(Movie, movie_id)
    if movie is None:
        raise MovieNotFound
    return movie


def hide(movie_id: int) -> None:
    """Hide the movie from all but admins, and commit; raise MovieNotFound if it does not exist."""
    update_is_hidden(movie_id, True)


def show(movie_id: int) -> None:
    """Make a hidden movie visible again, and commit; raise MovieNotFound if it does not exist."""
    update_is_hidden(movie_id, False)


def update_is_hidden(movie_id: int, is_hidden: bool) -> None:
    """Set `is_hidden`, bump the catalogue counter, and commit."""
    if not run(sa.update(Movie).where(Movie.id == movie_id).values(is_hidden=is_hidden)).rowcount:
        db.session.rollback()
        raise MovieNotFound
    bump_catalog()
    db.session.commit()


def bump_catalog() -> None:
    """Increment the catalogue counter, which makes every earlier list stale. Does not commit."""
    # The counter of a new database starts at a random value: its cache keys must differ from those of an earlier one.
    start = secrets.randbelow(LARGEST_FIRST_VALUE) + 1
    insert = dialect_insert(Counter.__table__).values(name="catalog", value=start)
    db.session.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": Counter.value + 1}))
