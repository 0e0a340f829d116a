"""The time, memory and disk space that a training takes, estimated before it starts, and whether they are available."""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from flask import current_app

from recsite.errors import InsufficientResources
from recsite.extensions import db
from recsite.ml.threads import count_cores
from recsite.storage.tables import Movie, User
from recsite.versions.pieces import SetUp

GIB = 1024**3
# Measured by tests/bench/size.py on two cores of an AMD EPYC; the time is an estimate, not a promise.
SECONDS_PER_STEP = 0.65e-9
"Time of one factor of one rating in one epoch, on one thread."
SECONDS_PER_PRODUCT = 2e-9
"Time of one pair of ratings of one user in the product XᵀX of the ranker, on one thread."
SECONDS_PER_CUBE = 2.8e-11
"Time of the inverse of XᵀX, divided by movies³, on two cores."
SECONDS_PER_RATING = 6e-6
"Time per rating of reading, splitting and measuring."
PROCESS_BYTES = 350 * 1024**2
BYTES_PER_RATING, BYTES_PER_FACTOR, BYTES_PER_CELL = 100, 24, 9
"Memory of a fit per rating, per factor of a user or movie, and per pair of movies that the ranker covers."


@dataclass(frozen=True)
class Plan:
    """The size of a training."""

    ratings: int
    users: int
    movies: int
    seconds: float
    "On this host, by one process."
    peak_bytes: int
    "Largest memory of one process."
    disk_bytes: int
    "Written under MEDIA_ROOT: arrays that are removed at the end, and the version."

    def __str__(self) -> str:
        """Return the plan as a sentence."""
        duration = f"about {math.ceil(self.seconds / 60)} minutes" if self.seconds > 60 else "less than a minute"
        disk = max(0.1, self.disk_bytes / GIB)
        return (
            f"Training on {self.ratings:,} ratings of {self.users:,} users and {self.movies:,} movies takes "
            f"{duration}, {self.peak_bytes / GIB:.1f} GiB of memory and {disk:.1f} GiB of disk."
        )


def make_plan(set_up: SetUp, threads: int | None = None) -> Plan:
    """Return what a training with this set-up takes; `threads` as in `training.train`."""
    counts = sa.select(sa.func.coalesce(sa.func.sum(Movie.rating_count), 0), sa.func.count())
    n_ratings, n_movies = db.session.execute(counts.where(Movie.rating_count > 0)).one()
    covered = sa.select(sa.func.count()).where(Movie.rating_count >= set_up.ranker.fewest_ratings)
    n_ranked = min(db.session.scalar(covered) or 0, set_up.ranker.most_movies)
    n_users = db.session.scalar(sa.select(sa.func.count()).select_from(User)) or 0
    db.session.commit()
    return estimate(set_up, int(n_ratings), n_users, n_movies, n_ranked, threads or count_cores())


def estimate(set_up: SetUp, ratings: int, users: int, movies: int, ranked: int, threads: int) -> Plan:
    """Return the plan for these numbers; `ranked` movies are covered by the ranker."""
    factors = set_up.model.factors * (users + movies)
    # The folds, the fit that finds the number of epochs, and the version's own.
    fits = set_up.folds + 2
    steps = fits * set_up.model.epochs * set_up.model.factors * ratings
    # Heavy users make the mean of n² about twice the square of the mean.
    products = 3 * 2 * ratings * ratings / max(users, 1)
    seconds = (SECONDS_PER_STEP * steps + SECONDS_PER_PRODUCT * products) / threads
    seconds += 3 * SECONDS_PER_CUBE * ranked**3 + SECONDS_PER_RATING * ratings
    peak = PROCESS_BYTES + BYTES_PER_RATING * ratings + BYTES_PER_FACTOR * factors + BYTES_PER_CELL * ranked**2
    disk = 20 * ratings + 20 * factors + 24 * set_up.ranker.weights
    return Plan(ratings, users, movies, seconds, peak, disk)


def require_resources(plan: Plan) -> None:
    """Raise InsufficientResources if the plan takes more memory or disk than is free."""
    free = free_memory()
    if free is not None and plan.peak_bytes > free:
        raise InsufficientResources(
            f"{plan} Only {free / GIB:.1f} GiB of memory are free. Give this process more memory, or lower "
            "RANKER_MOST_MOVIES or TRAIN_FACTORS."
        )
    root: Path = current_app.config["MEDIA_ROOT"]
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free_disk = shutil.disk_usage(existing).free
    if plan.disk_bytes > free_disk:
        raise InsufficientResources(
            f"{plan} Only {free_disk / GIB:.1f} GiB of disk are free under {root}. Make room; 'flask models prune' "
            "removes old versions."
        )


def free_memory() -> int | None:
    """Return the bytes that this process can still take, by the system and by its container; None if unknown."""
    figures = system_memory(Path("/proc/meminfo")), container_memory(Path("/sys/fs/cgroup"))
    return min((figure for figure in figures if figure is not None), default=None)


def system_memory(meminfo: Path) -> int | None:
    """Return the available bytes that Linux states; None elsewhere."""
    try:
        lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def container_memory(cgroup: Path) -> int | None:
    """Return the bytes below the limit of this control group (version 2); None without a limit."""
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return None if limit == "max" else int(limit) - int(used)
    except (OSError, ValueError):
        return None
