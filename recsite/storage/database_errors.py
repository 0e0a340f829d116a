"""What is the matter with a database that fails, in words for who asks the site and for who runs it."""

import sqlite3
from dataclasses import dataclass

import psycopg
import sqlalchemy as sa


@dataclass(frozen=True)
class Outage:
    """A database that cannot do its work."""

    says: str
    "To whoever asked the site for something."
    remedy: str
    "To whoever runs it: what is wrong and what to do."


SILENT = Outage(
    "The database does not answer; try again in a few seconds.", "unreachable; start it, or correct DATABASE_URL"
)
BUSY = Outage(
    SILENT.says, "locked: another process has written to it for a long time; wait until that is done, or end it"
)
FULL = Outage("The database has no room left, so nothing can be saved.", "its disk is full; make room on it")
READ_ONLY = Outage(
    "The database takes no changes at the moment.",
    "takes no changes; let the site write to the file and its folder, or point DATABASE_URL at the primary server",
)
DAMAGED = Outage(
    "The database is damaged and has to be restored by whoever runs this site.",
    "damaged; stop the site and restore the latest backup, or save what is left with 'sqlite3 FILE .recover'",
)
FAILING = Outage(
    "The database cannot read or write its disk.",
    "its disk fails; look at it, and restore the latest backup if need be",
)
NOT_MIGRATED = Outage(
    "The database lacks tables of this version; whoever runs this site makes them with 'flask db upgrade'.",
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
    # The file ends too soon.
    sqlite3.SQLITE_IOERR_SHORT_READ: DAMAGED,
}
"By the driver's code, or by the lowest byte of it, which is the kind."
NO_SUCH = ("no such table", "no such column")
"SQLite has no code of its own for these."
BY_SQLSTATE = {
    "25006": READ_ONLY,
    "42703": NOT_MIGRATED,
    "42P01": NOT_MIGRATED,
    "53100": FULL,
    "55P03": BUSY,
    "58030": FAILING,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}
"PostgreSQL's: read-only transaction, undefined column, table, disk full, lock, disk error, corrupted data, index."


def find(error: sa.exc.SQLAlchemyError) -> Outage | None:
    """The outage that this error tells of; None where the database is sound and what it was asked is not."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    known = None
    if isinstance(cause, sqlite3.Error):
        # An error of the module itself, such as for a closed connection, has no code.
        code = getattr(cause, "sqlite_errorcode", 0)
        known = BY_SQLITE_CODE.get(code) or BY_SQLITE_CODE.get(code & 0xFF)
        if known is None and str(cause).startswith(NO_SUCH):
            known = NOT_MIGRATED
    elif isinstance(cause, psycopg.Error):
        known = BY_SQLSTATE.get(cause.sqlstate or "")
    if known is None and isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError):
        return SILENT
    return known
