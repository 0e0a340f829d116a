"""What a rating counts in the ranker, by its stars and by its age."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsite.ml.vocabulary import FloatArray, IntArray


@dataclass(frozen=True)
class RatingWeights:
    """What a rating counts, by its stars and by the number of newer ratings of the same user.

    The defaults are those of versions that record none.
    """

    centre: float = 2.5
    "Stars of the weight 0."
    lowest: float = 0.1
    "Smallest weight; below 0, a rating under `centre` speaks against the movies that those who liked it like."
    recency_exponent: float = 0.0
    "A rating counts (1 + k)^-exponent times as much in a user's scores if k of the user's ratings are newer."

    def of_stars(self, values: FloatArray) -> FloatArray:
        """Return x of each rating: 1 at five stars, linear down to `lowest`."""
        x: FloatArray = np.clip((values - self.centre) / (5.0 - self.centre), self.lowest, 1.0)
        return x

    def of_query(self, values: FloatArray, newer: IntArray) -> FloatArray:
        """Return q of each rating, of which `newer` of the same user are newer; the fit does not know of age."""
        return self.of_stars(values) * (1.0 + newer) ** -self.recency_exponent


def count_newer(user_ids: NDArray[Any], timestamps: NDArray[Any]) -> IntArray:
    """Return how many ratings of the same user are newer than each one; those of one moment are equally old.

    All arrays have the shape (n,), in any order.
    """
    order = np.lexsort((-timestamps, user_ids))
    user_ids, timestamps = user_ids[order], timestamps[order]
    place = np.arange(len(order))
    is_first = np.diff(user_ids, prepend=-1) != 0
    is_older = is_first | (np.diff(timestamps, prepend=0) != 0)
    # Each rating counts from the first of its moment back to the first of its user.
    first, moment = (np.maximum.accumulate(np.where(begins, place, 0)) for begins in (is_first, is_older))
    newer = np.empty_like(place)
    newer[order] = moment - first
    return newer
