"""Ratings: writing and reading them, dismissals, all importers, imports by users, and exports.

Imports `movies`, `storage` and `ml`. Start with `writing.py`, the only module that writes ratings. The lists are not
known here; `suggestions.feedback` refreshes them.
"""

from recsite.ratings.reading import SORTS, RatedMovie, count_of, find_rated, rating_of, ratings_of
from recsite.ratings.review import next_popular, next_shuffled
from recsite.ratings.trends import trending
from recsite.ratings.writing import (
    VALUES,
    check_value,
    count_change,
    delete_rating,
    save_missing_ratings,
    save_rating,
)

__all__ = [
    "SORTS",
    "VALUES",
    "RatedMovie",
    "check_value",
    "count_change",
    "count_of",
    "delete_rating",
    "find_rated",
    "next_popular",
    "next_shuffled",
    "rating_of",
    "ratings_of",
    "save_missing_ratings",
    "save_rating",
    "trending",
]
