"""Statements without the ORM: single reads, upserts, and Core statements in the session's transaction."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from recsite.extensions import db
from recsite.storage.engine import READS, find_read_pool

T = TypeVar("T")

PARAMETERS_PER_STATEMENT = 5_000
"SQLite takes at most 32,766."
DIALECTS: dict[str, sa.Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": PGDialect_psycopg(paramstyle="pyformat"),
}


class CommittedRead:
    """A SELECT of numbers, booleans and text that reads what is committed now.

    Where a transaction is open, the read is part of it, so that a request takes one connection at a time: with two,
    requests that hold one could wait for each other for the second.

    Otherwise it runs on the driver's cursor: `execute` of SQLAlchemy takes 90 µs longer, a third of a warm request to
    /api/suggestions. Dates and JSON are not supported, because every driver returns them in another form.
    """

    def __init__(self, statement: sa.Select[*tuple[Any, ...]]) -> None:
        self.statement = statement
        compiled = {name: statement.compile(dialect=dialect) for name, dialect in DIALECTS.items()}
        self._sql = {name: each.string for name, each in compiled.items()}
        self._constants = {name: each.params for name, each in compiled.items()}

    def rows(self, **parameters: Any) -> Sequence[Sequence[Any]]:
        """Return all rows.

        Without a transaction, connections are not pinged before a read. If one turns out to be dead, the read is
        repeated once on a new one.

        Raises:
            sqlalchemy.exc.DBAPIError: the second attempt failed, too.
        """
        if db.session.registry.has() and db.session().in_transaction():
            return db.session.connection().execute(self.statement, parameters).all()
        engine = db.engines[READS]
        name = engine.dialect.name
        try:
            return find_read_pool().fetch_all(self._sql[name], self._constants[name] | parameters)
        except engine.dialect.loaded_dbapi.Error:
            with engine.connect() as connection:
                return connection.execute(self.statement, parameters).all()


def in_blocks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield these values in portions that one statement can take as parameters."""
    for start in range(0, len(values), PARAMETERS_PER_STATEMENT):
        yield values[start : start + PARAMETERS_PER_STATEMENT]


def dialect_insert(table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT for the session's kind of database that supports ON CONFLICT."""
    return postgresql.insert(table) if db.session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


@contextlib.contextmanager
def driver_cursor() -> Iterator[Any]:
    """Yield a cursor of the driver in the session's transaction, for COPY and for blocks of rows.

    Raises:
        sqlalchemy.exc.DBAPIError: in place of the driver's own errors.
    """
    db.session.flush()
    connection = db.session.connection()
    driver = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        yield cursor
    except driver.Error as error:
        raise sa.exc.DBAPIError.instance(None, None, error, driver.Error, dialect=connection.dialect) from error
    finally:
        cursor.close()


def run(statement: sa.Executable, **parameters: object) -> sa.CursorResult[Any]:
    """Execute a statement in the session's transaction without the ORM, which often takes longer than the database.

    Objects in the session are not updated. Build the statement once, with bind parameters, and reuse it.
    """
    db.session.flush()
    return db.session.connection().execute(statement, parameters)
