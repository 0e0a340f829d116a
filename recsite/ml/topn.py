"""Which few of many: the best columns of each row, in a fixed order."""

import numpy as np
from numpy.typing import NDArray

from recsite.ml.kernels import CHUNK, chunk_maxima, collect_keys
from recsite.ml.rating import IntArray

LOWEST = np.finfo(np.float32).min
"What every score above -inf reaches."


def top_n(scores: NDArray[np.float32], n: int, places: IntArray | None = None) -> IntArray:
    """The columns of the `n` highest scores of each row, best first; of equal scores the lower column comes first.

    Shape (rows, n), with -1 behind the last column whose score is above -inf. `places` gives columns other names, by
    which ties are decided; a column of place -1 is never taken, and its scores are overwritten.

    1. The largest scores of chunks of columns give a lower bound of each row's n-th score: n chunks hold one as high.
       The bound is near to it where good columns do not stand side by side; see `spread`.
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
    maxima = np.empty((rows, chunks), dtype=np.float32)
    chunk_maxima(scores, size, maxima)
    bounds = np.maximum(np.partition(maxima, chunks - least, axis=1)[:, chunks - least], LOWEST)
    keys = np.zeros((rows, 2 * n), dtype=np.uint64)
    most = collect_keys(scores, size, maxima, bounds, places, keys)
    if most > keys.shape[1]:  # many equal scores
        keys = np.zeros((rows, most), dtype=np.uint64)
        collect_keys(scores, size, maxima, bounds, places, keys)
    keys.sort(axis=1)
    # An empty key, zero, lies below all others and turns into place -1.
    return (~keys[:, : -n - 1 : -1].astype(np.uint32)).view(np.int32).astype(np.int64)


def spread(columns: int) -> IntArray:
    """An order of so many columns, sorted by quality, in which neighbours stand far apart. Shape (columns,)."""
    chunks = max(1, columns // CHUNK)
    return np.argsort(np.arange(columns) % chunks, kind="stable")
