"""The ratings of a data set, brought to the users and movies of the database; the same for every format.

Everything is judged in memory, 24 bytes a rating, before the first row is written; one transaction then saves all.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import polars as pl
import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.progress import Progress
from recsite.ratings import bulk_writing
from recsite.ratings.bulk_reading import KEY
from recsite.ratings.bulk_writing import Written, touched_users
from recsite.ratings.importers import fields
from recsite.ratings.importers.frames import LINE
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.rating_frame import RatingFrame, parse_texts
from recsite.ratings.importers.report import REFUSALS_KEPT, Refusal, Refused, Report
from recsite.ratings.writing import lock_users
from recsite.storage.queries import dialect_insert
from recsite.storage.tables import FIRST_ACCOUNT_ID, SITE_ID, SITE_ID_IN_WORDS, ApiToken, Erasure, User

LARGEST_USER_ID = FIRST_ACCOUNT_ID - 1
UNKNOWN_MOVIE = "no movie has this id"
OFFSET_HINT = "give the users of the data set other ids with --user-offset N"
IDS_OF_ACCOUNTS = f"user ids from {FIRST_ACCOUNT_ID:,} on belong to accounts of this site and are not imported"
PROTECTED = f"the user id belongs to an account of this site; {OFFSET_HINT}"
NAMELESS = f"the name user-<id> belongs to another account; {OFFSET_HINT}"
ERASED = "the user of this id was deleted and is not filled again"
LOST_USERS = (IDS_OF_ACCOUNTS, PROTECTED, NAMELESS)
"Refusals of all ratings of a user for which the operator has to do something."
FIRST_IS_0 = "user id is not a whole number from 1 on; if users begin at 0, add 1 to all with --user-offset 1"

users: sa.Table = User.__table__
FindMovie = Callable[[Mapping[str, str]], int]
"Returns the id of a movie for the texts of its columns; raises Refused."


def find_by_number(ids: Mapping[int, int], unknown: str = UNKNOWN_MOVIE) -> FindMovie:
    """Return a function that finds movies by the number in the file, given the movie ids by number."""

    def find_movie(texts: Mapping[str, str]) -> int:
        number = fields.whole_id(texts["movielens"] if "movielens" in texts else texts["movie"], "movie id")
        if number not in ids:
            raise Refused(unknown, str(number))
        return ids[number]

    return find_movie


@dataclass(frozen=True)
class Resolved:
    """The ratings of a file with the movies of the database."""

    rows: pl.DataFrame
    "Columns: line, user_id, movie_id, value, timestamp; one row a pair, ordered by user and movie."
    site_users: list[str] | None
    "Where users have ids of the site's own: those, and `user_id` is the place in this list."


def resolve(frame: RatingFrame, find_movie: FindMovie, user_offset: int, report: Report) -> Resolved:
    """Return the ratings with the ids of the database.

    Of several ratings of a movie by one user the latest counts, of equally late ones the last in the file.
    """
    site_users = frame.users if has_site_users(frame) else None
    places = {text: place for place, text in enumerate(frame.users)}

    def user_id(text: str) -> int:
        return parse_user(text, user_offset) if site_users is None else place_of(text, places)

    count = report.ratings
    rows = parse_texts(frame.rows, "user", "user_id", frame.users, user_id, frame.file_name, report, count)
    rows = parse_texts(rows, "movie", "movie_id", frame.movies, find_movie, frame.file_name, report, count)
    rows = rows.with_columns(pl.col("user_id", "movie_id").cast(pl.Int32))
    rows = rows.sort("user_id", "movie_id", "timestamp", LINE, nulls_last=False)
    # `unique` would do, with twice the memory.
    is_last = (pl.col("user_id") != pl.col("user_id").shift(-1)) | (pl.col("movie_id") != pl.col("movie_id").shift(-1))
    latest = rows.filter(is_last.fill_null(True))
    report.ratings.merged = len(rows) - len(latest)
    return Resolved(latest, site_users)


def has_site_users(frame: RatingFrame) -> bool:
    """Return whether most ratings have a user id that is text or a number of 64 bits, so an id of the site's own."""
    own = []
    for number, text in enumerate(frame.users):
        try:
            fields.whole_id(text, "user id")
        except Refused:
            if re.fullmatch(SITE_ID, text) and text not in ("0", "0.0"):
                own.append(number)
    return frame.rows["user"].is_in(own).sum() * 2 > len(frame.rows)


def parse_user(text: str, offset: int) -> int:
    """Return the id of a user whom the data set numbers; raise Refused for another text."""
    if text.strip() not in ("0", "0.0"):
        found = fields.whole_id(text, "user id") + offset
    elif offset:
        found = offset
    else:
        raise Refused(FIRST_IS_0, text)
    if found > LARGEST_USER_ID:
        raise Refused(IDS_OF_ACCOUNTS, text)
    return found


def place_of(text: str, places: Mapping[str, int]) -> int:
    """Return the place of a user whom the site names itself; raise Refused if it cannot be such a name."""
    if not re.fullmatch(SITE_ID, text):
        raise Refused(f"user id is neither a number nor {SITE_ID_IN_WORDS}", text)
    return places[text]


def save_users(resolved: Resolved, options: Options, file_name: str, report: Report) -> pl.DataFrame:
    """Create missing users, and return the ratings with the ids of users, without refused ones. Does not commit.

    This must be the transaction's first statement: SQLite refuses its write lock to a transaction that has read what
    another connection changed since.
    """
    if resolved.site_users is None:
        return save_numbered_users(resolved.rows, file_name, report)
    # Takes SQLite's write lock before anything is read.
    db.session.execute(sa.update(users).where(sa.false()).values(is_admin=False))
    places = resolved.rows["user_id"].unique().to_list()
    report.users.read = len(places)
    names = [resolved.site_users[place] for place in places]
    before = db.session.scalar(sa.select(sa.func.count()).select_from(users)) or 0
    found = options.add_site_users(names)
    report.users.new = (db.session.scalar(sa.select(sa.func.count()).select_from(users)) or 0) - before
    report.users.settle()
    ids = pl.DataFrame(
        {"user_id": places, "id": [found[name] for name in names]}, schema=dict.fromkeys(("user_id", "id"), pl.Int32)
    )
    rows = resolved.rows.join(ids, on="user_id").drop("user_id").rename({"id": "user_id"}).sort(KEY)
    touched_users.create(db.session.connection())
    bulk_writing.fill_users(rows["user_id"].unique().sort())
    return rows


def save_numbered_users(rows: pl.DataFrame, file_name: str, report: Report) -> pl.DataFrame:
    """Create missing users as user-<id>; return the ratings without those of refused users. Does not commit.

    Refused are accounts of this site (with a login, a token or a name of their own), erased users, and users that could
    not be created. Older versions numbered accounts from 1.
    """
    touched_users.create(db.session.connection())
    bulk_writing.fill_users(rows["user_id"].unique().sort())
    ids = touched_users.c.user_id
    report.users.read = rows["user_id"].n_unique()
    is_erased = ids.in_(sa.select(Erasure.user_id))
    named = sa.select(ids, "user-" + sa.cast(ids, sa.String)).where(~is_erased)
    # In one order, or two imports at once could wait for each other's new users.
    insert = dialect_insert(users).from_select(["id", "username"], named.order_by(ids))
    report.users.new = rowcount(insert.on_conflict_do_nothing())

    has_login = User.password_hash.is_not(None) | User.is_admin | User.id.in_(sa.select(ApiToken.user_id))
    has_own_name = User.username != "user-" + sa.cast(User.id, sa.String)
    is_protected = ids.in_(sa.select(User.id).where(has_login | has_own_name))
    is_nameless = ~sa.exists().where(users.c.id == ids)
    for condition, reason in ((is_protected, PROTECTED), (is_erased, ERASED), (is_nameless & ~is_erased, NAMELESS)):
        refused = list(db.session.scalars(sa.select(ids).where(condition)))
        if refused:
            rows = refuse_users(rows, refused, reason, file_name, report)
    report.users.settle()
    return rows


def refuse_users(rows: pl.DataFrame, ids: list[int], reason: str, file_name: str, report: Report) -> pl.DataFrame:
    """Return the ratings without those of these users, which are recorded."""
    is_theirs = pl.col("user_id").is_in(ids)
    theirs = rows.filter(is_theirs)
    first = theirs.sort(LINE).head(REFUSALS_KEPT).select(LINE, "user_id")
    report.users.refused += len(ids)
    refusals = [Refusal(file_name, line, f"user {user_id}") for line, user_id in first.iter_rows()]
    report.refuse_rows(report.ratings, len(theirs), reason, refusals)
    return rows.filter(~is_theirs)


def lock_raters(others: sa.CompoundSelect[int] | None) -> None:
    """Lock the users of the ratings, and these others, before any movie: all writers lock in this order."""
    raters = sa.select(touched_users.c.user_id)
    lock_users(raters if others is None else raters.union(others))


def save_ratings(rows: pl.DataFrame, report: Report, on_progress: Progress) -> Written:
    """Write the ratings that differ from those of the database; return what was written. Does not commit.

    A rating without a time gets the present time; if the database has the same rating, its time stays.
    """
    touched_users.drop(db.session.connection())
    written = bulk_writing.write_many(rows, on_progress)
    report.ratings.new, report.ratings.changed = written.new, written.changed
    report.ratings.settle()
    return written


def rowcount(statement: sa.Executable) -> int:
    """Execute the statement; return the number of matched rows."""
    # SQLAlchemy drops the number of an INSERT unless this option is set.
    result = db.session.execute(statement, execution_options={"preserve_rowcount": True})
    return cast(sa.CursorResult[Any], result).rowcount
