"""A million suggestion rows, first inserted and then all updated, beside the bare driver on the same tables."""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count, repeat
from typing import Any

import flask_migrate
import numpy as np
import sqlalchemy as sa

from recsite import create_app
from recsite.config import ROOT
from recsite.extensions import db
from recsite.models import ModelVersion, Movie, User
from recsite.suggestions import rows
from recsite.suggestions.ranking import ScoredList

from ..servers import running_postgresql

MOVIES = 10_000
TOP = 100
BLOCK_USERS = 512
"As scoring hands them over."
COLUMNS = "user_id, movie_id, value, rank, active, did_rate, model_version_id, timestamp"
TYPES = ("int4", "int4", "float8", "int4", "bool", "bool", "int4", "timestamptz")
MERGE = """
ON CONFLICT (user_id, movie_id) DO UPDATE SET value = excluded.value, rank = excluded.rank,
active = excluded.active, model_version_id = excluded.model_version_id, timestamp = excluded.timestamp
"""


def make_lists(users: int, seed: int) -> list[ScoredList]:
    """A list for each user; another seed changes values and ranks, not the pairs."""
    order, pairs = np.random.default_rng(seed), np.random.default_rng(0)
    return [
        ScoredList(
            user, 0, order.permutation(pairs.choice(MOVIES, TOP, replace=False) + 1), order.uniform(0.5, 5, TOP), True
        )
        for user in range(1, users + 1)
    ]


def tuples_of(lists: Sequence[ScoredList], version_id: int, at: object) -> list[tuple[object, ...]]:
    """The same rows as the drivers take them."""
    constants = (repeat(True), repeat(False), repeat(version_id), repeat(at))
    return [
        row
        for each in lists
        for row in zip(repeat(each.user_id), each.movie_ids.tolist(), each.values.tolist(), count(1), *constants)
    ]


def fill(users: int) -> None:
    """Movies, users and two versions, for the rows to refer to."""
    flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    db.session.execute(sa.insert(Movie), [{"id": m, "title": f"Movie {m}"} for m in range(1, MOVIES + 1)])
    db.session.execute(sa.insert(User), [{"id": u, "username": f"user-{u}"} for u in range(1, users + 1)])
    zeros = dict.fromkeys(("rmse", "mae", "rating_count", "user_count", "movie_count"), 0)
    names = dict.fromkeys(("algorithm", "sha256", "manifest_sha256"), "")
    db.session.add_all(ModelVersion(id=n, version_name=f"model-{n}", **zeros, **names) for n in (1, 2))
    db.session.commit()


def ours(lists: Sequence[ScoredList], version_id: int) -> None:
    """The site's own function, which also marks the users and looks for rows that fell out."""
    for start in range(0, len(lists), BLOCK_USERS):
        rows.upsert(lists[start : start + BLOCK_USERS], version_id)


def raw_executemany(connection: Any, tuples: Sequence[tuple[object, ...]]) -> None:
    """sqlite3 alone, in one transaction."""
    connection.executemany(f"INSERT INTO suggestions ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?) {MERGE}", tuples)
    connection.commit()


def copy_and_merge(connection: Any, tuples: Sequence[tuple[object, ...]]) -> None:
    """psycopg alone: binary COPY into a temporary table, and one merge."""
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS.split(", "), TYPES, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE scored ({columns}) ON COMMIT DROP")
        with cursor.copy("COPY scored FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(TYPES)
            for row in tuples:
                copy.write_row(row)
        cursor.execute(f"INSERT INTO suggestions ({COLUMNS}) SELECT * FROM scored {MERGE}")
    connection.commit()


def rate_of(work: Callable[[], None], n_rows: int) -> float:
    """Rows a second."""
    started = time.perf_counter()
    work()
    return n_rows / (time.perf_counter() - started)


def compare(url: str, n_rows: int) -> None:
    """Print rows a second of both, inserting and updating, on one database."""
    first, second = make_lists(n_rows // TOP, 1), make_lists(n_rows // TOP, 2)
    with create_app({"DATABASE_URL": url, "SECRET_KEY": "bench", "TESTING": True}).app_context():
        fill(n_rows // TOP)
        is_sqlite = db.engine.dialect.name == "sqlite"
        peer, name = (raw_executemany, "executemany") if is_sqlite else (copy_and_merge, "COPY and merge")
        connection = db.engine.raw_connection().driver_connection
        for what, lists, version_id in (("insert", first, 1), ("update", second, 2)):
            at = datetime.now(UTC)
            tuples = tuples_of(lists, version_id, at.isoformat(" ") if is_sqlite else at)
            if what == "insert":
                theirs = rate_of(lambda: peer(connection, tuples), n_rows)  # noqa: B023  # called at once
                db.session.execute(sa.text("DELETE FROM suggestions"))
                db.session.commit()
                mine = rate_of(lambda: ours(lists, version_id), n_rows)  # noqa: B023  # called at once
            else:
                mine = rate_of(lambda: ours(lists, version_id), n_rows)  # noqa: B023  # called at once
                theirs = rate_of(lambda: peer(connection, tuples), n_rows)  # noqa: B023  # called at once
            print(f"  {what}: {mine:>9,.0f} rows/s, {name} {theirs:>9,.0f}: {mine / theirs:.2f} ×")  # noqa: T201
        db.session.remove()
        db.engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    chosen = parser.parse_args()
    print(f"Upserting {chosen.rows:,} suggestion rows on SQLite:")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        compare(f"sqlite:///{folder}/db", chosen.rows)
    print("On PostgreSQL:")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder, running_postgresql() as url:
        compare(url, chosen.rows)
