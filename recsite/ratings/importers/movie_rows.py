"""The movies of a data set, written to the database and merged with what is there; the same for every format."""

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
    """A movie as a data set describes it, with the names of the columns; '' or None where it says nothing."""

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
    """Insert or update these movies, add to `count`, and return whether any was new or changed.

    Each id may occur once. Does not commit and does not bump the catalogue counter: the caller does that last in the
    transaction. A session that has the counter's lock must not wait for the lock of a movie whose owner waits for the
    counter.
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
    """Return every movie id of the database, mapped to itself."""
    return {movie_id: movie_id for movie_id in db.session.scalars(sa.select(movies.c.id))}


def ids_by_movielens_id() -> dict[int, int]:
    """Return the movie ids by MovieLens id, of the movies that have one."""
    known = sa.select(movies.c.movielens_id, movies.c.id).where(movies.c.movielens_id.is_not(None))
    # If two movies have one MovieLens id, the smaller id wins: it is the one from TMDB.
    return {row.movielens_id: row.id for row in db.session.execute(known.order_by(movies.c.id.desc()))}


def move_movie(old_id: int, new_id: int) -> None:
    """Give a movie another id, together with its ratings and suggestions. Does not commit.

    1. If there is no movie with the new id, insert a copy of the old one, without its MovieLens id.
    2. Move the suggestions; of two for the same user the one with the new id stays.
    3. Move the ratings, see `ratings.writing`.
    4. Delete the old movie.
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
    """Remove the movie's MovieLens id. Does not commit."""
    db.session.execute(sa.update(movies).where(movies.c.id == movie_id).values(movielens_id=None))
