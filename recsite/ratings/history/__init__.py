"""Imports of a user's own file of ratings: read it, match its movies, show the result, save or undo it as a whole.

Start with `imports.py`; `saving.py` writes the ratings.
"""

from recsite.ratings.history.imports import (
    Comparison,
    compare_with_ratings,
    discard,
    find_import,
    list_imports,
    list_matches,
    match_by_hand,
    propose,
)
from recsite.ratings.history.saving import save, undo

__all__ = [
    "Comparison",
    "compare_with_ratings",
    "discard",
    "find_import",
    "list_imports",
    "list_matches",
    "match_by_hand",
    "propose",
    "save",
    "undo",
]
