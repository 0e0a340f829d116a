"""Errors of a failing database, translated for the client and for the operator."""

import sqlite3
from dataclasses import dataclass

import psycopg
import sqlalchemy as sa


@dataclass(frozen=True)
class Outage:
    """A reason why the database cannot do its work."""

    message: str
    "For the client."
    remedy: str
    "For the operator: what is wrong and what to do."


SILENT = Outage(
    "The database does not answer; try again in a few seconds.", "unreachable; start it, or correct DATABASE_URL"
)
BUSY = Outage(
    SILENT.message, "locked: another process has been writing for a long time; wait until it is done, or stop it"
)
DEADLOCKED = Outage(
    "Another change of the same data was under way; try again in a few seconds.",
    "at work, but two transactions waited for each other and it ended this one (deadlock); do it again",
)
FULL = Outage("The database has no room left, so nothing can be saved.", "its disk is full; make room on it")
READ_ONLY = Outage(
    "The database takes no changes at the moment.",
    "takes no changes; let the site write to the file and its folder, or point DATABASE_URL at the primary server",
)
DAMAGED = Outage(
    "The database is damaged. The operator of this site has to restore it.",
    "damaged; stop the site and restore the latest backup, or save what is left with 'sqlite3 FILE .recover'",
)
FAILING = Outage(
    "The database cannot read or write its disk.",
    "its disk fails; check it, and restore the latest backup if necessary",
)
NOT_MIGRATED = Outage(
    "The database lacks tables of this version. The operator of this site has to run 'flask db upgrade'.",
    "its tables are not those of this version; run 'flask db upgrade'",
)
BY_SQLITE_CODE = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_IOERR: FAILING,
    # The file is shorter than its header says.
    sqlite3.SQLITE_IOERR_SHORT_READ: DAMAGED,
}
"By extended error code, or by its lowest byte, the primary code."
MISSING_SCHEMA = ("no such table", "no such column")
"Beginnings of messages for which SQLite has no code."
BY_SQLSTATE = {
    "25006": READ_ONLY,
    "40001": DEADLOCKED,
    "40P01": DEADLOCKED,
    "42703": NOT_MIGRATED,
    "42P01": NOT_MIGRATED,
    "53100": FULL,
    "55P03": BUSY,
    "58030": FAILING,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}
"""By PostgreSQL's error code.

In this order: read-only, not serializable, deadlock, no column, no table, disk full, lock, I/O, data, index.
"""


def find(error: sa.exc.SQLAlchemyError) -> Outage | None:
    """Return the outage behind this error; None if the database works and the statement is at fault."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    known = None
    if isinstance(cause, sqlite3.Error):
        # Errors raised by the sqlite3 module itself, such as for a closed connection, have no code.
        code = getattr(cause, "sqlite_errorcode", 0)
        known = BY_SQLITE_CODE.get(code) or BY_SQLITE_CODE.get(code & 0xFF)
        if known is None and str(cause).startswith(MISSING_SCHEMA):
            known = NOT_MIGRATED
    elif isinstance(cause, psycopg.Error):
        known = BY_SQLSTATE.get(cause.sqlstate or "")
    if known is None and isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError):
        return SILENT
    return known


def is_deadlock(error: sa.exc.SQLAlchemyError) -> bool:
    """Return whether the database ended the transaction because of others, so that it may succeed when repeated."""
    return find(error) is DEADLOCKED
