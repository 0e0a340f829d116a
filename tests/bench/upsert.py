"""Upsert of a million suggestion rows, first inserted and then updated, beside the bare driver on the same tables."""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import flask_migrate
import numpy as np
import sqlalchemy as sa

from recsite import create_app
from recsite.config import ROOT
from recsite.extensions import db
from recsite.storage.tables import ModelVersion, Movie, Suggestion, User
from recsite.suggestions import rows
from recsite.suggestions.ranking import ScoredList
from tests.bench.timing import table
from tests.processes.servers import running_postgresql

MOVIES, TOP = 10_000, 100
BLOCK_USERS = 2048
"As scoring hands them over."
COLUMNS = "user_id, movie_id, value, rank, active, did_rate, model_version_id, timestamp"
TYPES = ("int4", "int4", "float8", "int4", "bool", "bool", "int4", "timestamptz")
MERGE = """
ON CONFLICT (user_id, movie_id) DO UPDATE SET value = excluded.value, rank = excluded.rank,
active = excluded.active, model_version_id = excluded.model_version_id, timestamp = excluded.timestamp
"""
VERSION = {"rmse": 1, "mae": 1, "algorithm": "", "rating_count": 0, "user_count": 0, "movie_count": 0}
PEERS = {"sqlite": "executemany", "postgresql": "COPY and merge"}

Rows = list[tuple[Any, ...]]


def make_lists(users: int, seed: int) -> list[ScoredList]:
    """Return a list for each user; another seed changes values and ranks, not the pairs of user and movie."""
    order, pairs = np.random.default_rng(seed), np.random.default_rng(0)
    lists = []
    for user in range(1, users + 1):
        movies = order.permutation(pairs.choice(MOVIES, TOP, replace=False) + 1)
        lists.append(ScoredList(user, 0, movies, order.uniform(0.5, 5, TOP), True))
    return lists


def as_rows(lists: Sequence[ScoredList], version_id: int, at: object) -> Rows:
    """Return the rows of the lists as the drivers take them."""
    return [
        (each.user_id, movie_id, value, rank, True, False, version_id, at)
        for each in lists
        for rank, (movie_id, value) in enumerate(
            zip(each.movie_ids.tolist(), each.values.tolist(), strict=True), start=1
        )
    ]


def fill(users: int) -> None:
    """Insert the users, movies and versions that the rows refer to."""
    flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    db.session.execute(sa.insert(Movie), [{"id": m, "title": f"Movie {m}"} for m in range(1, MOVIES + 1)])
    db.session.execute(sa.insert(User), [{"id": u, "username": f"user-{u}"} for u in range(1, users + 1)])
    for name in ("model-1", "model-2"):
        db.session.add(ModelVersion(version_name=name, sha256="", manifest_sha256="", **VERSION))
    db.session.commit()


def upsert(lists: Sequence[ScoredList], version_id: int) -> None:
    """Upsert as the site does, with its marks on users and its commits."""
    for start in range(0, len(lists), BLOCK_USERS):
        rows.upsert(lists[start : start + BLOCK_USERS], version_id)


def executemany(connection: Any, ready: Rows) -> None:
    """Upsert by SQLite's driver in one transaction."""
    connection.executemany(f"INSERT INTO suggestions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) {MERGE}", ready)
    connection.commit()


def copy_and_merge(connection: Any, ready: Rows) -> None:
    """Upsert by PostgreSQL's driver: binary COPY into a temporary table and a merge, in one transaction."""
    with connection.cursor() as cursor:
        columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(TYPES))
        cursor.execute(f"CREATE TEMPORARY TABLE scored ({columns}) ON COMMIT DROP")
        with cursor.copy("COPY scored FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(TYPES)
            for row in ready:
                copy.write_row(row)
        cursor.execute(f"INSERT INTO suggestions ({COLUMNS}) SELECT * FROM scored {MERGE}")
    connection.commit()


def seconds_of(work: Callable[..., None], *arguments: object) -> float:
    """Return the seconds of the call."""
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def compare(url: str, n_rows: int, runs: int) -> None:
    """Print the tables for one database; both ways run in turn, each from an empty table."""
    app = create_app({"DATABASE_URL": url, "SECRET_KEY": "bench", "TESTING": True})
    users = n_rows // TOP
    lists = (make_lists(users, seed=1), make_lists(users, seed=2))
    with app.app_context():
        fill(users)
        kind = db.engine.dialect.name
        bare = executemany if kind == "sqlite" else copy_and_merge
        at = datetime.now(UTC)
        ready = [as_rows(each, v, at.isoformat(" ") if kind == "sqlite" else at) for v, each in enumerate(lists, 1)]
        phases: list[dict[str, list[float]]] = [{PEERS[kind]: [], "upsert": []} for _ in lists]
        for _ in range(runs):
            connection = db.session.connection().connection.driver_connection
            for seconds, each in zip(phases, ready, strict=True):
                seconds[PEERS[kind]].append(seconds_of(bare, connection, each))
            empty()
            for version_id, (seconds, scored) in enumerate(zip(phases, lists, strict=True), start=1):
                seconds["upsert"].append(seconds_of(upsert, scored, version_id))
            empty()
        for name, seconds in zip(("first insert", "full update"), phases, strict=True):
            print(f"{users * TOP:,} rows, {kind}, {name}:\n{table(seconds, PEERS[kind])}", flush=True)  # noqa: T201
        db.session.remove()
        db.engine.dispose()


def empty() -> None:
    """Remove all suggestions, on PostgreSQL with the dead rows."""
    is_sqlite = db.engine.dialect.name == "sqlite"
    db.session.execute(sa.delete(Suggestion) if is_sqlite else sa.text("TRUNCATE suggestions"))
    db.session.commit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(f"sqlite:///{folder}/db", chosen.rows, chosen.runs)
    with running_postgresql() as postgresql_url:
        compare(postgresql_url, chosen.rows, chosen.runs)
