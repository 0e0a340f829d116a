"""Ratings in memory: four arrays that are read from the database once, and the same by row numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsite.ml.vocabulary import BoolArray, IntArray, Vocabulary

AnyArray = NDArray[Any]
SCALE = (0.5, 5.0)
"The lowest and the highest rating, in stars."
ROWS_AT_A_TIME = 1_000_000
"Bounds the memory of a look-up beside its result."


@dataclass(frozen=True)
class Ratings:
    """Ratings as four arrays of shape (n,), 20 bytes a rating; a pair of user and movie occurs at most once."""

    user_ids: NDArray[np.int32]
    movie_ids: NDArray[np.int32]
    values: NDArray[np.float32]
    "In stars; half stars are exact."
    timestamps: IntArray
    "Seconds since 1970, UTC."

    @classmethod
    def from_arrays(
        cls, user_ids: AnyArray, movie_ids: AnyArray, values: AnyArray, timestamps: AnyArray | None = None
    ) -> "Ratings":
        """Return ratings from arrays of any numeric types; without timestamps all ratings are equally old."""
        if timestamps is None:
            timestamps = np.zeros(len(values))
        types = (np.int32, np.int32, np.float32, np.int64)
        columns = (user_ids, movie_ids, values, timestamps)
        return cls(*(column.astype(kind, copy=False) for column, kind in zip(columns, types, strict=True)))

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: BoolArray | IntArray) -> "Ratings":
        """Return the ratings where a mask of shape (n,) is true, or those of these row numbers, in their order."""
        return Ratings(self.user_ids[rows], self.movie_ids[rows], self.values[rows], self.timestamps[rows])


@dataclass(frozen=True)
class NumberedRatings:
    """Ratings by the row numbers of their users and movies, for fits; a selection keeps the rows of all."""

    users: Vocabulary
    movies: Vocabulary
    "All users and movies, by ascending id: the rows of biases and factors."
    u: NDArray[np.int32]
    i: NDArray[np.int32]
    values: NDArray[np.float32]
    "Rows and stars of each rating, shape (n,)."

    @classmethod
    def of(cls, ratings: Ratings) -> "NumberedRatings":
        """Return these ratings, in their order."""
        users, movies = (Vocabulary(np.unique(ids).astype(np.int64)) for ids in (ratings.user_ids, ratings.movie_ids))
        u, i = number(users, ratings.user_ids), number(movies, ratings.movie_ids)
        return cls(users, movies, u, i, ratings.values)

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: BoolArray | IntArray) -> "NumberedRatings":
        """Return the ratings where a mask of shape (n,) is true, or those of these row numbers, in their order."""
        return NumberedRatings(self.users, self.movies, self.u[rows], self.i[rows], self.values[rows])


def number(vocabulary: Vocabulary, ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the numbers of ids that the vocabulary has, shape (len(ids),)."""
    numbers = np.empty(len(ids), dtype=np.int32)
    for start in range(0, len(ids), ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        numbers[part] = vocabulary.numbers(ids[part])
    return numbers
