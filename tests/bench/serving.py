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
from recsite.storage.tables import Movie, Rating, User, now
from recsite.versions import training
from tests.processes.servers import answers, find_free_port, running_redis, wait_until

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
GUNICORN = ("gunicorn", "--workers", WORKERS, "--worker-class", "gthread", "--threads", "4", "--reuse-port")
SERVE = ("flask", "serve", "--workers", WORKERS)


def fill() -> None:
    """Movies with overviews, users with ratings, an active version and everybody's list."""
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
    """Requests a second, and the 99th percentile of their times in milliseconds; raises for any but good answers."""
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--latency"]
    printed = subprocess.run([*command, "--script", str(script), address], capture_output=True, text=True, check=True)
    if "Non-2xx" in printed.stdout or "Socket errors" in printed.stdout:
        raise RuntimeError(printed.stdout)
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", printed.stdout)
    ((p99, unit),) = re.findall(r"99%\s+([\d.]+)(us|ms|s)\n", printed.stdout)
    return float(rate), float(p99) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def compare(addresses: dict[str, str], script: Path, seconds: int, rounds: int) -> None:
    """Print medians of rounds taken in turn, after one that does not count."""
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


def main() -> None:
    """Print the table, or why there is none."""
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
        environ = {
            "DATABASE_URL": f"sqlite:///{folder}/db",
            "MEDIA_ROOT": str(folder),
            "SECRET_KEY": "bench",
            "REDIS_URL": redis.url,
            "API_AUTH": "open",
            "API_READS_PER_MINUTE": "1000000000",
        }
        app = create_app(environ | {"TESTING": True, "MEDIA_ROOT": folder, "API_READS_PER_MINUTE": 0})
        with app.app_context():
            flask_migrate.upgrade(directory=str(ROOT / "migrations"))
            fill()
        script = folder / "random_users.lua"
        script.write_text(LUA)
        off = environ | {"SUGGESTIONS_CACHE_SECONDS": "0"}
        ports = [find_free_port() for _ in range(3)]
        warm_address = stack.enter_context(serving((*SERVE, "--port", str(ports[0])), environ, ports[0]))
        off_address = stack.enter_context(serving((*SERVE, "--port", str(ports[1])), off, ports[1]))
        body = folder / "body.json"
        with urllib.request.urlopen(f"{warm_address}/api/suggestions/?user_id=1") as response:
            body.write_bytes(response.read())
        bare_command = (*GUNICORN, "--bind", f"127.0.0.1:{ports[2]}", "tests.bench.bare:app")
        bare = stack.enter_context(serving(bare_command, {"BARE_BODY": str(body)}, ports[2]))
        size = body.stat().st_size / 1000
        print(f"GET /api/suggestions/, 50 movies, {size:.0f} KB, {USERS:,} users, {CONNECTIONS} connections, SQLite:")  # noqa: T201
        compare({PEER: bare, "warm": warm_address, "cache off": off_address}, script, chosen.seconds, chosen.rounds)


if __name__ == "__main__":
    main()
