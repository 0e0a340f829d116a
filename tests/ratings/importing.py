"""Imports as the commands run them, without the share of refused rows that stops one, unless told otherwise."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.progress import Progress, ignore
from recsite.ratings.importers import detection
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.report import Report
from recsite.storage.tables import Rating

HEAT, PULP_FICTION, TOY_STORY, GODFATHER = 949, 680, 862, 238


def import_path(path: Path, name: str | None = None, on_progress: Progress = ignore, **options: Any) -> Report:
    """Import what the path has, and return the report."""
    return detection.load(path, Options(**{"format": name, "accept_refused": True, **options}), on_progress).report


def import_movielens(path: Path, user_offset: int = 0, **options: Any) -> Report:
    return import_path(path, "movielens", user_offset=user_offset, **options)


def import_tmdb(path: Path, **options: Any) -> Report:
    return import_path(path, "tmdb", **options)


def import_ratings(path: Path, user_offset: int = 0, movielens_ids: bool = False, **options: Any) -> Report:
    ids = "movielens" if movielens_ids else None
    return import_path(path, "ratings", user_offset=user_offset, ids=ids, **options)


def stored() -> dict[tuple[int, int], float]:
    """Return the ratings by user and movie."""
    db.session.expire_all()
    return {(row.user_id, row.movie_id): row.value for row in db.session.scalars(sa.select(Rating))}


def load(folder: Path, content: str | bytes, name: str = "ratings.csv", **options: Any) -> Report:
    """Import a file of this content, as the command does."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_path(path, **{"accept_refused": False, **options})
