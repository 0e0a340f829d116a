"""Which few of many: the best columns of each row, in a fixed order."""

import numpy as np
from numpy.typing import NDArray

CHUNK = 16
"Columns whose maximum stands for them in the first look. Smaller finds a bound nearer to the n-th score, and slower."
LOWEST = np.finfo(np.float32).min
"What every score above -inf reaches."


def top_n(scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """The columns of the `n` highest scores of each row, best first; of equal scores the lower column comes first.

    Shape (rows, n), with -1 behind the last column whose score is above -inf. A lower bound of each row's n-th score
    leaves few columns to sort.
    """
    rows, columns = scores.shape
    if rows == 0 or columns == 0 or n == 0:
        return np.full((rows, n), -1, dtype=np.int64)
    # Searching one long row is several times faster than searching a table.
    flat = np.flatnonzero(scores >= lower_bounds(scores, min(n, columns))[:, None])
    starts = np.searchsorted(flat, np.arange(rows + 1) * columns)
    counts = np.diff(starts)
    row = np.repeat(np.arange(rows), counts)
    column = flat - row * columns
    # One integer orders by score first and by column second: sorting it is exact, and faster than an argsort.
    keys = np.zeros((rows, max(int(counts.max()), n)), dtype=np.uint64)
    place = np.arange(len(flat)) - starts[row] + row * keys.shape[1]
    keys.reshape(-1)[place] = ordered_bits(scores.reshape(-1)[flat]) << np.uint64(32) | ~column.astype(np.uint32)
    keys.sort(axis=1)
    # An empty place, zero, lies below every key and turns into column -1.
    return (~keys[:, : -n - 1 : -1].astype(np.uint32)).view(np.int32).astype(np.int64)


def lower_bounds(scores: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """For each row a score above -inf that at least `n` of its scores reach, if it has as many. Shape (rows,).

    It is the n-th largest of the maxima of all chunks: n chunks hold a score at least as high. A chunk takes every
    so manieth column, for good ones often stand side by side, and is so small that there are at least 2 n of them.
    """
    rows, columns = scores.shape
    size = max(1, min(CHUNK, columns // (2 * n)))
    chunks = columns // size
    # What does not fill a chunk row is left out; the bound is one all the same.
    maxima: NDArray[np.float32] = scores[:, : size * chunks].reshape(rows, size, chunks).max(axis=1)
    maxima.partition(chunks - n, axis=1)
    bounds: NDArray[np.float32] = np.maximum(maxima[:, chunks - n], LOWEST)
    return bounds


def ordered_bits(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Whole numbers above zero that order as these floats do (no nan); minus zero counts as zero. Shape of `values`."""
    bits = (values + np.float32(0)).view(np.uint32)
    flipped = np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(0x8000_0000))
    return flipped.astype(np.uint64)
