"""Ratings into their table: the same for every kind of data set.

They are first staged in a temporary table, which nobody on the site waits for; then one transaction saves them. So an
import that is stopped leaves nothing behind, and needs no more memory for thirty million ratings than for a hundred.
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
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import ApiToken, Erasure, Rating, Suggestion, User, UTCDateTime, now

RATINGS_A_STATEMENT = 10_000
CHANGES_A_STATEMENT = 1_000_000
LARGEST_USER_ID = 2_000_000_000
"The ids of new accounts go on behind the largest imported one; this leaves room for 147 million of them."
UNKNOWN_MOVIE = "no movie has this id"
OFFSET_HINT = "give the users of the data set other ids with --user-offset N"

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
ratings: sa.Table = Rating.__table__
suggestions: sa.Table = Suggestion.__table__
users: sa.Table = User.__table__


@contextlib.contextmanager
def one_transaction() -> Iterator[None]:
    """With empty temporary tables; what the block does is committed at its end, or undone if it raises."""
    connection = db.session.connection()
    try:
        temporary.create_all(connection)
        yield
        temporary.drop_all(connection)
        db.session.commit()
    except BaseException:
        # Closing the connection undoes everything, also what SQLite does not roll back (the making of the tables), and
        # also in the middle of a COPY, where PostgreSQL takes no ROLLBACK.
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
    """Every usable row (user, movie, rating, timestamp) of the file is in the temporary table.

    `movie_ids` turns the movie ids of the file into those of the table. `on_progress` counts bytes.
    """
    good = usable(rows, file.name, movie_ids, user_offset, report)
    names = staged.c.keys()
    while some := list(islice(good, RATINGS_A_STATEMENT)):
        connection = db.session.connection()
        if connection.dialect.name == "postgresql":
            # The one place where the databases differ: COPY takes rows ten times as fast as INSERT.
            cursor = cast(Any, connection.connection.cursor())
            with cursor, cursor.copy("COPY import_ratings FROM STDIN") as copy:
                for row in some:
                    copy.write_row(row)
        else:
            connection.execute(sa.insert(staged), [dict(zip(names, row, strict=True)) for row in some])
        on_progress(file.done, file.size)


def usable(
    rows: Iterable[Row], file: str, movie_ids: Mapping[int, int], user_offset: int, report: Report
) -> Iterator[tuple[Any, ...]]:
    """The rows that can be taken, as the staging table has them; the others are refused."""
    for line, (user, movie, rating, timestamp) in rows:
        try:
            user_id = fields.whole_id(user, "user id", LARGEST_USER_ID - user_offset) + user_offset
            movie_id = movie_ids.get(fields.whole_id(movie, "movie id"))
            if movie_id is None:
                raise Refused(UNKNOWN_MOVIE, movie)
            yield line, user_id, movie_id, fields.stars(rating), fields.moment(timestamp)
        except Refused as refused:
            report.refuse(report.ratings, file, line, refused)


def save_users(file: str, report: Report) -> None:
    """Every staged rating has a user who may have it; the others are refused. Does not commit.

    1. The ids of new accounts go on behind those of the data set. This is first, for somebody may sign up meanwhile.
    2. Users that are not there are made: user-<id>, without a password.
    3. Ratings of accounts with a login are refused, of users who deleted theirs, and of users that could not be made.

    Call it before anything else is read or written in the transaction: it takes SQLite's one writer's place, which
    cannot be had any more once somebody else has written what this transaction has read.
    """
    count_rows("import_ratings")
    ids = sa.select(staged.c.user_id).distinct()
    report.users.read = db.session.scalar(sa.select(sa.func.count()).select_from(ids.subquery())) or 0
    if db.session.get_bind().dialect.name == "postgresql":
        # SQLite's AUTOINCREMENT does this by itself.
        db.session.execute(MOVE_SEQUENCE)
    erased = staged.c.user_id.in_(sa.select(Erasure.user_id))
    named = sa.select(staged.c.user_id, "user-" + sa.cast(staged.c.user_id, sa.String)).distinct().where(~erased)
    made = dialect_insert(users).from_select(["id", "username"], named)
    report.users.new = met(made.on_conflict_do_nothing())

    with_login = User.password_hash.is_not(None) | User.is_admin | User.id.in_(sa.select(ApiToken.user_id))
    protected = staged.c.user_id.in_(sa.select(User.id).where(with_login))
    refuse_staged(protected, f"the user id belongs to an account with a login; {OFFSET_HINT}", file, report)
    refuse_staged(erased, "the user of this id was deleted and is not filled again", file, report)
    nameless = ~sa.exists().where(users.c.id == staged.c.user_id)
    refuse_staged(nameless, f"the name user-<id> belongs to another account; {OFFSET_HINT}", file, report)
    report.users.settle()


MOVE_SEQUENCE = sa.text(
    """
    SELECT setval(sequence, largest)
    FROM (SELECT pg_get_serial_sequence('users', 'id') AS sequence, max(user_id) AS largest FROM import_ratings) AS new
    WHERE largest > coalesce(pg_sequence_last_value(sequence::regclass), 0)
    """
)


def refuse_staged(condition: sa.ColumnElement[bool], reason: str, file: str, report: Report) -> None:
    """The staged ratings that the condition picks are gone, and reported."""
    first = sa.select(staged.c.line, staged.c.user_id).where(condition).order_by(staged.c.line).limit(REFUSALS_KEPT)
    refusals = [Refusal(file, line, f"user {user_id}") for line, user_id in db.session.execute(first)]
    if refusals:
        people = sa.select(sa.func.count(staged.c.user_id.distinct())).where(condition)
        report.users.refused += db.session.scalar(people) or 0
        report.refuse_rows(report.ratings, met(sa.delete(staged).where(condition)), reason, refusals)


def save_ratings(report: Report) -> bool:
    """The table has the staged ratings; returns whether any is new or changed. Does not commit.

    1. Of several ratings of one movie by one user the latest stays, of equally late ones the last in the file.
    2. What differs from the table is set apart: it alone is written and counted.
    3. Those users' lists are stale, and their suggestions of these movies are marked as rated.

    The averages are left to the caller, who may have changed more than this.
    """
    place = sa.func.row_number().over(
        partition_by=(staged.c.user_id, staged.c.movie_id),
        order_by=(staged.c.timestamp.desc().nulls_last(), staged.c.line.desc()),
    )
    places = sa.select(staged.c.line, place.label("place")).subquery()
    beaten = sa.select(places.c.line).where(places.c.place > 1)
    report.ratings.merged = met(sa.delete(staged).where(staged.c.line.in_(beaten)))

    db.session.execute(FIND_CHANGES, {"now": now()})
    changed = sum(met(statement) for statement in upserts())
    report.ratings.new = db.session.scalar(sa.select(sa.func.count()).where(changes.c.is_new)) or 0
    report.ratings.changed = changed - report.ratings.new
    report.ratings.settle()
    if changed:
        count_rows("users", "movies", "ratings")
        mark_users_and_suggestions()
    return changed > 0


FIND_CHANGES = sa.insert(changes).from_select(
    list(changes.c.keys()),
    sa.select(
        staged.c.user_id,
        staged.c.movie_id,
        staged.c.value,
        # A rating without a time was given now; the same one again keeps the time that it has.
        sa.func.coalesce(staged.c.timestamp, sa.bindparam("now", type_=UTCDateTime)),
        ratings.c.user_id.is_(None),
    )
    .outerjoin(ratings, (ratings.c.user_id == staged.c.user_id) & (ratings.c.movie_id == staged.c.movie_id))
    .where(
        ratings.c.user_id.is_(None) | (ratings.c.value != staged.c.value) | (ratings.c.timestamp != staged.c.timestamp)
    ),
)


def upserts() -> Iterator[sa.Executable]:
    """The statements that write the changes into the ratings, each those of the next so many users.

    They are several because PostgreSQL remembers each row of a statement until it has looked up its user and movie.
    """
    number = sa.func.row_number().over(order_by=changes.c.user_id)
    numbered = sa.select(changes.c.user_id, number.label("number")).subquery()
    every = sa.select(numbered.c.user_id).where(numbered.c.number % CHANGES_A_STATEMENT == 0)
    last_users = sorted(set(db.session.scalars(every)))
    columns = ["user_id", "movie_id", "value", "timestamp"]
    for after, up_to in pairwise([0, *last_users, LARGEST_USER_ID]):
        users_changes = sa.select(*(changes.c[name] for name in columns)).where(
            changes.c.user_id > after, changes.c.user_id <= up_to
        )
        insert = dialect_insert(ratings).from_select(columns, users_changes)
        replacement = {"value": insert.excluded.value, "timestamp": insert.excluded.timestamp}
        yield insert.on_conflict_do_update(index_elements=["user_id", "movie_id"], set_=replacement)


def mark_users_and_suggestions() -> None:
    """What is derived from the changed ratings knows of them; see save_ratings."""
    db.session.execute(
        sa.update(users)
        .where(users.c.id.in_(sa.select(changes.c.user_id)))
        .values(rating_generation=users.c.rating_generation + 1)
    )
    db.session.execute(
        sa.update(suggestions)
        .where(suggestions.c.user_id == changes.c.user_id, suggestions.c.movie_id == changes.c.movie_id)
        .values(did_rate=True, rating_value=changes.c.value, did_rate_timestamp=changes.c.timestamp)
    )


def count_rows(*tables: str) -> None:
    """PostgreSQL knows about how many rows these tables have.

    It plans by what it counted last. Where that was nothing, as before the first import, it would take hours for what
    takes a second. SQLite plans by the indexes alone.
    """
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(sa.text(f"ANALYZE {', '.join(tables)}"))


def met(statement: sa.Executable) -> int:
    """Run this statement; returns how many rows it met."""
    # Of an INSERT the number is thrown away unless one asks for it.
    result = db.session.execute(statement, execution_options={"preserve_rowcount": True})
    return cast(sa.CursorResult[Any], result).rowcount
