"""Selection of the best columns of each row, in a defined order."""

import numpy as np
from numpy.typing import NDArray

from recsite.ml.kernels import CHUNK, chunk_maxima, collect_keys
from recsite.ml.vocabulary import IntArray

LOWEST = np.finfo(np.float32).min
"Every score above -inf reaches this bound."


def top_n(scores: NDArray[np.float32], n: int, names: IntArray | None = None) -> IntArray:
    """Return the columns of the `n` highest scores of each row, best first; of equal scores the lower column first.

    Shape (rows, n), with -1 behind the last column whose score is above -inf. `names`, one a column, replace the
    column numbers in the result and decide ties; a column of name -1 is never taken, and its scores are overwritten.

    1. The maxima of chunks of columns give a lower bound of each row's n-th highest score: n chunks reach it. The bound
       is close where good columns are not neighbours; see `spread`.
    2. Only chunks that reach the bound are searched, and only the scores that reach it are sorted.
    """
    rows, columns = scores.shape
    if rows == 0 or columns == 0 or n == 0:
        return np.full((rows, n), -1, dtype=np.int64)
    if names is None:
        names = np.arange(columns)
    elif (barred := np.flatnonzero(names < 0)).size:
        scores[:, barred] = -np.inf
    # Chunks are small enough for at least 2 n of them. The columns behind the last full chunk do not enter the bound,
    # which makes it lower and never wrong.
    size = max(1, min(CHUNK, columns // (2 * n)))
    chunks, least = columns // size, min(n, columns)
    maxima = np.empty((rows, chunks), dtype=np.float32)
    chunk_maxima(scores, size, maxima)
    bounds = np.maximum(np.partition(maxima, chunks - least, axis=1)[:, chunks - least], LOWEST)
    keys = np.zeros((rows, 2 * n), dtype=np.uint64)
    most = collect_keys(scores, size, maxima, bounds, names, keys)
    if most > keys.shape[1]:  # Many scores are equal.
        keys = np.zeros((rows, most), dtype=np.uint64)
        collect_keys(scores, size, maxima, bounds, names, keys)
    keys.sort(axis=1)
    # An empty key, zero, lies below all others and turns into the name -1.
    return (~keys[:, : -n - 1 : -1].astype(np.uint32)).view(np.int32).astype(np.int64)


def spread(columns: int) -> IntArray:
    """Return an order of that many columns in which neighbours of the original order stand far apart.

    Shape (columns,). Columns sorted by quality then have their best ones in different chunks.
    """
    chunks = max(1, columns // CHUNK)
    return np.argsort(np.arange(columns) % chunks, kind="stable")
