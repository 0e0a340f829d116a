"""Queries that every request asks, run on the driver's own cursor: SQLAlchemy's part of one is ten times SQLite's."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from recsite.extensions import db
from recsite.storage.timeouts import FilePool


class ReadyQuery:
    """A SELECT whose SQL is written once for each kind of database; its values come back as the driver has them.

    Dates and JSON would differ from driver to driver, so its columns hold numbers, truths and text. Every call reads
    what is committed at that moment, outside of the session's transaction.
    """

    def __init__(self, statement: sa.Select[*tuple[Any, ...]]) -> None:
        self.statement = statement
        self._compiled: dict[str, tuple[str, dict[str, Any], list[str] | None]] = {}

    def rows(self, **values: Any) -> Sequence[Sequence[Any]]:
        """All rows for these parameters; raises SQLAlchemy's errors."""
        engine = db.engine
        sql, parameters = self._ready(engine.dialect, values)
        try:
            if isinstance(engine.pool, FilePool):
                return engine.pool.read(sql, parameters)
            connection = engine.raw_connection()
        except engine.dialect.loaded_dbapi.Error:
            return self._ask_again(values)
        try:
            if engine.dialect.name == "postgresql":
                # Else the driver begins a transaction and the pool ends it, each a way there and back.
                connection.driver_connection.autocommit = True  # type: ignore[union-attr]
            found: Sequence[Sequence[Any]] = connection.cursor().execute(sql, parameters).fetchall()
            if engine.dialect.name == "postgresql":
                connection.driver_connection.autocommit = False  # type: ignore[union-attr]
        except engine.dialect.loaded_dbapi.Error:
            connection.invalidate()
            return self._ask_again(values)
        finally:
            connection.close()
        return found

    def _ask_again(self, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """The same in the common way: on a new connection if one was dead, with errors that the site knows."""
        with db.engine.connect() as another:
            return another.execute(self.statement, values).all()

    def _ready(self, dialect: sa.Dialect, values: dict[str, Any]) -> tuple[str, Any]:
        """The SQL and its parameters as this driver takes them."""
        if dialect.name not in self._compiled:
            compiled = self.statement.compile(dialect=dialect)
            names = getattr(compiled, "positiontup", None)
            self._compiled[dialect.name] = (compiled.string, dict(compiled.params), names)
        sql, constants, names = self._compiled[dialect.name]
        named = constants | values
        return sql, named if names is None else [named[name] for name in names]


def dialect_insert(table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT for the session's kind of database that supports ON CONFLICT."""
    return postgresql.insert(table) if db.session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


def run(statement: sa.Executable, **parameters: object) -> sa.CursorResult[Any]:
    """Execute a statement in the session's transaction without the ORM, which often takes longer than the database.

    Objects in the session are not updated. Build the statement once, with bind parameters, and reuse it.
    """
    db.session.flush()
    return db.session.connection().execute(statement, parameters)
