"""Exports of ratings and movies as CSV files that `flask import` can read."""

import contextlib
import csv
import fcntl
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import current_app

from recsite.extensions import db
from recsite.ml import latest
from recsite.ml.progress import Progress, ignore
from recsite.storage.tables import Movie, Rating, now

ROWS_PER_BLOCK = 10_000
UNIX_SECONDS = sa.cast(sa.extract("epoch", Rating.timestamp), sa.BigInteger)
RATINGS = sa.select(Rating.user_id, Rating.movie_id, Rating.value, UNIX_SECONDS).order_by(
    Rating.user_id, Rating.movie_id
)
RATING_COLUMNS = ("user_id", "movie_id", "rating", "timestamp")
MOVIES = sa.select(
    Movie.id,
    Movie.title,
    Movie.overview,
    Movie.release_date,
    Movie.genres,
    Movie.poster_path,
    Movie.movielens_id,
    Movie.imdb_id,
    Movie.site_id,
    Movie.rating_count,
    Movie.rating_avg,
    Movie.score,
).order_by(Movie.id)
DATED_FILES = "[0-9]*.csv"


def export_ratings(on_progress: Progress = ignore) -> Path:
    """Write all ratings (stars, Unix seconds) ordered by user and movie; return the file."""
    return export("ratings", RATING_COLUMNS, RATINGS, on_progress)


def export_movies(on_progress: Progress = ignore) -> Path:
    """Write all movies with details and averages, ordered by id; return the file."""
    return export("movies", tuple(MOVIES.selected_columns.keys()), MOVIES, on_progress)


def export(kind: str, header: tuple[str, ...], query: sa.Select[*tuple[Any, ...]], on_progress: Progress) -> Path:
    """Write a dated CSV file and point latest.csv to it; return the dated file.

    A second export on the same day replaces the first. Readers never see a partial file.
    """
    total = db.session.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())) or 0
    with locked_folder(kind) as folder:
        dated = folder / f"{now():%Y-%m-%d}.csv"
        with replace_file(dated) as file:
            rows = csv.writer(file)
            rows.writerow(header)
            result = db.session.execute(query, execution_options={"yield_per": ROWS_PER_BLOCK})
            for number, block in enumerate(result.partitions()):
                on_progress(number * ROWS_PER_BLOCK, total)
                rows.writerows(block)
        latest.point_at(folder / "latest.csv", dated.name)
        remove_old(folder, dated)
    on_progress(total, total)
    return dated


def remove_old(folder: Path, newest: Path) -> None:
    """Remove all but the last EXPORTS_KEPT dated files, and what killed exports left; never `newest`."""
    kept = current_app.config["EXPORTS_KEPT"]
    dated = sorted(set(folder.glob(DATED_FILES)) - {newest}, reverse=True)
    for path in (*folder.glob(".*.part"), *(dated[kept - 1 :] if kept else ())):
        path.unlink(missing_ok=True)


def remove_users(user_ids: Collection[int]) -> list[str]:
    """Remove these users' lines from all exports of ratings; return the names of the files that changed.

    Waits for a running export and cleans its file too. Deletes what a killed export left.
    """
    starts = tuple(f"{user_id}," for user_id in user_ids)
    with locked_folder("ratings") as folder:
        for partial in folder.glob(".*.part"):
            partial.unlink()
        return [path.name for path in sorted(folder.glob(DATED_FILES)) if remove_lines(path, starts)]


def remove_lines(path: Path, starts: tuple[str, ...]) -> bool:
    """Rewrite the file without lines that begin with one of `starts`; return whether there were any."""
    with path.open(newline="", encoding="utf-8") as lines:
        if not any(line.startswith(starts) for line in lines):
            return False
        lines.seek(0)
        with replace_file(path) as file:
            file.writelines(line for line in lines if not line.startswith(starts))
    return True


def size_of_ratings() -> int:
    """Return the bytes of all exports of ratings."""
    return sum(path.stat().st_size for path in export_folder("ratings").glob(DATED_FILES))


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Any]:
    """Open a temporary text file; after the block sync it and rename it to `path`, after an error delete it."""
    partial = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        # Only the owner and the group may read what users rated.
        partial.touch(0o640)
        with partial.open("w", newline="", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def export_folder(kind: str) -> Path:
    """Return the folder of the exports of this kind."""
    folder: Path = current_app.config["MEDIA_ROOT"] / "exports" / kind
    return folder


@contextlib.contextmanager
def locked_folder(kind: str) -> Iterator[Path]:
    """Create the folder and lock it for one writer; the lock ends with the process."""
    folder = export_folder(kind)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)
