"""A list under `flask serve` beside a bare Flask route under gunicorn that returns as many bytes.

Needs wrk (`apt-get install wrk`, `brew install wrk`): a load generator in Python would take the cores it measures.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import flask_migrate
import numpy as np
import sqlalchemy as sa

from recsite import create_app, movies, suggestions, versions
from recsite.config import ROOT
from recsite.extensions import db
from recsite.storage import engine
from recsite.storage.tables import Movie, Rating, User, now
from recsite.versions import training
from tests.processes.servers import answers, find_free_port, running_postgresql, running_redis, wait_until

USERS, MOVIES, RATED = 1_000, 3_000, 40
OVERVIEW_LETTERS = (250, 700)
"From and to; TMDB's overviews take about as many, so that a list of 50 has 20–30 KB."
CONNECTIONS = 16
LUA = f"""
math.randomseed(os.time())
request = function() return wrk.format("GET", "/api/suggestions/?user_id=" .. math.random(1, {USERS})) end
"""
WORKERS = "2"
PEER = "a bare Flask route"
ON_SQLITE, ON_POSTGRESQL = "warm, SQLite", "warm, PostgreSQL"
GUNICORN = ("gunicorn", "--workers", WORKERS, "--worker-class", "gthread", "--threads", "4", "--reuse-port")
SERVE = ("flask", "serve", "--workers", WORKERS)


def fill() -> None:
    """Write movies with overviews, users with ratings, an active version and a list for every user."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(*OVERVIEW_LETTERS, MOVIES)
    rows = [
        {"id": m, "title": f"Movie {m}", "overview": ("Somebody finds something and loses it again. " * 20)[:length]}
        for m, length in enumerate(lengths.tolist(), start=1)
    ]
    db.session.execute(sa.insert(Movie), rows)
    db.session.execute(sa.insert(User), [{"id": u, "username": f"user-{u}"} for u in range(1, USERS + 1)])
    rows = [
        {"user_id": u, "movie_id": int(m), "value": float(rng.integers(1, 11)) / 2, "timestamp": now()}
        for u in range(1, USERS + 1)
        for m in rng.choice(MOVIES, RATED, replace=False) + 1
    ]
    db.session.execute(sa.insert(Rating), rows)
    movies.refresh_all_averages()
    version = training.train(training.set_up_from_settings(folds=2, epochs=2))
    versions.activate(version.version_name, "bench")
    suggestions.rescore(suggestions.all_user_ids())


@contextmanager
def serving(command: Sequence[str], environ: dict[str, str], port: int) -> Iterator[str]:
    """Run this server for the length of the block; yield its address."""
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(f"{address}/api/suggestions/?user_id=1"), within_seconds=60)
            yield address
        finally:
            process.terminate()


def measure(address: str, script: Path, seconds: int) -> tuple[float, float]:
    """Return requests per second and the 99th percentile of their times in milliseconds.

    Raises:
        RuntimeError: some responses were errors.
    """
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--latency"]
    printed = subprocess.run([*command, "--script", str(script), address], capture_output=True, text=True, check=True)
    if "Non-2xx" in printed.stdout or "Socket errors" in printed.stdout:
        raise RuntimeError(printed.stdout)
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", printed.stdout)
    ((p99, unit),) = re.findall(r"99%\s+([\d.]+)(us|ms|s)\n", printed.stdout)
    return float(rate), float(p99) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def compare(addresses: dict[str, str], script: Path, seconds: int, rounds: int) -> None:
    """Measure all addresses in turn, in several rounds after one to warm up, and print the medians."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in addresses}
    for turn in range(rounds + 1):
        for name, address in addresses.items():
            found = measure(address, script, seconds)
            if turn:
                measured[name].append(found)
    medians = {name: [statistics.median(each) for each in zip(*found, strict=True)] for name, found in measured.items()}
    for name, (rate, p99) in medians.items():
        ratio, slower = rate / medians[PEER][0], p99 / medians[PEER][1]
        print(f"  {name:<20} {rate:>7,.0f}/s  {ratio:>5.2f} × the bare rate   p99 {p99:>6.1f} ms  {slower:>5.2f} ×")  # noqa: T201
    ratio = medians[ON_POSTGRESQL][0] / medians[ON_SQLITE][0]
    print(f"  PostgreSQL reaches {ratio:.2f} of the rate on SQLite.")  # noqa: T201


def main() -> None:
    """Print the table, or the reason why there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    if not shutil.which("wrk"):
        print("wrk is not installed, so serving is not measured.")  # noqa: T201
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        redis = stack.enter_context(running_redis(folder / "redis"))
        shared = {
            "SECRET_KEY": "bench",
            "REDIS_URL": redis.url,
            "API_AUTH": "open",
            "API_READS_PER_MINUTE": "1000000000",
        }
        # The cache keys name users and versions, which are the same in both databases.
        caches = [{"CACHE_REDIS_URL": f"{redis.url[:-1]}{number}"} for number in (1, 2)]
        sqlite = shared | caches[0] | set_up(f"sqlite:///{folder}/db", folder / "sqlite")
        postgresql = shared | caches[1] | set_up(stack.enter_context(running_postgresql()), folder / "postgresql")
        script = folder / "random_users.lua"
        script.write_text(LUA)

        def serve(command: Sequence[str], environ: dict[str, str], option: str, prefix: str = "") -> str:
            port = find_free_port()
            return stack.enter_context(serving([*command, option, f"{prefix}{port}"], environ, port))

        addresses = {
            ON_SQLITE: serve(SERVE, sqlite, "--port"),
            ON_POSTGRESQL: serve(SERVE, postgresql, "--port"),
            "cache off, SQLite": serve(SERVE, sqlite | {"SUGGESTIONS_CACHE_SECONDS": "0"}, "--port"),
        }
        body = folder / "body.json"
        with urllib.request.urlopen(f"{addresses[ON_SQLITE]}/api/suggestions/?user_id=1") as response:
            body.write_bytes(response.read())
        bare = (*GUNICORN, "tests.bench.bare:app")
        addresses[PEER] = serve(bare, {"BARE_BODY": str(body)}, "--bind", "127.0.0.1:")
        size = body.stat().st_size / 1000
        print(f"GET /api/suggestions/, 50 movies, {size:.0f} KB, {USERS:,} users, {CONNECTIONS} connections:")  # noqa: T201
        compare(addresses, script, chosen.seconds, chosen.rounds)


def set_up(database_url: str, folder: Path) -> dict[str, str]:
    """Fill a new database, and return the settings of a site on it with a cache of its own."""
    settings = {"DATABASE_URL": database_url, "MEDIA_ROOT": str(folder)}
    app = create_app(settings | {"SECRET_KEY": "bench", "TESTING": True, "MEDIA_ROOT": folder})
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        fill()
        db.session.remove()
        engine.dispose()
    return settings


if __name__ == "__main__":
    main()
