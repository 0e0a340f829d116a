"""Indexes and constraints of the ratings, which are built anew where many rows are written.

Kept up row by row, PostgreSQL took 103 s for three million ratings; built afterwards, 15 s.
"""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.schema import AddConstraint, DropConstraint

from recsite.extensions import db
from recsite.ratings.writing import ratings

MANY_ROWS_SQLITE = 50_000
"""From this number on, SQLite's indexes are built anew, unless the table has more than ten times as many rows.

Kept up row by row, 1.7 million rows beside ten million took 158 s of CPU and wrote 4.5 GB.
"""
MANY_ROWS_POSTGRESQL = 20_000
LOCK_MILLISECONDS = 500
"Visitors wait for the lock as long as the import does. A deadlock is looked for after a second."
LOCK_TABLES = sa.text("LOCK TABLE users, movies, ratings IN ACCESS EXCLUSIVE MODE")
OWNS_TABLES = sa.text(
    "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class"
    " WHERE oid IN ('users'::regclass, 'movies'::regclass, 'ratings'::regclass)"
)
LOCK_NOT_AVAILABLE = "55P03"


@contextlib.contextmanager
def without_indexes(rows: int) -> Iterator[None]:
    """Build the indexes after the block, on SQLite, if it writes this many rows into a table with not many more."""
    connection = db.session.connection()
    stored = db.session.scalar(sa.select(sa.func.count()).select_from(ratings)) or 0
    rebuilt = sorted_indexes() if rows >= max(MANY_ROWS_SQLITE, stored / 10) else []
    for index in rebuilt:
        index.drop(connection)
    yield
    for index in rebuilt:
        index.create(connection)


@contextlib.contextmanager
def without_constraints(rows: int) -> Iterator[None]:
    """Build indexes, primary and foreign keys after the block, on PostgreSQL, if it fills an empty table.

    All is part of the session's transaction. Nobody else reads users, movies and ratings until its commit, so the keys
    stay where others have ratings to read or write.
    """
    if rows < MANY_ROWS_POSTGRESQL or not lock_empty_table():
        yield
        return
    connection = db.session.connection()
    keys = sorted(ratings.foreign_key_constraints, key=lambda key: str(key.name))
    for constraint in (*keys, ratings.primary_key):
        connection.execute(DropConstraint(constraint))
    for index in sorted_indexes():
        index.drop(connection)
    yield
    connection.execute(AddConstraint(ratings.primary_key, isolate_from_table=False))
    for index in sorted_indexes():
        index.create(connection)
    for key in keys:
        connection.execute(AddConstraint(key, isolate_from_table=False))


def lock_empty_table() -> bool:
    """Lock the tables of the foreign keys if nobody has ratings and nobody else uses them; return whether it did."""
    is_filled = sa.select(sa.exists().select_from(ratings))
    if db.session.scalar(is_filled) or not db.session.scalar(OWNS_TABLES):
        return False
    try:
        with db.session.begin_nested() as savepoint:
            db.session.execute(sa.text(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}"))
            db.session.execute(LOCK_TABLES)
            db.session.execute(sa.text("SET LOCAL lock_timeout TO DEFAULT"))
            if db.session.scalar(is_filled):
                # Somebody rated while this waited.
                savepoint.rollback()
                return False
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def sorted_indexes() -> list[sa.Index]:
    """Return the indexes of the ratings, without that of the primary key, by name."""
    return sorted(ratings.indexes, key=lambda index: str(index.name))
