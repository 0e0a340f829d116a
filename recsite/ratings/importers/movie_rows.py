"""The movies of a data set, merged with those of the database; the same for every format."""

from collections.abc import Callable, Iterable
from datetime import date
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ratings.importers.report import Count
from recsite.ratings.writing import move_ratings
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import Movie, Suggestion

MOVIES_PER_STATEMENT = 2000

movies: sa.Table = Movie.__table__
suggestions: sa.Table = Suggestion.__table__


class MovieFields(NamedTuple):
    """A data set's movie with the names of the columns; '' or None for what it does not give."""

    id: int
    title: str
    overview: str = ""
    release_date: date | None = None
    genres: str = ""
    poster_path: str | None = None
    movielens_id: int | None = None
    imdb_id: str | None = None


COLUMNS = [movies.c[name] for name in MovieFields._fields]
Merge = Callable[[MovieFields, MovieFields], MovieFields]
"Returns the movie to save, from the movie in the database and the one in the file."


def save_movies(file_movies: Iterable[MovieFields], merge: Merge, count: Count) -> bool:
    """Upsert these movies, add to `count`, and return whether any was new or changed. Does not commit.

    Each id may occur once. The caller bumps the catalogue counter last in the transaction: waiting for a movie while
    holding the counter's lock could deadlock.
    """
    before = count.new + count.changed
    insert = dialect_insert(movies)
    upsert = insert.on_conflict_do_update(
        index_elements=["id"], set_={name: insert.excluded[name] for name in MovieFields._fields[1:]}
    )
    remaining = iter(file_movies)
    while block := list(islice(remaining, MOVIES_PER_STATEMENT)):
        query = sa.select(*COLUMNS).where(movies.c.id.in_([movie.id for movie in block]))
        stored = {row.id: MovieFields(*row) for row in db.session.execute(query)}
        merged = [merge(stored[movie.id], movie) if movie.id in stored else movie for movie in block]
        differing = [movie._asdict() for movie in merged if stored.get(movie.id) != movie]
        new = len(block) - len(stored)
        count.new += new
        count.changed += len(differing) - new
        if differing:
            db.session.execute(upsert, differing)
    return count.new + count.changed > before


def all_ids() -> dict[int, int]:
    """Return every movie id, mapped to itself."""
    return {movie_id: movie_id for movie_id in db.session.scalars(sa.select(movies.c.id))}


def ids_by_movielens_id() -> dict[int, int]:
    """Return the movie ids by MovieLens id."""
    known = sa.select(movies.c.movielens_id, movies.c.id).where(movies.c.movielens_id.is_not(None))
    # If two movies have one MovieLens id, the smaller id wins: it is the one from TMDB.
    return {row.movielens_id: row.id for row in db.session.execute(known.order_by(movies.c.id.desc()))}


def move_movie(old_id: int, new_id: int) -> None:
    """Give a movie another id, together with its ratings and suggestions. Does not commit.

    If the new id exists, its movie stays, and of two suggestions for one user the one with the new id.
    """
    copied = {column.name: column for column in movies.c} | {"id": sa.literal(new_id), "movielens_id": sa.null()}
    copy = dialect_insert(movies).from_select(list(copied), sa.select(*copied.values()).where(movies.c.id == old_id))
    db.session.execute(copy.on_conflict_do_nothing())
    has_new = suggestions.c.user_id.in_(sa.select(suggestions.c.user_id).where(suggestions.c.movie_id == new_id))
    db.session.execute(sa.delete(suggestions).where(suggestions.c.movie_id == old_id, has_new))
    db.session.execute(sa.update(suggestions).where(suggestions.c.movie_id == old_id).values(movie_id=new_id))
    move_ratings(old_id, new_id)
    db.session.execute(sa.delete(movies).where(movies.c.id == old_id))


def clear_movielens_id(movie_id: int) -> None:
    """Set the movie's MovieLens id to NULL. Does not commit."""
    db.session.execute(sa.update(movies).where(movies.c.id == movie_id).values(movielens_id=None))
