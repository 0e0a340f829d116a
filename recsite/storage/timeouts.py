"""How long a web request waits for the database: `DATABASE_TIMEOUT_SECONDS` in all, and then it is over.

A server that was frozen, or a network that lost it, says nothing at all, so that the waiting has to end on this side.
Jobs and commands wait for answers as long as it takes; for a connection nobody does.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
import sqlalchemy as sa
from flask import Flask
from psycopg import waiting
from psycopg.abc import PQGen
from sqlalchemy.pool import PoolProxiedConnection

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CONNECT_SECONDS = 10
"For who is in no hurry, where the database's address does not say how long."
FILE_LOCK_SECONDS = 10.0
"How long a job or command waits for whoever writes to the SQLite file."
LOCK_SECONDS = "lock_seconds"
"Under which a connection to a file notes how long it was told to wait."
TURN_SECONDS = 0.1
"A sound server answers one who asks whether it is back within this, and then the next one may ask."

Answer = TypeVar("Answer")


class Patience:
    """What is left of the time that one request waits for the database."""

    __slots__ = ("seconds_left",)

    def __init__(self, seconds: float) -> None:
        self.seconds_left = seconds


of_request: ContextVar[Patience | None] = ContextVar("patience", default=None)
"Of the request that is being answered; None outside of one, where waiting has no end."


def init_app(app: Flask) -> None:
    """Every request has its patience, to the end of what happens after its answer, such as a last ROLLBACK."""
    answer = app.wsgi_app

    def answer_in_time(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        before = of_request.set(Patience(app.config["DATABASE_TIMEOUT_SECONDS"]))
        try:
            return answer(environ, start_response)
        finally:
            of_request.reset(before)

    app.wsgi_app = answer_in_time  # type: ignore[method-assign]


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is done inside waits no longer than this, and the request goes on with the rest of its patience."""
    mine = of_request.get()
    if mine is None:
        yield
        return
    kept, mine.seconds_left = mine.seconds_left, min(seconds, mine.seconds_left)
    given = mine.seconds_left
    try:
        yield
    finally:
        mine.seconds_left += kept - given


def wait_for_lock(lock: threading.Lock) -> bool:
    """Take a lock whose holder may be waiting for the database; False when half of the request's patience is gone."""
    mine = of_request.get()
    if mine is None:
        return lock.acquire()
    with charged_to(mine):
        return lock.acquire(timeout=max(0.0, mine.seconds_left / 2))


def wait_for_event(event: threading.Event, seconds: float) -> None:
    """The event has come, from a thread that may be waiting for the database, or the time or the patience is over."""
    mine = of_request.get()
    if mine is None:
        event.wait(seconds)
        return
    with charged_to(mine):
        event.wait(max(0.0, min(seconds, mine.seconds_left)))


@contextlib.contextmanager
def charged_to(mine: Patience) -> Iterator[None]:
    """What happens inside is a wait for the database, too."""
    began = monotonic()
    try:
        yield
    finally:
        mine.seconds_left -= monotonic() - began


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the request's patience ends before the answer comes."""

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> "BoundedConnection":
        """A new one; raises psycopg.OperationalError."""
        mine = of_request.get()
        given = int(kwargs.get("connect_timeout", CONNECT_SECONDS))
        if mine is None:
            return super().connect(*args, **kwargs | {"connect_timeout": given})
        if mine.seconds_left <= 0:
            raise psycopg.OperationalError("no time is left to connect in")
        # The driver makes 2 seconds of anything less, which is half of the least that can be set.
        return super().connect(*args, **kwargs | {"connect_timeout": max(1, min(given, int(mine.seconds_left)))})

    def wait(self, gen: PQGen[Answer], interval: float = 0.1, timeout: float | None = None) -> Answer:
        """What the driver calls to wait for each answer of the server."""
        mine = of_request.get()
        if mine is None:
            return super().wait(gen, interval, timeout)
        began, left = monotonic(), mine.seconds_left
        try:
            # The driver's own way to wait, without what it does about Ctrl-C: this is several times in each query.
            return waiting.wait(gen, self.pgconn.socket, interval, left if left > 0 else 0.0)
        except psycopg.errors._WaitTimeout:
            # The answer may still come, and would be taken for that to the next question.
            self.pgconn.finish()
            raise psycopg.OperationalError("the database did not answer in time") from None
        finally:
            mine.seconds_left = left - (monotonic() - began)


def connect(
    dialect: sa.Dialect, _record: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> BoundedConnection | None:
    """What SQLAlchemy calls to connect to PostgreSQL; None leaves it to the driver of another database."""
    return BoundedConnection.connect(*arguments, **options) if dialect.driver == "psycopg" else None


def note_failure(context: sa.engine.ExceptionContext) -> None:
    """A request that waited for SQLite's lock in vain has waited as long as the connection was told to."""
    mine, error, connection = of_request.get(), context.original_exception, context.connection
    if mine is None or connection is None or not isinstance(error, sqlite3.OperationalError):
        return
    if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
        mine.seconds_left -= connection.info.get(LOCK_SECONDS, 0.0)


class ServerPool(sa.QueuePool):
    """Connections to PostgreSQL. While it does not answer, one request at a time asks whether it is back.

    The others fail at once: they would wait in every thread of the process until nobody is left who answers.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_silent = False
        self.turn = threading.Lock()

    def connect(self) -> PoolProxiedConnection:
        """A connection that answered just now; raises sa.exc.OperationalError to a request."""
        mine = of_request.get()
        if mine is None:
            return super().connect()
        takes_turns = self.is_silent
        if takes_turns and not self.turn.acquire(timeout=TURN_SECONDS):
            raise out("it has not answered for a while")
        try:
            return self._connect_within(mine)
        finally:
            if takes_turns:
                self.turn.release()

    def _connect_within(self, mine: Patience) -> PoolProxiedConnection:
        # "Are you there?" takes no time to answer, so half of it is left to say sorry to those who queue for a thread.
        kept, began = mine.seconds_left, monotonic()
        mine.seconds_left = kept / 2
        try:
            connection = super().connect()
        except psycopg.OperationalError as error:
            self.is_silent = True
            mine.seconds_left = 0.0
            raise out(str(error)) from error
        self.is_silent = False
        mine.seconds_left = kept - (monotonic() - began)
        return connection


def out(why: str) -> sa.exc.OperationalError:
    """The error of a database that does not answer, in SQLAlchemy's words."""
    return sa.exc.OperationalError(None, None, psycopg.OperationalError(why))


class FilePool(sa.QueuePool):
    """Connections to a SQLite file, which wait for its lock as long as whoever uses them may."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of_thread = threading.local()

    def connect(self) -> PoolProxiedConnection:
        """A connection; raises the driver's errors."""
        return wait_for_the_lock_as_long_as_may_be(super().connect())

    def read(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows of a SELECT that stands alone; raises the driver's errors.

        On a connection that the thread keeps: to take one and to give it back takes longer than such a SELECT.
        """
        connection: PoolProxiedConnection | None = getattr(self.of_thread, "connection", None)
        if connection is None:
            connection = self.connect()
            # It counts among those of the pool no more, which are for whoever writes.
            connection.detach()
        self.of_thread.connection = None
        wait_for_the_lock_as_long_as_may_be(connection)
        try:
            found: list[tuple[Any, ...]] = connection.dbapi_connection.execute(sql, parameters).fetchall()  # type: ignore[union-attr]
        except sqlite3.Error:
            connection.close()
            raise
        self.of_thread.connection = connection
        return found


def wait_for_the_lock_as_long_as_may_be(connection: PoolProxiedConnection) -> PoolProxiedConnection:
    """The connection to a file, told how long whoever uses it now may wait for the file's lock."""
    mine = of_request.get()
    seconds = FILE_LOCK_SECONDS if mine is None else mine.seconds_left
    if connection.info.get(LOCK_SECONDS) != seconds:
        connection.cursor().execute(f"PRAGMA busy_timeout={int(max(0.0, seconds) * 1000)}")
        connection.info[LOCK_SECONDS] = seconds
    return connection


def engine_options(uri: str, seconds: float) -> dict[str, Any]:
    """How SQLAlchemy keeps connections to this database."""
    if uri.startswith("postgresql"):
        # A connection that died with its server is replaced, rather than failing the request that gets it. A file has
        # no server.
        return {"poolclass": ServerPool, "pool_pre_ping": True, "pool_timeout": seconds}
    if sa.make_url(uri).database in (None, "", ":memory:"):
        return {}
    # A new connection may wait before it is told anything, and a request that fails on one tries another.
    return {"poolclass": FilePool, "pool_timeout": seconds, "connect_args": {"timeout": seconds / 2}}
