"""The movies of a data set, merged with those of the database; the same for every format."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ratings.importers.report import Count
from recsite.ratings.writing import move_ratings
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import (
    MOVIE_ID_WITHOUT_TMDB,
    AuditEntry,
    Dismissal,
    HistoryImport,
    Movie,
    MovieAlias,
    Rating,
)

MOVIES_PER_STATEMENT = 2000

movies: sa.Table = Movie.__table__
ratings: sa.Table = Rating.__table__
dismissals: sa.Table = Dismissal.__table__
aliases: sa.Table = MovieAlias.__table__
imports: sa.Table = HistoryImport.__table__
audit: sa.Table = AuditEntry.__table__
REFERENCES = [
    column
    for table in db.metadata.sorted_tables
    for column in table.columns
    if any(key.column is movies.c.id for key in column.foreign_keys)
]
"Every column of every table that refers to a movie."


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
    is_hidden: bool = False


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
        # In one order, or two imports at once could wait for each other.
        differing = [movie._asdict() for movie in sorted(merged) if stored.get(movie.id) != movie]
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
    """Return the movie ids by MovieLens id, also by those that are kept as aliases."""
    others = read_aliases()
    known = sa.select(movies.c.movielens_id, movies.c.id).where(movies.c.movielens_id.is_not(None))
    # If two movies have one MovieLens id, the smaller id wins: it is the one from TMDB.
    return others | {row.movielens_id: row.id for row in db.session.execute(known.order_by(movies.c.id.desc()))}


def ids_by_imdb_id() -> dict[str, int]:
    """Return the movie ids by IMDb id; of two movies with one the smaller id, which is the one from TMDB."""
    known = sa.select(movies.c.imdb_id, movies.c.id).where(movies.c.imdb_id.is_not(None))
    return {row.imdb_id: row.id for row in db.session.execute(known.order_by(movies.c.id.desc()))}


def read_aliases() -> dict[int, int]:
    """Return the movie ids by MovieLens ids that are aliases."""
    rows = db.session.execute(sa.select(aliases.c.movielens_id, aliases.c.movie_id))
    return {row.movielens_id: row.movie_id for row in rows}


def save_aliases(ids: Mapping[int, int]) -> None:
    """Keep the MovieLens ids (with their movie ids) that are not the one of their movie. Does not commit."""
    own = {row.id: row.movielens_id for row in db.session.execute(sa.select(movies.c.id, movies.c.movielens_id))}
    stored = read_aliases()
    wanted = {number: movie_id for number, movie_id in ids.items() if own.get(movie_id) != number}
    gone = [number for number in stored if number in ids and wanted.get(number) != stored[number]]
    new = [number for number in wanted if stored.get(number) != wanted[number]]
    if gone:
        db.session.execute(
            sa.delete(aliases).where(aliases.c.movielens_id == sa.bindparam("n")), [{"n": n} for n in gone]
        )
    if new:
        rows = [{"movielens_id": number, "movie_id": wanted[number]} for number in sorted(new)]
        db.session.execute(sa.insert(aliases), rows)


def move_movies(moves: Mapping[int, int]) -> None:
    """Give these movies other ids (new ids by old ones), with all rows that refer to them. Does not commit.

    If a new id exists, its movie stays. Of two rows that only differ by the movie, the one with the new id stays; of
    two ratings the later one. The caller has locked `users_of_movable`.
    """
    for old_id, new_id in sorted(moves.items()):
        copy_movie(old_id, new_id)
        keep_dismissal(old_id, new_id)
        for column in REFERENCES:
            if column.table is not ratings:
                move_reference(column, old_id, new_id)
        move_ratings(old_id, new_id)
        is_subject = (audit.c.kind == "movie") & (audit.c.subject == str(old_id))
        db.session.execute(sa.update(audit).where(is_subject).values(subject=str(new_id)))
        delete_movie(old_id, new_id)


def copy_movie(old_id: int, new_id: int) -> None:
    """Insert the movie under its new id, without its MovieLens id and the site's, unless the new id exists."""
    replaced = {"id": sa.literal(new_id), "movielens_id": sa.null(), "site_id": sa.null()}
    copied = {column.name: column for column in movies.c} | replaced
    copy = dialect_insert(movies).from_select(list(copied), sa.select(*copied.values()).where(movies.c.id == old_id))
    db.session.execute(copy.on_conflict_do_nothing())


def delete_movie(old_id: int, new_id: int) -> None:
    """Delete the movie with the old id; the new one takes over the site's id and link, where it has none."""
    site_id, link = db.session.execute(sa.select(movies.c.site_id, movies.c.link).where(movies.c.id == old_id)).one()
    db.session.execute(sa.delete(movies).where(movies.c.id == old_id))
    if site_id or link:
        kept = {"site_id": sa.func.coalesce(movies.c.site_id, site_id), "link": sa.func.coalesce(movies.c.link, link)}
        db.session.execute(sa.update(movies).where(movies.c.id == new_id).values(kept))


def keep_dismissal(old_id: int, new_id: int) -> None:
    """Keep a movie out of the lists of users who did not want it under its old id and skipped it under the new one."""
    unwanted = sa.select(dismissals.c.user_id).where(dismissals.c.movie_id == old_id, dismissals.c.is_unwanted)
    is_theirs = (dismissals.c.movie_id == new_id) & dismissals.c.user_id.in_(unwanted)
    db.session.execute(sa.update(dismissals).where(is_theirs).values(is_unwanted=True))


def move_reference(column: sa.Column[int], old_id: int, new_id: int) -> None:
    """Change the movie's id in this column; where a row with the new id exists, delete that with the old one."""
    table = column.table
    if column.primary_key:
        other = table.alias()
        has_new = sa.exists().where(other.c[column.name] == new_id)
        for key in table.primary_key:
            if key is not column:
                has_new = has_new.where(other.c[key.name] == key)
        db.session.execute(sa.delete(table).where(column == old_id, has_new))
    db.session.execute(sa.update(table).where(column == old_id).values({column: new_id}))


def users_of_movable() -> sa.CompoundSelect[int]:
    """Return the query of the users who have a row, in any table, about a movie without a TMDB id."""
    queries = []
    for column in REFERENCES:
        is_movable = column > MOVIE_ID_WITHOUT_TMDB
        if "user_id" in column.table.c:
            queries.append(sa.select(column.table.c.user_id).where(is_movable))
        elif "import_id" in column.table.c:
            is_import = imports.c.id == column.table.c.import_id
            queries.append(sa.select(imports.c.user_id).join(column.table, is_import).where(is_movable))
    return sa.union(*queries)


def clear_movielens_id(movie_id: int) -> None:
    """Set the movie's MovieLens id to NULL. Does not commit."""
    db.session.execute(sa.update(movies).where(movies.c.id == movie_id).values(movielens_id=None))
