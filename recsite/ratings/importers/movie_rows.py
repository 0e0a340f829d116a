"""Movies into their table, merged with what is there: the same for every kind of data set."""

from collections.abc import Callable, Iterable
from datetime import date
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ratings.importers.report import Count
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import Movie, Rating, Suggestion, User

MOVIES_A_STATEMENT = 2000

movies: sa.Table = Movie.__table__
ratings: sa.Table = Rating.__table__
suggestions: sa.Table = Suggestion.__table__
users: sa.Table = User.__table__


class MovieFields(NamedTuple):
    """What a data set says about a movie, named as in the table; '' or None where it says nothing."""

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
"Given the movie as it is in the table and as the file has it: the movie as it shall be."


def save_movies(given: Iterable[MovieFields], merge: Merge, count: Count) -> bool:
    """The table has these movies; returns whether any is new or changed, and adds to `count` how many.

    Each id may be given once. Does not commit, nor bump the catalog: that comes last in a transaction, for whoever has
    the counter must not wait for a movie that somebody holds who waits for the counter.
    """
    before = count.new + count.changed
    upsert = dialect_insert(movies)
    upsert = upsert.on_conflict_do_update(
        index_elements=["id"], set_={name: upsert.excluded[name] for name in MovieFields._fields[1:]}
    )
    remaining = iter(given)
    while some := list(islice(remaining, MOVIES_A_STATEMENT)):
        there = {
            row.id: MovieFields(*row)
            for row in db.session.execute(sa.select(*COLUMNS).where(movies.c.id.in_([movie.id for movie in some])))
        }
        wanted = [merge(there[movie.id], movie) if movie.id in there else movie for movie in some]
        write = [movie._asdict() for movie in wanted if there.get(movie.id) != movie]
        new = len(some) - len(there)
        count.new += new
        count.changed += len(write) - new
        if write:
            db.session.execute(upsert, write)
    return count.new + count.changed > before


def ids() -> dict[int, int]:
    """Every movie id of the table, as its own translation."""
    return {movie_id: movie_id for movie_id in db.session.scalars(sa.select(movies.c.id))}


def ids_by_movielens_id() -> dict[int, int]:
    """Movie ids by MovieLens id, as far as the table knows."""
    known = sa.select(movies.c.movielens_id, movies.c.id).where(movies.c.movielens_id.is_not(None))
    # Should two movies claim one MovieLens id, the smaller id counts: it is the one from TMDB.
    return {row.movielens_id: row.id for row in db.session.execute(known.order_by(movies.c.id.desc()))}


def move_movie(old_id: int, new_id: int) -> None:
    """The movie, with its ratings and suggestions, has the new id instead of the old one. Does not commit.

    1. A movie that is not there under the new id begins as a copy of the old one, but without its MovieLens id.
    2. The lists of everybody who rated the old one are stale.
    3. Of two ratings by the same user the later one stays; of two suggestions the one under the new id.
    4. The old movie is deleted.
    """
    copied = {column.name: column for column in movies.c} | {"id": sa.literal(new_id), "movielens_id": sa.null()}
    copy = dialect_insert(movies).from_select(list(copied), sa.select(*copied.values()).where(movies.c.id == old_id))
    raters = sa.select(ratings.c.user_id).where(ratings.c.movie_id == old_id)
    other = ratings.alias("other")
    same_user = sa.exists().where(other.c.user_id == ratings.c.user_id)
    steps: list[sa.Executable] = [
        copy.on_conflict_do_nothing(),
        sa.update(users).where(users.c.id.in_(raters)).values(rating_generation=users.c.rating_generation + 1),
        sa.delete(ratings).where(
            ratings.c.movie_id == old_id,
            same_user.where(other.c.movie_id == new_id, other.c.timestamp >= ratings.c.timestamp),
        ),
        sa.delete(ratings).where(ratings.c.movie_id == new_id, same_user.where(other.c.movie_id == old_id)),
        sa.update(ratings).where(ratings.c.movie_id == old_id).values(movie_id=new_id),
        sa.delete(suggestions).where(
            suggestions.c.movie_id == old_id,
            suggestions.c.user_id.in_(sa.select(suggestions.c.user_id).where(suggestions.c.movie_id == new_id)),
        ),
        sa.update(suggestions).where(suggestions.c.movie_id == old_id).values(movie_id=new_id),
        sa.delete(movies).where(movies.c.id == old_id),
    ]
    for step in steps:
        db.session.execute(step)


def forget_movielens_id(movie_id: int) -> None:
    """The movie no longer stands for a MovieLens id. Does not commit."""
    db.session.execute(sa.update(movies).where(movies.c.id == movie_id).values(movielens_id=None))
