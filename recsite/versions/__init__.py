"""Model versions: train and measure them, record their files, activate one, and hold the active one in memory.

It may import `ratings`, `movies`, `storage` and `ml`. Start with `training.py` and `registry.py`; `active.py` holds the
version that serves, `copies.py` files on this host
and `originals.py` those below MEDIA_URL.
"""

from recsite.versions.active import recommender
from recsite.versions.originals import folder
from recsite.versions.registry import (
    activate,
    find,
    find_active,
    find_problem,
    find_store,
    is_latest_link_stale,
    list_activations,
    list_versions,
    names,
    prune,
    roll_back,
    trained_on,
    update_latest_link,
    verify,
)

__all__ = [
    "activate",
    "find",
    "find_active",
    "find_problem",
    "find_store",
    "folder",
    "is_latest_link_stale",
    "list_activations",
    "list_versions",
    "names",
    "prune",
    "recommender",
    "roll_back",
    "trained_on",
    "update_latest_link",
    "verify",
]
