"""Exports of ratings and movies as CSV files that `flask import` can read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.progress import Progress, ignore
from recsite.ratings import export_files
from recsite.storage.tables import Movie, Rating

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


def export_ratings(on_progress: Progress = ignore) -> Path:
    """Write all ratings (stars, Unix seconds) ordered by user and movie; return the file."""
    return export("ratings", RATING_COLUMNS, RATINGS, on_progress)


def export_movies(on_progress: Progress = ignore) -> Path:
    """Write all movies with details and averages, ordered by id; return the file."""
    return export("movies", tuple(MOVIES.selected_columns.keys()), MOVIES, on_progress)


def export(kind: str, header: tuple[str, ...], query: sa.Select[*tuple[Any, ...]], on_progress: Progress) -> Path:
    """Write the rows of the query to a dated CSV file, and point latest.csv to it; return the dated file."""
    total = db.session.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())) or 0

    def read_rows() -> Iterator[sa.Row[*tuple[Any, ...]]]:
        result = db.session.execute(query, execution_options={"yield_per": ROWS_PER_BLOCK})
        for number, block in enumerate(result.partitions()):
            on_progress(number * ROWS_PER_BLOCK, total)
            yield from block

    dated = export_files.publish(kind, "csv", lambda path: export_files.write_csv(path, header, read_rows()))
    on_progress(total, total)
    return dated
