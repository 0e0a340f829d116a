"""Imports as the commands run them, without the share of refused rows that stops one, unless told otherwise."""

from pathlib import Path
from typing import Any

from recsite.ml.progress import Progress, ignore
from recsite.ratings.importers import detection
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.report import Report


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
