"""Ratings and movies as CSV files that 'flask import' reads again."""

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
from recsite.ml.progress import Progress, ignore
from recsite.storage.tables import Movie, Rating, now

ROWS_AT_A_TIME = 10_000
UNIX_SECONDS = sa.cast(sa.extract("epoch", Rating.timestamp), sa.BigInteger)
RATINGS = sa.select(Rating.user_id, Rating.movie_id, Rating.value, UNIX_SECONDS).order_by(
    Rating.user_id, Rating.movie_id
)
MOVIES = sa.select(
    Movie.id,
    Movie.title,
    Movie.overview,
    Movie.release_date,
    Movie.genres,
    Movie.poster_path,
    Movie.movielens_id,
    Movie.imdb_id,
    Movie.rating_count,
    Movie.rating_avg,
    Movie.score,
).order_by(Movie.id)


def export_ratings(on_progress: Progress = ignore) -> Path:
    """Write user_id, movie_id, rating (stars) and timestamp (Unix seconds), by user and movie; returns the file."""
    return write("ratings", ("user_id", "movie_id", "rating", "timestamp"), RATINGS, on_progress)


def export_movies(on_progress: Progress = ignore) -> Path:
    """Write every movie with its details and averages, by id; returns the file."""
    return write("movies", tuple(MOVIES.selected_columns.keys()), MOVIES, on_progress)


def write(kind: str, header: tuple[str, ...], query: sa.Select[*tuple[Any, ...]], on_progress: Progress) -> Path:
    """Write a dated file of this kind, then make latest.csv a link to it; neither is ever half there.

    A second export of a day replaces the first.
    """
    with alone_in(folder_of(kind)) as folder:
        return write_into(folder, header, query, on_progress)


def write_into(
    folder: Path, header: tuple[str, ...], query: sa.Select[*tuple[Any, ...]], on_progress: Progress
) -> Path:
    """See write."""
    dated = folder / f"{now():%Y-%m-%d}.csv"
    part, link = (folder / f".{os.getpid()}-{os.urandom(4).hex()}.{end}" for end in ("part", "link"))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())) or 0
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(header)
            result = db.session.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME})
            for done, block in enumerate(result.partitions()):
                on_progress(done * ROWS_AT_A_TIME, total)
                rows.writerows(block)
            file.flush()
            os.fsync(file.fileno())
        part.replace(dated)
    finally:
        part.unlink(missing_ok=True)
    link.symlink_to(dated.name)
    link.replace(folder / "latest.csv")
    on_progress(total, total)
    return dated


def leave_out(user_ids: Collection[int]) -> list[str]:
    """No file of exported ratings has a line of these users; returns the names of those that had. None is half there.

    An export that is being written is waited for, and then loses its lines as well.
    """
    starts = tuple(f"{user_id}," for user_id in user_ids)
    with alone_in(folder_of("ratings")) as folder:
        for stopped in folder.glob(".*.part"):
            stopped.unlink()
        return [path.name for path in sorted(folder.glob("[0-9]*.csv")) if rewrite(path, starts)]


def rewrite(path: Path, unwanted: tuple[str, ...]) -> bool:
    """The file has no line that starts like one of these; returns whether it had one."""
    part = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.part")
    had_some = False
    try:
        with path.open(newline="", encoding="utf-8") as old, part.open("w", newline="", encoding="utf-8") as new:
            for line in old:
                if line.startswith(unwanted):
                    had_some = True
                else:
                    new.write(line)
            new.flush()
            os.fsync(new.fileno())
        if had_some:
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return had_some


def size_of_ratings() -> int:
    """The bytes of all files of exported ratings."""
    return sum(path.stat().st_size for path in folder_of("ratings").glob("[0-9]*.csv"))


def folder_of(kind: str) -> Path:
    """Where the exports of this kind lie."""
    folder: Path = current_app.config["MEDIA_ROOT"] / "exports" / kind
    return folder


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[Path]:
    """The folder, with nobody else who writes there; the wait ends also when a writer is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)
