"""Timeouts of the database: connecting, waiting for a response, waiting for the lock of a SQLite file.

All waits of one web request end at one deadline, DATABASE_TIMEOUT_SECONDS after the request began; the error becomes a
503. The client enforces it, because a frozen server or a broken network cannot report a timeout of its own. Jobs and
commands have no deadline: only connecting and SQLite's lock are bounded for them.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import psycopg
import sqlalchemy as sa
from flask import Flask
from psycopg.abc import PQGen

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CONNECT_SECONDS = 10
"Timeout of connecting outside of a web request, unless DATABASE_URL has a connect_timeout."
FILE_LOCK_SECONDS = 10.0
"How long a job or command waits for the lock of the SQLite file."
SILENCE_SECONDS = 2.0
"After the server did not accept a connection in time, web requests fail at once for this long."

Result = TypeVar("Result")

_deadline: ContextVar[float | None] = ContextVar("database_deadline", default=None)
"The current web request's deadline on the monotonic clock; None outside of a request."


def init_app(app: Flask) -> None:
    """Give every web request its deadline, which also covers the ROLLBACK after the response."""
    respond = app.wsgi_app

    def respond_before_deadline(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        token = _deadline.set(monotonic() + app.config["DATABASE_TIMEOUT_SECONDS"])
        try:
            return respond(environ, start_response)
        finally:
            _deadline.reset(token)

    app.wsgi_app = respond_before_deadline  # type: ignore[method-assign]


def seconds_left() -> float | None:
    """Return the seconds until the web request's deadline, at least 0; None outside of a request."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - monotonic())


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Move the deadline for the block forward to at most `seconds` from now."""
    left = seconds_left()
    token = _deadline.set(None if left is None else monotonic() + min(seconds, left))
    try:
        yield
    finally:
        _deadline.reset(token)


def wait_for_lock(lock: threading.Lock) -> bool:
    """Acquire a lock whose holder may be waiting for the database; return False after half of the time left."""
    left = seconds_left()
    return lock.acquire(timeout=-1 if left is None else left / 2)


class BoundedConnection(psycopg.Connection[Any]):
    """A PostgreSQL connection whose waits end at the web request's deadline."""

    silent_until: ClassVar[float] = 0.0
    "Until this time on the monotonic clock the server counts as silent for web requests."

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> "BoundedConnection":
        """Return a new connection.

        Raises:
            psycopg.OperationalError: the server refuses the connection, or does not accept it in time.
        """
        left = seconds_left()
        timeout = int(kwargs.get("connect_timeout", CONNECT_SECONDS))
        if left is not None:
            cls.refuse_if_silent(left)
            timeout = max(1, min(timeout, int(left)))  # whole seconds, and libpq raises 1 to 2
        try:
            return super().connect(*args, **kwargs | {"connect_timeout": timeout})
        except psycopg.errors.ConnectionTimeout:
            # Each request would wait in a thread of its own, until no thread is left to answer any.
            cls.silent_until = monotonic() + SILENCE_SECONDS
            raise

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Wait for a response of the server; psycopg calls this for each.

        In autocommit mode SQLAlchemy pings a connection, and CommittedRead reads. Both try another connection if this
        one does not respond, so they may use half of the remaining time.

        Raises:
            psycopg.OperationalError: no response came in time, and the connection is closed.
        """
        left = seconds_left()
        if left is None:
            return super().wait(gen, interval, timeout)
        try:
            self.refuse_if_silent(left)
            return super().wait(gen, interval, left / 2 if self.autocommit else left)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                # No error of the server's. Its response may still come, and would be read as that to the next query.
                self.pgconn.finish()
            raise

    @classmethod
    def refuse_if_silent(cls, left: float) -> None:
        """Raise psycopg.OperationalError if the deadline has passed, or if the server was silent a moment ago."""
        if not left or monotonic() < cls.silent_until:
            raise psycopg.OperationalError("the database did not respond in time")


def connect_to_postgresql(
    dialect: sa.Dialect, _record: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> BoundedConnection | None:
    """Connect to PostgreSQL with timeouts (SQLAlchemy's event `do_connect`); None lets another driver connect."""
    return BoundedConnection.connect(*arguments, **options) if dialect.driver == "psycopg" else None


def set_lock_timeout(connection: Any, _record: Any, _proxy: Any) -> None:
    """Let SQLite wait for the lock of its file until the deadline (event `checkout`)."""
    if isinstance(connection, sqlite3.Connection) and connection.isolation_level is not None:
        left = seconds_left()
        connection.execute(f"PRAGMA busy_timeout={int(1000 * (FILE_LOCK_SECONDS if left is None else left))}")
