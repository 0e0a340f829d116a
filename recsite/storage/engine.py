"""The engines: one for sessions, one for single reads, and what every new connection is told."""

import contextlib
import sqlite3
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import psycopg
import sqlalchemy as sa
from flask import Flask, current_app
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

from recsite.extensions import db
from recsite.storage import timeouts

READS = "reads"
"Bind key of the engine in autocommit mode: `db.engines[READS]`."
POOL = "recsite_reads"
"Key of the app's ReadPool in `app.extensions`."
READ_CONNECTIONS = 8
"Connections of one process for single reads. A read takes a fraction of a millisecond, so few are in use at once."
LISTENERS = (
    ("do_connect", timeouts.connect_to_postgresql),
    ("checkout", timeouts.set_lock_timeout),
)


class ReadPool:
    """A pool of connections in autocommit mode for single reads.

    SQLAlchemy's pool takes 40 µs longer per read, 13 % of a warm request to /api/suggestions.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._slots: SimpleQueue[sa.PoolProxiedConnection | None] = SimpleQueue()
        "None stands for a connection that has yet to be made."
        for _ in range(READ_CONNECTIONS):
            self._slots.put(None)

    def fetch_all(self, sql: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Return all rows of a SELECT. A connection on which it fails is closed.

        Raises:
            Exception: the driver's own errors.
        """
        connection = self._slots.get()
        try:
            connection = connection or self.engine.raw_connection()
            rows: Sequence[Sequence[Any]] = connection.cursor().execute(sql, parameters).fetchall()
        except BaseException:
            if connection is not None:
                connection.invalidate()
            connection = None
            raise
        finally:
            self._slots.put(connection)
        return rows

    def close(self) -> None:
        """Close all idle connections; do not use the pool afterwards."""
        with contextlib.suppress(Empty):
            while True:
                connection = self._slots.get_nowait()
                if connection is not None:
                    connection.close()


_abandoned: list[ReadPool] = []
"Pools of a parent process. They stay referenced, because a connection that is garbage-collected is closed."


def configure(app: Flask) -> None:
    """Set the options of both engines, and register their listeners once."""
    uri, seconds = app.config["SQLALCHEMY_DATABASE_URI"], app.config["DATABASE_TIMEOUT_SECONDS"]
    options: dict[str, Any] = {"poolclass": sa.QueuePool, "pool_timeout": seconds}
    # The connections of this engine are kept by ReadPool.
    reads = {"url": uri, "poolclass": sa.NullPool, "isolation_level": "AUTOCOMMIT"}
    if uri.startswith("sqlite"):
        # A new connection may wait for the lock before `set_lock_timeout` is called.
        options["connect_args"] = reads["connect_args"] = {"timeout": seconds / 2, "check_same_thread": False}
    else:
        # A connection that died with its server is replaced before a session gets it.
        options["pool_pre_ping"] = True
        if not app.config["DATABASE_PREPARED_STATEMENTS"]:
            options["connect_args"] = reads["connect_args"] = {"prepare_threshold": None}
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    app.config["SQLALCHEMY_BINDS"] = {READS: reads}
    for event, listener in (*LISTENERS, ("connect", prepare)):
        if not sa.event.contains(sa.Engine, event, listener):
            sa.event.listen(sa.Engine, event, listener)


def find_read_pool() -> ReadPool:
    """Return the current app's pool for single reads."""
    extensions = current_app.extensions
    if POOL not in extensions:
        extensions.setdefault(POOL, ReadPool(db.engines[READS]))
    pool: ReadPool = extensions[POOL]
    return pool


def dispose(*, close: bool = True) -> None:
    """Close all idle connections of the current app; with `close=False` only forget them.

    A forked process has to forget its parent's connections: closing them would close them for the parent too.
    """
    pool: ReadPool | None = current_app.extensions.pop(POOL, None)
    if pool is not None and close:
        pool.close()
    elif pool is not None:
        _abandoned.append(pool)
    db.engine.dispose(close=close)


def prepare(connection: Any, _record: Any) -> None:
    """Set up a new connection of either database (event `connect`)."""
    if isinstance(connection, sqlite3.Connection):
        prepare_sqlite(connection)
    elif isinstance(connection, psycopg.Connection):
        prepare_postgresql(connection)


def prepare_postgresql(connection: psycopg.Connection[Any]) -> None:
    """Accept NumPy arrays as parameters, and let the server notice when this client is gone while it waits."""
    connection.adapters.register_dumper(np.ndarray, ArrayDumper)
    # Servers before 14, and those on Windows, do not have this setting.
    unknown = (psycopg.errors.UndefinedObject, psycopg.errors.InvalidParameterValue)
    with contextlib.suppress(*unknown), connection.transaction():
        connection.execute("SET client_connection_check_interval = '1s'")


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    """Turn on WAL, so that readers do not wait for a writer, and foreign keys; let `lower` handle all letters."""
    # SQLite's own `lower` changes ASCII letters only: a search for "AMÉLIE" would find nothing.
    connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
    cursor = connection.cursor()
    # This does not open the file yet, which would create the log beside it.
    _, _, path = cursor.execute("PRAGMA database_list").fetchone()
    if path:  # else it is a database in memory
        hide_from_others(Path(path))
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def hide_from_others(path: Path) -> None:
    """Let only the owner and the group read a SQLite file, which is created if necessary.

    SQLite gives its log beside the file the same permissions.
    """
    # A file of another owner, or on a volume without permissions, stays as it is. SQLite reports other errors.
    with contextlib.suppress(OSError):
        if not path.exists():
            path.touch(0o640)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & stat.S_IRWXO:
            path.chmod(mode & ~stat.S_IRWXO)


class ArrayDumper(Dumper):
    """Sends integer arrays as int[] and others as float8[], ten times as fast as a list of Python numbers."""

    format = Format.BINARY

    def dump(self, obj: NDArray[Any]) -> bytes:
        """Return PostgreSQL's binary form of a one-dimensional array: a header, then each value after its length."""
        oid, kind = (23, ">i4") if obj.dtype.kind == "i" else (701, ">f8")
        values = np.empty(len(obj), dtype=[("length", ">i4"), ("value", kind)])
        values["length"], values["value"] = values.dtype["value"].itemsize, obj
        return struct.pack(">5i", 1, 0, oid, len(obj), 1) + values.tobytes()
