"""Model versions: train and measure them, record their files, activate one, and hold the active one in memory.

Imports `storage`, `movies` and `ml`. Start with `training.py` and `registry.py`; `active.py` is what serves.
"""

from flask import Flask

from recsite.versions.active import recommender
from recsite.versions.registry import (
    activate,
    find,
    find_active,
    find_active_row,
    find_problem,
    find_store,
    folder,
    is_latest_behind,
    link_latest,
    list_activations,
    list_versions,
    names,
    prune,
    roll_back,
    trained_on,
    verify,
)


def init_app(app: Flask) -> None:
    """Load the active version into the app."""
    recommender.init_app(app, find_active_row)


__all__ = [
    "activate",
    "find",
    "find_active",
    "find_active_row",
    "find_problem",
    "find_store",
    "folder",
    "init_app",
    "is_latest_behind",
    "link_latest",
    "list_activations",
    "list_versions",
    "names",
    "prune",
    "roll_back",
    "trained_on",
    "verify",
]
