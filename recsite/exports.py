"""Ratings and movies as CSV files that 'flask import' reads again."""

import csv
import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import current_app

from .extensions import db
from .models import Movie, Rating, now
from .progress import Progress, ignore

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
    folder: Path = current_app.config["MEDIA_ROOT"] / "exports" / kind
    folder.mkdir(parents=True, exist_ok=True)
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
