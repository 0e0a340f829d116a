"""The ratings of a data set, written to the database; the same for every format.

The rows first fill a temporary table, which locks nothing on the site; one transaction then saves them. So a stopped
import leaves nothing behind, and memory does not grow with the file.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, pairwise
from typing import Any, cast

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.progress import Progress
from recsite.ratings.importers import fields
from recsite.ratings.importers.report import REFUSALS_KEPT, Refusal, Refused, Report
from recsite.ratings.importers.source import Row, TextFile
from recsite.ratings.writing import analyze, apply_rating_changes, lock_users
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import FIRST_ACCOUNT_ID, ApiToken, Erasure, Rating, User, UTCDateTime, now

ROWS_PER_INSERT = 10_000
CHANGES_PER_STATEMENT = 1_000_000
LARGEST_USER_ID = FIRST_ACCOUNT_ID - 1
UNKNOWN_MOVIE = "no movie has this id"
OFFSET_HINT = "give the users of the data set other ids with --user-offset N"
IDS_OF_ACCOUNTS = f"user ids from {FIRST_ACCOUNT_ID:,} on belong to accounts of this site and are not imported"
PROTECTED = f"the user id belongs to an account of this site; {OFFSET_HINT}"
NAMELESS = f"the name user-<id> belongs to another account; {OFFSET_HINT}"
LOST_USERS = (IDS_OF_ACCOUNTS, PROTECTED, NAMELESS)
"Refusals of all ratings of a user for which the operator has to do something."

temporary = sa.MetaData()
staged = sa.Table(
    "import_ratings",
    temporary,
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.Integer, nullable=False),
    sa.Column("movie_id", sa.Integer, nullable=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("timestamp", UTCDateTime),
    prefixes=["TEMPORARY"],
)
"The usable rows of the file."
changes = sa.Table(
    "import_changes",
    temporary,
    sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("movie_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("timestamp", UTCDateTime, nullable=False),
    sa.Column("is_new", sa.Boolean, nullable=False),
    prefixes=["TEMPORARY"],
)
"The rows that differ from the ratings in the database."
ratings: sa.Table = Rating.__table__
users: sa.Table = User.__table__


@contextlib.contextmanager
def import_transaction() -> Iterator[None]:
    """Create the empty temporary tables; commit at the end of the block, or roll everything back after an error."""
    connection = db.session.connection()
    try:
        temporary.create_all(connection)
        yield
        temporary.drop_all(connection)
        db.session.commit()
    except BaseException:
        # Closing the connection also removes the temporary tables, which SQLite does not roll back, and ends a
        # COPY, in which PostgreSQL accepts no ROLLBACK.
        db.session().invalidate()
        raise


def stage(
    rows: Iterable[Row],
    file: TextFile,
    movie_ids: Mapping[int, int],
    user_offset: int,
    report: Report,
    on_progress: Progress,
) -> None:
    """Insert usable rows (user, movie, rating, timestamp) into the temporary table, and count the others in `report`.

    Args:
        rows: the rows of the file.
        file: the file, for the progress in bytes.
        movie_ids: movie ids of the database by those of the file.
        user_offset: what is added to each user id.
        report: where refused rows are counted.
        on_progress: called after each block with the bytes read and the file's size.
    """
    usable = parse_rows(rows, file.name, movie_ids, user_offset, report)
    names = staged.c.keys()
    while block := list(islice(usable, ROWS_PER_INSERT)):
        connection = db.session.connection()
        if connection.dialect.name == "postgresql":
            # COPY takes rows ten times as fast as INSERT.
            cursor = cast(Any, connection.connection.cursor())
            with cursor, cursor.copy("COPY import_ratings FROM STDIN") as copy:
                for row in block:
                    copy.write_row(row)
        else:
            connection.execute(sa.insert(staged), [dict(zip(names, row, strict=True)) for row in block])
        on_progress(file.done, file.size)


def parse_rows(
    rows: Iterable[Row], file_name: str, movie_ids: Mapping[int, int], user_offset: int, report: Report
) -> Iterator[tuple[Any, ...]]:
    """Yield the usable rows as rows of the temporary table, and refuse the others."""
    for line, (user, movie, rating, timestamp) in rows:
        try:
            user_id = fields.whole_id(user, "user id") + user_offset
            if user_id > LARGEST_USER_ID:
                raise Refused(IDS_OF_ACCOUNTS, user)
            movie_id = movie_ids.get(fields.whole_id(movie, "movie id"))
            if movie_id is None:
                raise Refused(UNKNOWN_MOVIE, movie)
            yield line, user_id, movie_id, fields.stars(rating), fields.moment(timestamp)
        except Refused as refused:
            report.refuse(report.ratings, file_name, line, refused)


def save_users(file_name: str, report: Report) -> None:
    """Create missing users as user-<id>, and refuse staged ratings of other users. Does not commit.

    Refused are accounts of this site (with a login, a token or a name of their own), erased users, and users that could
    not be created. Older versions numbered accounts from 1.

    This must be the transaction's first statement: SQLite refuses its write lock to a transaction that has read what
    another connection changed since.
    """
    analyze("import_ratings")
    ids = sa.select(staged.c.user_id).distinct()
    report.users.read = db.session.scalar(sa.select(sa.func.count()).select_from(ids.subquery())) or 0
    is_erased = staged.c.user_id.in_(sa.select(Erasure.user_id))
    named = sa.select(staged.c.user_id, "user-" + sa.cast(staged.c.user_id, sa.String)).distinct().where(~is_erased)
    # In one order, or two imports at once could wait for each other's new users.
    insert = dialect_insert(users).from_select(["id", "username"], named.order_by(staged.c.user_id))
    report.users.new = rowcount(insert.on_conflict_do_nothing())

    has_login = User.password_hash.is_not(None) | User.is_admin | User.id.in_(sa.select(ApiToken.user_id))
    has_own_name = User.username != "user-" + sa.cast(User.id, sa.String)
    is_protected = staged.c.user_id.in_(sa.select(User.id).where(has_login | has_own_name))
    refuse_staged(is_protected, PROTECTED, file_name, report)
    refuse_staged(is_erased, "the user of this id was deleted and is not filled again", file_name, report)
    is_nameless = ~sa.exists().where(users.c.id == staged.c.user_id)
    refuse_staged(is_nameless, NAMELESS, file_name, report)
    report.users.settle()


def lock_raters(others: sa.CompoundSelect[int] | None) -> None:
    """Lock the users of the staged ratings, and these others, before any movie: all writers lock in this order."""
    raters = sa.select(staged.c.user_id)
    lock_users(raters if others is None else raters.union(others))


def refuse_staged(condition: sa.ColumnElement[bool], reason: str, file_name: str, report: Report) -> None:
    """Delete and report the staged ratings that match the condition."""
    first = sa.select(staged.c.line, staged.c.user_id).where(condition).order_by(staged.c.line).limit(REFUSALS_KEPT)
    refusals = [Refusal(file_name, line, f"user {user_id}") for line, user_id in db.session.execute(first)]
    if refusals:
        refused_users = sa.select(sa.func.count(staged.c.user_id.distinct())).where(condition)
        report.users.refused += db.session.scalar(refused_users) or 0
        report.refuse_rows(report.ratings, rowcount(sa.delete(staged).where(condition)), reason, refusals)


def save_ratings(report: Report) -> bool:
    """Write the staged ratings, as `ratings.writing` does; return whether any was new or changed. Does not commit.

    Of several ratings of a movie by one user the latest counts, of equally late ones the last in the file. Only rows
    that differ from the database are written and counted.
    """
    place = sa.func.row_number().over(
        partition_by=(staged.c.user_id, staged.c.movie_id),
        order_by=(staged.c.timestamp.desc().nulls_last(), staged.c.line.desc()),
    )
    places = sa.select(staged.c.line, place.label("place")).subquery()
    is_superseded = staged.c.line.in_(sa.select(places.c.line).where(places.c.place > 1))
    report.ratings.merged = rowcount(sa.delete(staged).where(is_superseded))

    db.session.execute(FIND_CHANGES, {"now": now()})
    report.ratings.new = db.session.scalar(sa.select(sa.func.count()).where(changes.c.is_new)) or 0
    written = apply_rating_changes(changes, blocks_of_changes())
    report.ratings.changed = written - report.ratings.new
    report.ratings.settle()
    return written > 0


FIND_CHANGES = sa.insert(changes).from_select(
    list(changes.c.keys()),
    sa.select(
        staged.c.user_id,
        staged.c.movie_id,
        staged.c.value,
        # A rating without a time gets the present time; if the database has the same rating, its time stays.
        sa.func.coalesce(staged.c.timestamp, sa.bindparam("now", type_=UTCDateTime)),
        ratings.c.user_id.is_(None),
    )
    .outerjoin(ratings, (ratings.c.user_id == staged.c.user_id) & (ratings.c.movie_id == staged.c.movie_id))
    .where(
        ratings.c.user_id.is_(None) | (ratings.c.value != staged.c.value) | (ratings.c.timestamp != staged.c.timestamp)
    ),
)


def blocks_of_changes() -> Iterator[sa.Subquery]:
    """Yield the changes in portions of whole users, each of about CHANGES_PER_STATEMENT rows.

    PostgreSQL keeps a statement's rows in memory until it has checked the foreign keys.
    """
    number = sa.func.row_number().over(order_by=changes.c.user_id)
    numbered = sa.select(changes.c.user_id, number.label("number")).subquery()
    last_in_block = sa.select(numbered.c.user_id).where(numbered.c.number % CHANGES_PER_STATEMENT == 0)
    last_users = sorted(set(db.session.scalars(last_in_block)))
    for previous, last in pairwise([0, *last_users, LARGEST_USER_ID]):
        yield sa.select(changes).where(changes.c.user_id > previous, changes.c.user_id <= last).subquery()


def rowcount(statement: sa.Executable) -> int:
    """Execute the statement; return the number of matched rows."""
    # SQLAlchemy drops the number of an INSERT unless this option is set.
    result = db.session.execute(statement, execution_options={"preserve_rowcount": True})
    return cast(sa.CursorResult[Any], result).rowcount
