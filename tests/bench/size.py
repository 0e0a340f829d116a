"""Import, training, scoring and a first answer at 1, 10 and 32 million ratings, on SQLite, each beside a named peer.

    python -m tests.bench.size 1M 10M 32M

Each step is a command in a process of its own, with its time and largest memory. The peers do the core
of a step alone: scikit-surprise's own fit on a sample, extrapolated by the number of ratings; `executemany` of a sample
into a bare table, likewise; the bare product of users and movies. `--pieces` also trains by one and by two workers with
one thread each.
"""

import argparse
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from surprise import SVD, Dataset, Reader
from threadpoolctl import threadpool_limits

from recsite.config import ROOT
from recsite.ml.descent import Parameters, fit_model
from recsite.ml.ratings import NumberedRatings, Ratings
from tests.bench.synthetic import SIZES, Size, synthetic_ratings, write_movielens
from tests.processes.servers import answers, find_free_port, running_redis, wait_until

FACTORS = 100
SURPRISE_SAMPLE, INSERT_SAMPLE = 2_000_000, 1_000_000
"Ratings that the peers take. Surprise's tuples of a small sample would fit into the cache, and those of a site do not."
SEED = 1
GIB = 1024**3


@dataclass(frozen=True)
class Step:
    """What one command took."""

    name: str
    seconds: float
    peak_bytes: int


def show(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201  # A bench prints its table.


def run(name: str, environment: dict[str, str], *arguments: str) -> Step:
    """Run a flask command to its end and return what it took; end the bench if it fails."""
    started = time.monotonic()
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        peak = 0
        while process.poll() is None:
            peak = max(peak, peak_bytes(process.pid))
            time.sleep(0.1)
        if process.returncode:
            errors.seek(0)
            sys.exit(f"flask {' '.join(arguments)} failed:\n{errors.read().decode()[-2000:]}")
    step = Step(name, time.monotonic() - started, peak)
    show(f"  {name:<28}{step.seconds:>8.1f} s{step.peak_bytes / GIB:>8.2f} GiB")
    return step


def peak_bytes(pid: int) -> int:
    """Return the largest memory of the process so far; 0 when it has ended.

    The figure that `wait4` returns begins with the memory of this process, from which the child was forked.
    """
    try:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return 0
    return int(lines["VmHWM"].split()[0]) * 1024 if "VmHWM" in lines else 0


def start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that prints nothing here."""
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def site(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of a new site on SQLite with a Redis of its own."""
    (folder / "redis").mkdir(parents=True)
    with running_redis(folder / "redis") as redis:
        yield os.environ | {
            "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3",
            "SECRET_KEY": "x" * 40,
            "MEDIA_ROOT": str(folder / "media"),
            "REDIS_URL": redis.url,
            "CACHE_REDIS_URL": redis.cache_url,
            "API_AUTH": "open",
        }


def first_answer(environment: dict[str, str]) -> Step:
    """Start the server, ask for a list, and return the time until it was there."""
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve", "--workers", "2", "--port", str(port)]
    started = time.monotonic()
    server = start(command, environment)
    try:
        wait_until(lambda: answers(f"{url}/healthz"), within_seconds=120)
        with urllib.request.urlopen(f"{url}/api/suggestions/?user_id=1", timeout=60) as response:
            assert response.status == 200
        seconds, peak = time.monotonic() - started, peak_bytes(server.pid)
    finally:
        server.terminate()
        server.wait()
    step = Step("start and first answer", seconds, peak)
    show(f"  {step.name:<28}{step.seconds:>8.1f} s{step.peak_bytes / GIB:>8.2f} GiB")
    return step


def epoch_seconds(ratings: Ratings) -> float:
    """Return the seconds of one epoch of our fit on all ratings."""
    parameters = Parameters(FACTORS, 4, 0.02, 0.02, 0.1, 0.4, SEED)
    times: list[float] = []

    def note(*_: object) -> bool:
        times.append(time.perf_counter())
        return False

    fit_model(NumberedRatings.of(ratings), parameters, after_epoch=note)
    return float(np.min(np.diff(times)))


def surprise_epoch_seconds(ratings: Ratings) -> float:
    """Return the seconds that an epoch of Surprise's fit would take, from a sample of whole users."""
    users = np.unique(ratings.user_ids)
    n_users = max(1, min(len(users), SURPRISE_SAMPLE * len(users) // len(ratings)))
    some = np.random.default_rng(SEED).choice(users, n_users, replace=False)
    sample = ratings.select(np.isin(ratings.user_ids, some))
    dataset = Dataset(Reader(rating_scale=(0.5, 5)))
    columns = (sample.user_ids.tolist(), sample.movie_ids.tolist(), sample.values.tolist())
    dataset.raw_ratings = [(*row, None) for row in zip(*columns, strict=True)]
    trainset = dataset.construct_trainset(dataset.raw_ratings)
    seconds = []
    for epochs in (1, 3):
        started = time.perf_counter()
        SVD(n_factors=FACTORS, n_epochs=epochs, random_state=SEED).fit(trainset)
        seconds.append(time.perf_counter() - started)
    return (seconds[1] - seconds[0]) / 2 * len(ratings) / len(sample)


def executemany_seconds(ratings: Ratings, folder: Path) -> float:
    """Return the seconds that `executemany` would take to insert all ratings into a bare table, from a sample."""
    sample = ratings.select(np.arange(min(len(ratings), INSERT_SAMPLE)))
    columns = (sample.user_ids, sample.movie_ids, sample.values, sample.timestamps)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    with sqlite3.connect(folder / "bare.sqlite3") as connection:
        connection.execute("CREATE TABLE r (u INTEGER, m INTEGER, v REAL, t INTEGER, PRIMARY KEY (u, m))")
        started = time.perf_counter()
        connection.executemany("INSERT INTO r VALUES (?, ?, ?, ?)", rows)
        connection.commit()
    return (time.perf_counter() - started) * len(ratings) / len(sample)


def product_seconds(size: Size) -> float:
    """Return the seconds that the bare product of the factors of all users and movies would take, from a sample."""
    rng = np.random.default_rng(SEED)
    p, q = (rng.standard_normal((n, FACTORS), dtype=np.float32) for n in (2048, size.movies))
    with threadpool_limits(1, "blas"):
        started = time.perf_counter()
        for _ in range(3):
            p @ q.T
        return (time.perf_counter() - started) / 3 * size.users / len(p)


def count_live_runs(environment: dict[str, str]) -> int:
    """Return how many runs are queued or running."""
    with contextlib.closing(sqlite3.connect(environment["DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
        query = "SELECT count(*) FROM runs WHERE state IN ('queued', 'running')"
        found: int = connection.execute(query).fetchone()[0]
    return found


def compare_workers(environment: dict[str, str], counts: list[int]) -> None:
    """Train through the queue by so many workers with one thread each, and print the times."""
    single = environment | {"WORKER_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JOB_TIMEOUT_SECONDS": "36000"}
    flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
    seconds = []
    for count in counts:
        run("queue a training", single, "train", "--queue")
        started = time.monotonic()
        # Not with --burst: a worker that finds nothing to do before the training is divided would end.
        workers = [start([*flask, "worker"], single) for _ in range(count)]
        wait_until(lambda: not count_live_runs(single), within_seconds=36_000)
        seconds.append(time.monotonic() - started)
        for worker in workers:
            worker.terminate()
            worker.wait()
        show(f"  training by {count} worker{'s' * (count > 1)}: {seconds[-1]:.0f} s ({seconds[0] / seconds[-1]:.2f} ×)")


def measure(name: str, pieces: bool) -> None:
    """Measure one size and print its table."""
    size = SIZES[name]
    ratings = synthetic_ratings(size, SEED)
    show(f"{name}: {len(ratings):,} ratings of {size.users:,} users × {size.movies:,} movies")
    with tempfile.TemporaryDirectory(prefix="size-") as place:
        folder = Path(place)
        write_movielens(folder / "data", ratings, size.movies)
        with site(folder) as environment:
            run("migrate", environment, "db", "upgrade")
            imported = run("import", environment, "import", "movielens", str(folder / "data"))
            trained = run("train, with all measurements", environment, "train", "--activate")
            scored = run("score everybody", environment, "score")
            steps = (imported, trained, scored, first_answer(environment))
            show(f"  {'in all':<28}{sum(step.seconds for step in steps):>8.1f} s")
            bare = executemany_seconds(ratings, folder)
            show(f"  import: {imported.seconds / bare:.2f} × a bare executemany ({bare:.0f} s, from a sample)")
            ours, surprise = epoch_seconds(ratings), surprise_epoch_seconds(ratings)
            show(f"  an epoch: {ours:.2f} s; Surprise's {surprise:.1f} s, from a sample: {surprise / ours:.0f} ×")
            product = product_seconds(size)
            show(
                f"  score: {scored.seconds / product:.1f} × a bare product, one thread ({product:.0f} s from a sample)"
            )
            if pieces:
                compare_workers(environment, [1, 2])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="+", choices=list(SIZES))
    parser.add_argument("--pieces", action="store_true", help="also train by one and by two workers")
    chosen = parser.parse_args()
    for each in chosen.sizes:
        measure(each, chosen.pieces)
