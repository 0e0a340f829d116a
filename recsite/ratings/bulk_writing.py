"""Writing of millions of ratings at once, with the invariants that `writing.py` lists.

Only rows that differ from the database are written, in the order of the primary key, straight into the table: ten
million rows that went through temporary tables and window functions wrote 25 GB for a table of one.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import polars as pl
import sqlalchemy as sa

from recsite import movies
from recsite.extensions import db
from recsite.ml.progress import Progress, ignore
from recsite.ratings.bulk_reading import (
    KEY,
    ROWS_PER_BLOCK,
    SQLITE_TIME,
    find_changes,
    is_sqlite,
    read_ratings,
    without_equal_users,
)
from recsite.ratings.bulk_schema import without_constraints, without_indexes
from recsite.ratings.writing import analyze, count_changes_of, lock_users, note_from, ratings, suggestions
from recsite.storage.queries import driver_cursor, run

touched_users = sa.Table(
    "touched_users",
    sa.MetaData(),
    sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
)
COLUMNS = "(user_id, movie_id, value, timestamp)"
ROWS_PER_STATEMENT = 200
"On SQLite. One statement a row takes 2.4 times as long, 1,000 rows are no faster."
UPDATE_CHANGED = (
    "UPDATE ratings SET value = c.value, timestamp = c.timestamp FROM changed_ratings c"
    " WHERE ratings.user_id = c.user_id AND ratings.movie_id = c.movie_id"
)


@dataclass(frozen=True)
class Written:
    """What `write_many` did."""

    new: int
    changed: int
    changes: pl.DataFrame
    "The written rows, with the columns was_value and was_timestamp (null for new ones)."


def write_many(rows: pl.DataFrame, on_progress: Progress = ignore) -> Written:
    """Save these ratings of existing users and movies, and what derives from them. Does not commit.

    Args:
        rows: one row a pair, ordered by it, with user_id, movie_id, value (stars) and timestamp (UTC; null keeps the
            time of an equal rating and is the present time otherwise).
        on_progress: called with the rows written and those to write.
    """
    with locked_users(rows):
        rows = without_equal_users(rows)
        replace_users(rows["user_id"])
        changes = find_changes(rows, read_ratings())
        if len(changes):
            write(changes, on_progress)
            replace_users(changes["user_id"])
            analyze("users", "movies", "ratings")
            mark_changed()
            movies.add_to_averages(sums_by_movie(changes))
    new = changes["was_value"].null_count()
    return Written(new, len(changes) - new, changes)


@contextlib.contextmanager
def locked_users(rows: pl.DataFrame) -> Iterator[None]:
    """Lock the users of these ratings until the commit; during the block they are in the table `touched_users`."""
    touched_users.create(db.session.connection())
    fill_users(rows["user_id"].unique().sort())
    lock_users(sa.select(touched_users.c.user_id))
    yield
    touched_users.drop(db.session.connection())


def mark_changed() -> None:
    """Increment the rating generations of the touched users, and copy their ratings to their suggestions."""
    ids = sa.select(touched_users.c.user_id)
    run(count_changes_of(ids))
    # On SQLite, the copy would read all ratings even where nobody has suggestions.
    if db.session.scalar(sa.select(sa.exists().where(suggestions.c.user_id.in_(ids)))):
        run(note_from(sa.select(ratings).where(ratings.c.user_id.in_(ids)).subquery()))


def sums_by_movie(changes: pl.DataFrame) -> Iterator[tuple[int, int, int]]:
    """Return the number of new ratings and the change of the sum in half stars by movie, ordered by movie id."""
    half_stars = (pl.col("value") - pl.col("was_value").fill_null(0)) * 2
    by_movie = changes.group_by("movie_id").agg(pl.col("was_value").null_count(), half_stars.sum().cast(pl.Int64))
    return by_movie.sort("movie_id").iter_rows()


def replace_users(ids: pl.Series) -> None:
    """Make these the only users in the temporary table."""
    run(sa.delete(touched_users))
    fill_users(ids.unique().sort())


def fill_users(ids: pl.Series) -> None:
    """Insert these ids into the temporary table."""
    with driver_cursor() as cursor:
        if is_sqlite():
            cursor.executemany("INSERT INTO touched_users VALUES (?)", ids.to_frame().iter_rows())
        else:
            copy_frame(cursor, "touched_users (user_id)", ids.to_frame())
    analyze(touched_users.name)


def write(changes: pl.DataFrame, on_progress: Progress = ignore) -> None:
    """Insert or replace these ratings."""
    (write_sqlite if is_sqlite() else write_postgresql)(changes, on_progress)


def write_sqlite(changes: pl.DataFrame, on_progress: Progress) -> None:
    """Upsert the changes."""
    with without_indexes(len(changes)), driver_cursor() as cursor:
        for done, block in blocks_of(changes):
            block = block.with_columns(pl.col("timestamp").dt.strftime(SQLITE_TIME))
            whole = len(block) - len(block) % ROWS_PER_STATEMENT
            cursor.executemany(upsert_of(ROWS_PER_STATEMENT), parameters_of(block.head(whole), ROWS_PER_STATEMENT))
            cursor.executemany(upsert_of(1), block.tail(len(block) - whole).iter_rows())
            on_progress(done, len(changes))


def upsert_of(rows: int) -> str:
    """Return SQLite's statement that inserts or replaces this many ratings."""
    places = ", ".join(["(?, ?, ?, ?)"] * rows)
    return (
        f"INSERT INTO ratings {COLUMNS} VALUES {places}"  # noqa: S608 -- places alone
        " ON CONFLICT (user_id, movie_id) DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp"
    )


def parameters_of(block: pl.DataFrame, rows: int) -> Iterator[list[Any]]:
    """Yield the values of this many rows in one list."""
    all_rows = block.iter_rows()
    while parameters := list(chain.from_iterable(islice(all_rows, rows))):
        yield parameters


def write_postgresql(changes: pl.DataFrame, on_progress: Progress) -> None:
    """Copy new ratings into the table, and update changed ones from a temporary table."""
    new = changes.filter(pl.col("was_value").is_null())
    changed = changes.filter(pl.col("was_value").is_not_null())
    with without_constraints(len(new)), driver_cursor() as cursor:
        for done, block in blocks_of(new):
            copy_frame(cursor, f"ratings {COLUMNS}", block)
            on_progress(done, len(changes))
        if len(changed):
            cursor.execute("CREATE TEMPORARY TABLE changed_ratings (LIKE ratings) ON COMMIT DROP")
            for _, block in blocks_of(changed):
                copy_frame(cursor, f"changed_ratings {COLUMNS}", block)
            cursor.execute(UPDATE_CHANGED)
            cursor.execute("DROP TABLE changed_ratings")
    on_progress(len(changes), len(changes))


def blocks_of(changes: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the columns of the table in blocks, each with the number of rows up to its end."""
    for start in range(0, len(changes), ROWS_PER_BLOCK):
        block = changes.slice(start, ROWS_PER_BLOCK).select(*KEY, "value", "timestamp")
        yield start + len(block), block


def copy_frame(cursor: Any, target: str, frame: pl.DataFrame) -> None:
    """Append the frame to a table of PostgreSQL."""
    with cursor.copy(f"COPY {target} FROM STDIN (FORMAT csv)") as copy:
        copy.write(frame.write_csv(include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00").encode())
