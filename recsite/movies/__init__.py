"""The catalogue: search, averages, visibility, and how admins edit movies.

Imports `storage`, `errors`, `extensions` and `ml`. Start with `searching.py`; `averages.py` has the derived columns.
"""

from recsite.movies.averages import refresh_all_averages, refresh_averages
from recsite.movies.searching import SORTS, genres, has_genre, search
from recsite.movies.visibility import bump_catalog, get_movie, get_visible, hide, show

__all__ = [
    "SORTS",
    "bump_catalog",
    "genres",
    "get_movie",
    "get_visible",
    "has_genre",
    "hide",
    "refresh_all_averages",
    "refresh_averages",
    "search",
    "show",
]
