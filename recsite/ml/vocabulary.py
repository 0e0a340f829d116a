"""The one map between database ids and the rows of an array."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.signedinteger[Any]]
FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Database ids in a fixed order; the number of an id is its place in that order, which is the row in an array.

    After `Vocabulary` of lenskit (lkpy, `lenskit/data/vocab.py`). Lookup is a bisection by `numpy.searchsorted`; a hash
    table compiled by numba would save less than 5 % of the CPU time of scoring a block (tests/bench/topn.py).
    """

    ids: IntArray
    "Each id once, in any order, shape (n,). May be memory-mapped."

    def __len__(self) -> int:
        return len(self.ids)

    def numbers(self, ids: IntArray, missing: Literal["error", "negative"] = "error") -> IntArray:
        """Return the number of each id, in the shape of `ids`.

        With `missing="negative"` an id outside of the vocabulary has the number -1.

        Raises:
            KeyError: an id is not in the vocabulary, and `missing` is "error".
        """
        if not len(self.ids):
            numbers = np.full(np.shape(ids), -1, dtype=np.int64)
        else:
            places = np.searchsorted(self.ids, ids, sorter=self._order)
            places[places == len(self.ids)] = 0
            numbers = places if self._order is None else self._order[places]
            numbers = np.where(self.ids[numbers] == ids, numbers, -1)
        if missing == "error" and (numbers < 0).any():
            raise KeyError(f"The vocabulary does not have the id {np.asarray(ids)[numbers < 0][0]}.")
        return numbers

    def contains(self, ids: IntArray) -> BoolArray:
        """Return whether each id is in the vocabulary, in the shape of `ids`."""
        return self.numbers(ids, missing="negative") >= 0

    @cached_property
    def _order(self) -> IntArray | None:
        """The numbers in ascending order of their ids; None where the ids ascend already."""
        return None if bool((self.ids[1:] > self.ids[:-1]).all()) else np.argsort(self.ids)
