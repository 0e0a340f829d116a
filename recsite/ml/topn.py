"""Which few of many: the best columns of each row, in a fixed order."""

import numpy as np
from numpy.typing import NDArray

from .kernels import collect_keys
from .rating import IntArray

CHUNK = 16
"Columns whose maximum stands for them in the first look. Smaller finds a bound nearer to the n-th score, and slower."
LOWEST = np.finfo(np.float32).min
"What every score above -inf reaches."


def top_n(scores: NDArray[np.float32], n: int, places: IntArray | None = None) -> IntArray:
    """The columns of the `n` highest scores of each row, best first; of equal scores the lower column comes first.

    Shape (rows, n), with -1 behind the last column whose score is above -inf. `places` gives columns other names, by
    which ties are decided; a column of place -1 is never taken, and its scores are overwritten.

    1. The largest scores of chunks of columns give a lower bound of each row's n-th score: n chunks hold one as high.
       A chunk takes every so manieth column, for good ones often stand side by side.
    2. Only chunks that reach the bound are searched, and what reaches it is sorted.
    """
    rows, columns = scores.shape
    if rows == 0 or columns == 0 or n == 0:
        return np.full((rows, n), -1, dtype=np.int64)
    if places is None:
        places = np.arange(columns)
    elif (barred := np.flatnonzero(places < 0)).size:
        scores[:, barred] = -np.inf
    # So small that there are at least 2 n chunks. What does not fill one is no part of the bound, which is one anyway.
    size = max(1, min(CHUNK, columns // (2 * n)))
    chunks, least = columns // size, min(n, columns)
    maxima: NDArray[np.float32] = scores[:, : size * chunks].reshape(rows, size, chunks).max(axis=1)
    bounds = np.maximum(np.partition(maxima, chunks - least, axis=1)[:, chunks - least], LOWEST)
    keys = np.zeros((rows, 2 * n), dtype=np.uint64)
    most = collect_keys(scores, maxima, bounds, places, keys)
    if most > keys.shape[1]:  # many equal scores
        keys = np.zeros((rows, most), dtype=np.uint64)
        collect_keys(scores, maxima, bounds, places, keys)
    keys.sort(axis=1)
    # An empty key, zero, lies below all others and turns into place -1.
    return (~keys[:, : -n - 1 : -1].astype(np.uint32)).view(np.int32).astype(np.int64)
