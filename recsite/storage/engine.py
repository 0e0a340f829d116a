"""What each new connection to the database is told, and NumPy arrays as PostgreSQL takes them."""

import contextlib
import sqlite3
import struct
from typing import Any

import numpy as np
import psycopg
import sqlalchemy as sa
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

from recsite.storage import timeouts


def listen() -> None:
    """Register the listeners that prepare each new connection and bound how long it waits; safe to call again."""
    for event, listener in (
        ("do_connect", timeouts.connect),
        ("connect", prepare),
        ("handle_error", timeouts.note_failure),
    ):
        if not sa.event.contains(sa.Engine, event, listener):
            sa.event.listen(sa.Engine, event, listener)


def prepare(connection: Any, _record: Any) -> None:
    """SQLite and PostgreSQL behave as the site relies on."""
    if isinstance(connection, sqlite3.Connection):
        prepare_sqlite(connection)
    elif isinstance(connection, psycopg.Connection):
        prepare_postgresql(connection)


def prepare_postgresql(connection: psycopg.Connection[Any]) -> None:
    """It takes NumPy arrays, and stops what it does for a client that is gone, such as waiting for a lock."""
    connection.adapters.register_dumper(np.ndarray, ArrayDumper)
    connection.autocommit = True
    # Servers before 14 and on Windows cannot look; they find out when they are done.
    with contextlib.suppress(psycopg.errors.UndefinedObject, psycopg.errors.InvalidParameterValue):
        connection.execute("SET client_connection_check_interval = '1s'")
    connection.autocommit = False


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    """Readers do not wait for a writer (WAL) and foreign keys hold; how long writers wait is told by `patience`."""
    # SQLite's own knows ASCII only, so that a search for "AMÉLIE" would find nothing.
    connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


class ArrayDumper(Dumper):
    """Whole numbers as int[], others as float8[]; the driver's own way by a list takes ten times as long."""

    format = Format.BINARY

    def dump(self, obj: NDArray[Any]) -> bytes:
        """The array in PostgreSQL's binary form: one dimension from 1 on, each value behind its length in bytes."""
        oid, kind = (23, ">i4") if obj.dtype.kind == "i" else (701, ">f8")
        values = np.empty(len(obj), dtype=[("length", ">i4"), ("value", kind)])
        values["length"], values["value"] = values.dtype["value"].itemsize, obj
        return struct.pack(">5i", 1, 0, oid, len(obj), 1) + values.tobytes()
