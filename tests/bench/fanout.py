"""Scoring of everybody by the queue: one worker beside two, and the run beside computing and writing alone.

It runs on PostgreSQL with real workers that score on one thread each; every run starts from an empty table.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import numpy as np
import sqlalchemy as sa
from flask import Flask

from recsite import create_app, jobs, movies, suggestions, versions
from recsite.config import ROOT
from recsite.extensions import db
from recsite.ml.descent import Parameters
from recsite.ml.files import write_version
from recsite.ml.fit import fit
from recsite.ml.ratings import Ratings
from recsite.storage.queue import queueing
from recsite.storage.tables import ModelVersion, Movie, Rating, User, now
from recsite.suggestions import rows, scoring
from tests.bench.topn import NEIGHBOURS, make_ranker
from tests.processes.servers import running_command, running_postgresql, running_redis, wait_until

RATED = 50
"Ratings of each user."
TOP = 100
ROWS_AT_A_TIME = 50_000
LONGEST_RUN_SECONDS = 1800


def fill(n_users: int, n_movies: int) -> None:
    """Fill the site with users, movies, ratings of each user and an active version fitted in one epoch."""
    rng = np.random.default_rng(1)
    db.session.execute(sa.insert(Movie), [{"id": m, "title": f"Movie {m}"} for m in range(1, n_movies + 1)])
    db.session.execute(sa.insert(User), [{"id": u, "username": f"user-{u}"} for u in range(1, n_users + 1)])
    owners = np.repeat(np.arange(1, n_users + 1), RATED)
    rated = np.concatenate([rng.choice(n_movies, RATED, replace=False) + 1 for _ in range(n_users)])
    values = rng.integers(1, 11, len(owners)) / 2
    at = now()
    for start in range(0, len(owners), ROWS_AT_A_TIME):
        batch = slice(start, start + ROWS_AT_A_TIME)
        columns = (owners[batch].tolist(), rated[batch].tolist(), values[batch].tolist())
        keys = ("user_id", "movie_id", "value")
        db.session.execute(
            sa.insert(Rating),
            [dict(zip(keys, row, strict=True), timestamp=at) for row in zip(*columns, strict=True)],
        )
    movies.refresh_all_averages()
    algo = fit(Ratings.from_arrays(owners, rated, values), Parameters(100, 1, 0.01, 0.01, 0.1, 0.1, 1))
    written = write_version(
        versions.folder(),
        stem="model-100",
        taken=set(),
        algo=algo,
        ranker=make_ranker(n_movies, NEIGHBOURS),
        user_generations=np.zeros(n_users, np.int64),
        about={"parameters": {"regularization": 0.1}},
    )
    version = ModelVersion(
        version_name=written.version_name,
        sha256=written.sha256,
        manifest_sha256=written.manifest_sha256,
        rmse=1.0,
        mae=1.0,
        algorithm="bench",
        rating_count=len(owners),
        user_count=n_users,
        movie_count=n_movies,
    )
    db.session.add(version)
    db.session.commit()
    versions.activate(written.version_name, "bench")


def empty() -> None:
    """Remove all suggestions with their dead rows."""
    db.session.rollback()
    db.session.execute(sa.text("TRUNCATE suggestions"))
    db.session.commit()


def apart(block_users: int) -> tuple[float, float]:
    """Return the seconds of computing all lists on one thread, and of upserting them, in this process."""
    version = suggestions.require_version()
    user_ids = suggestions.all_user_ids()
    scoring.score_users(version, user_ids[:block_users], TOP, threads=1)  # compiles and reads the movies once
    computing, upserting = 0.0, 0.0
    for start in range(0, len(user_ids), block_users):
        began = time.perf_counter()
        lists = scoring.score_users(version, user_ids[start : start + block_users], TOP, threads=1)
        computed = time.perf_counter()
        rows.upsert(lists, version.version_id)
        db.session.commit()
        computing, upserting = computing + computed - began, upserting + time.perf_counter() - computed
    return computing, upserting


@contextlib.contextmanager
def workers(app: Flask, number: int) -> Iterator[None]:
    """Run that many workers, ready for work, until the block ends."""
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(running_command(app, "worker"))
        wait_until(lambda: len(queueing.find_workers()) >= number, within_seconds=60)
        yield
    queueing.connection.flushdb()


def whole_run() -> float:
    """Return the seconds from the start of a run to the end of its last block."""
    run_id = jobs.start("score", "bench", top=TOP)

    def is_over() -> bool:
        db.session.rollback()
        return not jobs.find(run_id).is_live

    wait_until(is_over, LONGEST_RUN_SECONDS)
    run = jobs.find(run_id)
    assert run.is_whole, run.error
    assert run.ended_at is not None
    return (run.ended_at - run.created_at).total_seconds()


def main(n_users: int, n_movies: int, times: int) -> None:
    """Print the seconds and the two ratios."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgresql() as database_url,
        running_redis(Path(folder) / "redis") as redis,
    ):
        app = create_app(
            {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis.url,
                "CACHE_REDIS_URL": redis.cache_url,
                "MEDIA_ROOT": Path(folder) / "media",
                "SECRET_KEY": "bench",
            }
        )
        with app.app_context():
            flask_migrate.upgrade(directory=str(ROOT / "migrations"))
            fill(n_users, n_movies)
            print(f"{n_users:,} users × {n_movies:,} movies, top {TOP}, PostgreSQL:", flush=True)  # noqa: T201
            for _ in range(times):
                compare(app)


def compare(app: Flask) -> None:
    """Print one line: the parts, one worker, two workers."""
    empty()
    computing, upserting = apart(app.config["SCORE_BLOCK_USERS"])
    seconds = {}
    for number in (1, 2):
        empty()
        with workers(app, number):
            seconds[number] = whole_run()
    parts = computing + upserting
    print(  # noqa: T201
        f"  computing {computing:.1f} s + upserting {upserting:.1f} s = {parts:.1f} s apart; "
        f"by the queue one worker {seconds[1]:.1f} s ({seconds[1] / parts:.2f} × apart), "
        f"two {seconds[2]:.1f} s: {seconds[1] / seconds[2]:.2f} × as fast",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="20000x10000", help="USERSxMOVIES")
    parser.add_argument("--times", type=int, default=1)
    chosen = parser.parse_args()
    n_users, n_movies = map(int, chosen.shape.split("x"))
    main(n_users, n_movies, chosen.times)
