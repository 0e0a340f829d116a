"""The catalogue: search, averages, visibility, and how admins edit movies.

Imports `storage`, `errors`, `extensions` and `ml`. Start with `searching.py`; `averages.py` has the derived columns.
"""

from recsite.movies.averages import add_to_averages, change_averages, refresh_all_averages, refresh_averages
from recsite.movies.filters import EVERY_MOVIE, MovieFilter, select_passing
from recsite.movies.ids import require_id, require_ids
from recsite.movies.searching import SORTS, decades, genres, search
from recsite.movies.visibility import bump_catalog, get_movie, get_visible, hide, show

__all__ = [
    "EVERY_MOVIE",
    "SORTS",
    "MovieFilter",
    "add_to_averages",
    "bump_catalog",
    "change_averages",
    "decades",
    "genres",
    "get_movie",
    "get_visible",
    "hide",
    "refresh_all_averages",
    "refresh_averages",
    "require_id",
    "require_ids",
    "search",
    "select_passing",
    "show",
]
