"""Ratings: writing and reading them, dismissals, all importers, imports by users, and exports.

Imports `movies`, `storage` and `ml`. Start with `user_ratings.py`.
"""

from recsite.ratings.user_ratings import (
    SORTS,
    VALUES,
    add_missing,
    change_generation,
    check_value,
    count_of,
    find,
    next_popular,
    next_shuffled,
    put_back,
    rate,
    rating_of,
    ratings_of,
    unrate,
)

__all__ = [
    "SORTS",
    "VALUES",
    "add_missing",
    "change_generation",
    "check_value",
    "count_of",
    "find",
    "next_popular",
    "next_shuffled",
    "put_back",
    "rate",
    "rating_of",
    "ratings_of",
    "unrate",
]
