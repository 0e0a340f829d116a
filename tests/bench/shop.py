"""A shop's first day over HTTP, from nothing to lists for all customers, and what its batches cost everybody else.

    python -m tests.bench.shop [--database postgresql]

The site is a real one: `flask serve` with two processes, a worker, Redis. While batches are saved, one client reads a
list and another rates a movie, again and again; the table has the longest of their waits.
"""

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import flask_migrate
import numpy as np

from recsite import accounts, create_app
from recsite.accounts import SCOPES, site_tokens
from recsite.config import ROOT
from recsite.extensions import db
from recsite.storage import engine
from tests.processes.servers import answers, find_free_port, running_postgresql, running_redis, wait_until

CUSTOMERS, MOVIES, RATINGS = 1_000, 300, 25_000
BATCH = 10_000
LIMIT = 10
GENRES = ("Drama", "Comedy", "Crime", "Action", "Romance")


class Api:
    """One connection to the site, with a token."""

    def __init__(self, address: str, token: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of the answer; raise RuntimeError for an error."""
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        response = self.connection.getresponse()
        text = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {text[:300]!r}")
        return json.loads(text) if text else None


def make_ratings() -> list[dict[str, Any]]:
    """Return ratings of customers who differ in what they like."""
    rng = np.random.default_rng(1)
    taste, kind = rng.normal(size=(CUSTOMERS, 4)), rng.normal(size=(MOVIES, 4))
    stars = np.clip(np.round(2 * (3.3 + taste @ kind.T / 2 + rng.normal(size=(CUSTOMERS, MOVIES)) / 2)) / 2, 0.5, 5)
    chosen = rng.permutation(CUSTOMERS * MOVIES)[:RATINGS]
    return [
        {
            "user": f"cust-{pair // MOVIES}",
            "movie": f"site:SKU-{pair % MOVIES}",
            "value": float(stars[pair // MOVIES, pair % MOVIES]),
            "timestamp": 1_700_000_000 + number,
        }
        for number, pair in enumerate(chosen.tolist())
    ]


def send_everything(api: Api, times: dict[str, float]) -> None:
    """Send movies and ratings, train, and read the lists of all; note the seconds of each step."""
    with timed(times, "movies"):
        movies = [
            {"movie": f"site:SKU-{number}", "title": f"Film {number}", "genres": [GENRES[number % 5]]}
            for number in range(MOVIES)
        ]
        api.ask("POST", "/api/movies/batch", {"movies": movies})
    rows = make_ratings()
    with timed(times, "ratings"):
        for start in range(0, RATINGS, BATCH):
            answer = api.ask("POST", "/api/ratings/batch", {"ratings": rows[start : start + BATCH]})
            if answer["new"] != len(rows[start : start + BATCH]):
                raise RuntimeError(f"not all ratings were saved: {answer}")
    with timed(times, "training"):
        job = api.ask("POST", "/api/jobs", {"kind": "train", "activate": True})
        while job["state"] in ("queued", "running"):
            time.sleep(0.2)
            job = api.ask("GET", f"/api/jobs/{job['id']}")
        if job["state"] != "finished":
            raise RuntimeError(f"the training {job['state']}: {job['error']}")
    with timed(times, "lists"):
        users = [f"cust-{number}" for number in range(CUSTOMERS)]
        lists = api.ask("POST", "/api/suggestions/batch", {"users": users, "limit": LIMIT})["results"]
    if any(each["source"] == "popular" or len(each["suggestions"]) < LIMIT for each in lists):
        raise RuntimeError("a list is short, or not personal")
    with timed(times, "the same ratings again"):
        for start in range(0, RATINGS, BATCH):
            api.ask("POST", "/api/ratings/batch", {"ratings": rows[start : start + BATCH]})


@contextlib.contextmanager
def timed(times: dict[str, float], name: str) -> Iterator[None]:
    """Note the seconds of the block."""
    started = time.monotonic()
    yield
    times[name] = time.monotonic() - started


def measure_waits(work: Callable[[], Any], ended: threading.Event, waits: list[float]) -> None:
    """Do the work again and again until the end, and note the seconds of each time."""
    while not ended.is_set():
        started = time.monotonic()
        work()
        waits.append(time.monotonic() - started)
        time.sleep(0.01)


def disturb(address: str, token: str, api: Api) -> dict[str, list[float]]:
    """Send three batches of BATCH changed ratings while others read and rate; return the waits, idle ones first."""
    others = {name: Api(address, token) for name in ("read", "rate")}
    work: dict[str, Callable[[], Any]] = {
        "read": lambda: others["read"].ask("GET", f"/api/suggestions?user=cust-1&limit={LIMIT}"),
        "rate": lambda: others["rate"].ask(
            "POST", "/api/ratings", {"user": "guest", "movie": "site:SKU-1", "value": 4}
        ),
    }
    waits: dict[str, list[float]] = {}
    for state, batches in (("idle", 0), ("beside batches", 3)):
        ended = threading.Event()
        threads = []
        for name, each in work.items():
            found = waits[f"{name}, {state}"] = []
            threads.append(threading.Thread(target=measure_waits, args=(each, ended, found)))
            threads[-1].start()
        time.sleep(3)
        for number in range(batches):
            rows = [row | {"value": 0.5 + number} for row in make_ratings()[:BATCH]]
            api.ask("POST", "/api/ratings/batch", {"ratings": rows})
        ended.set()
        for thread in threads:
            thread.join()
    return waits


@contextlib.contextmanager
def running_shop(database_url: str, folder: Path, redis_url: str) -> Iterator[tuple[str, str]]:
    """Run an empty site; yield its address and a token with all scopes."""
    settings = {"DATABASE_URL": database_url, "MEDIA_ROOT": str(folder), "REDIS_URL": redis_url, "SECRET_KEY": "bench"}
    with create_app(settings | {"TESTING": True, "MEDIA_ROOT": folder}).app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        accounts.create_user("guest")
        token = site_tokens.create("bench", list(SCOPES), None, "bench")
        db.session.remove()
        engine.dispose()
    port = find_free_port()
    environ = os.environ | settings | {"API_TOKEN_WRITES_PER_MINUTE": "0", "API_TOKEN_READS_PER_MINUTE": "0"}
    commands = (("serve", "--workers", "2", "--port", str(port)), ("worker",))
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(
                [sys.executable, "-m", "flask", *command],
                cwd=ROOT,
                env=environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/healthz"), within_seconds=60)
        yield address, token


def main() -> None:
    """Print the seconds of each step, the rates, and the waits of others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        redis = stack.enter_context(running_redis(folder / "redis"))
        is_sqlite = chosen.database == "sqlite"
        url = f"sqlite:///{folder}/db" if is_sqlite else stack.enter_context(running_postgresql())
        address, token = stack.enter_context(running_shop(url, folder / "media", redis.url))
        api = Api(address, token)
        times: dict[str, float] = {}
        send_everything(api, times)
        print(f"{CUSTOMERS:,} customers, {MOVIES} movies, {RATINGS:,} ratings over HTTP, {chosen.database}:")  # noqa: T201
        for step, seconds in times.items():
            print(f"  {step:<24} {seconds:6.2f} s")  # noqa: T201
        print(f"  ratings a second {RATINGS / times['ratings']:,.0f}, lists a second {CUSTOMERS / times['lists']:,.0f}")  # noqa: T201
        for name, waits in disturb(address, token, api).items():
            print(f"  {name:<24} longest wait {1000 * max(waits):5.0f} ms of {len(waits)}")  # noqa: T201


if __name__ == "__main__":
    main()
