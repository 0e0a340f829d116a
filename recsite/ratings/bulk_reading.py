"""Reading of the stored ratings of many users, to find the ratings of a file that differ from them.

A user's ratings are first compared as one text, which the database concatenates: three million separate rows take
4 s to arrive, their texts 2 s. Ratings of users whose text differs are read row by row.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from recsite.extensions import db
from recsite.storage.queries import driver_cursor
from recsite.storage.tables import now

ROWS_PER_BLOCK = 500_000
USERS_PER_BLOCK = 2_000
KEY = ["user_id", "movie_id"]
MICROSECONDS = pl.Datetime("us", "UTC")
STORED: dict[str, Any] = {
    "user_id": pl.Int32,
    "movie_id": pl.Int32,
    "was_value": pl.Float32,
    "was_timestamp": MICROSECONDS,
}
SQLITE_TIME = "%Y-%m-%d %H:%M:%S%.6f"
READ_SQLITE = (
    # CROSS JOIN keeps SQLite from reading all ratings, and those of others with them.
    "SELECT t.user_id, r.movie_id, r.value, r.timestamp FROM touched_users t CROSS JOIN ratings r"
    " ON r.user_id = t.user_id ORDER BY t.user_id"
)
READ_POSTGRESQL = (
    "COPY (SELECT r.user_id, r.movie_id, r.value, (extract(epoch FROM r.timestamp) * 1000000)::bigint"
    " FROM touched_users t JOIN ratings r ON r.user_id = t.user_id ORDER BY 1) TO STDOUT (FORMAT csv)"
)
TEXTS_SQLITE = (
    "SELECT t.user_id, group_concat(r.movie_id || ' ' || CAST(r.value * 2 AS INTEGER) || ' ' || r.timestamp)"
    " FROM touched_users t CROSS JOIN ratings r ON r.user_id = t.user_id GROUP BY t.user_id ORDER BY t.user_id"
)
"In another order than by movie, users would differ and be compared row by row."
TEXTS_POSTGRESQL = (
    "SELECT r.user_id, string_agg(int4send(r.movie_id) || float8send(r.value) || timestamptz_send(r.timestamp), ''"
    " ORDER BY r.movie_id) FROM touched_users t JOIN ratings r ON r.user_id = t.user_id GROUP BY 1"
    " ORDER BY 1"
)
SENT_BY_POSTGRESQL = np.dtype([("movie_id", ">i4"), ("value", ">f8"), ("timestamp", ">i8")])
"A rating in TEXTS_POSTGRESQL."
MICROSECONDS_TO_2000 = 946_684_800_000_000
"From 1970. PostgreSQL counts from 2000."


def is_sqlite() -> bool:
    """Return whether the session's database is SQLite."""
    return db.session.get_bind().dialect.name == "sqlite"


def without_equal_users(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows without those of users who have exactly these ratings stored, and no others.

    Args:
        rows: with user_id, movie_id, value and timestamp, ordered by user and movie. The users are in `touched_users`.
    """
    equal: list[int] = []
    done = 0
    stored = read_texts()
    while block := list(islice(stored, USERS_PER_BLOCK)):
        end = int(rows["user_id"].search_sorted(block[-1][0], side="right"))
        texts = as_texts(rows[done:end])
        equal += [user_id for user_id, text in block if texts.get(user_id) == text]
        done = end
    return rows.filter(~pl.col("user_id").is_in(equal)) if equal else rows


def read_texts() -> Iterator[tuple[int, str | bytes]]:
    """Yield the touched users who have ratings, each with their ratings as one text, ordered by user."""
    with driver_cursor() as cursor:
        if is_sqlite():
            yield from cursor.execute(TEXTS_SQLITE)
        else:
            yield from cursor.stream(TEXTS_POSTGRESQL, binary=True)


def as_texts(rows: pl.DataFrame) -> dict[int, Any]:
    """Return the ratings of each user as the database concatenates them; ratings without a time equal no others."""
    if is_sqlite():
        half_stars = (pl.col("value") * 2).cast(pl.Int8)
        time = pl.col("timestamp").dt.strftime(SQLITE_TIME).fill_null("")
        lines = rows.select("user_id", text=pl.concat_str("movie_id", half_stars, time, separator=" "))
        return dict(lines.group_by("user_id").agg(pl.col("text").str.join(",")).iter_rows())
    sent = np.empty(len(rows), SENT_BY_POSTGRESQL)
    sent["movie_id"], sent["value"] = rows["movie_id"], rows["value"]
    sent["timestamp"] = rows["timestamp"].dt.epoch("us").fill_null(np.iinfo(np.int64).max) - MICROSECONDS_TO_2000
    user_ids, starts = np.unique(rows["user_id"], return_index=True)
    ends = [*starts[1:].tolist(), len(rows)]
    pairs = zip(user_ids.tolist(), starts.tolist(), ends, strict=True)
    return {user_id: sent[start:end].tobytes() for user_id, start, end in pairs}


def find_changes(rows: pl.DataFrame, stored: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows that differ from the stored ratings, with was_value and was_timestamp, in the same order.

    Args:
        rows: ordered by user.
        stored: blocks of `read_ratings`. They are compared one after another, which bounds the memory.
    """
    changes = []
    done, rest = 0, pl.DataFrame(schema=STORED)
    for block in stored:
        block = pl.concat([rest, block])
        last_user = block["user_id"][-1]
        # The last user may go on in the next block.
        rest = block.filter(pl.col("user_id") == last_user)
        end = int(rows["user_id"].search_sorted(last_user, side="left"))
        changes.append(compare(rows[done:end], block.filter(pl.col("user_id") != last_user)))
        done = end
    changes.append(compare(rows[done:], rest))
    return pl.concat(changes)


def compare(rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that differ from these stored ratings."""
    if stored.is_empty():
        # A join of ten million rows with none would take 400 MB.
        was = [pl.lit(None, STORED[name]).alias(name) for name in ("was_value", "was_timestamp")]
        return rows.select(*KEY, "value", pl.col("timestamp").fill_null(now()), *was)
    both = rows.select(*KEY, "value", "timestamp").join(stored, on=KEY, how="left", maintain_order="left")
    # A comparison with a null is null, which counts as equal: a row without a time changes nothing by that.
    differs = pl.col("was_value").is_null() | (pl.col("value") != pl.col("was_value"))
    differs |= (pl.col("timestamp") != pl.col("was_timestamp")).fill_null(False)
    return both.filter(differs).with_columns(pl.col("timestamp").fill_null(now()))


def read_ratings() -> Iterator[pl.DataFrame]:
    """Yield the stored ratings of the touched users in blocks of the columns STORED, ordered by user."""
    with driver_cursor() as cursor:
        if is_sqlite():
            cursor.execute(READ_SQLITE)
            while block := cursor.fetchmany(ROWS_PER_BLOCK):
                frame = pl.DataFrame(block, schema=STORED | {"was_timestamp": pl.String}, orient="row")
                at = pl.col("was_timestamp").str.to_datetime(SQLITE_TIME, time_unit="us", time_zone="UTC")
                yield frame.with_columns(at)
        else:
            with cursor.copy(READ_POSTGRESQL) as copy:
                for lines in joined(copy):
                    frame = pl.read_csv(lines, has_header=False, schema=STORED | {"was_timestamp": pl.Int64})
                    yield frame.with_columns(pl.col("was_timestamp").cast(MICROSECONDS))


def joined(copy: Any) -> Iterator[bytes]:
    """Yield the data of a COPY in blocks of whole lines; psycopg gives one line at a time."""
    lines: list[bytes] = []
    for line in copy:
        lines.append(bytes(line))
        if len(lines) == ROWS_PER_BLOCK:
            yield b"".join(lines)
            lines.clear()
    if lines:
        yield b"".join(lines)
