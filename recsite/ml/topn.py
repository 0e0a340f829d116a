"""Which few of many: the best columns of each row, in a fixed order."""

import numpy as np
from numpy.typing import NDArray

CHUNK = 64
"Columns whose maximum stands for them in the first look; a power of two that fills cache lines."


def top_n(scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """The columns of the `n` highest scores of each row, best first; of equal scores the lower column comes first.

    Shape (rows, n), with -1 behind the last column whose score is above -inf. The n-th largest of the maxima of all
    chunks is a lower bound of the n-th largest score, since n chunks hold a score at least as high: one pass finds
    it, a second one keeps the few scores above it, and only those are sorted.
    """
    rows, columns = scores.shape
    n_found = min(n, columns)
    found = np.full((rows, n), -1, dtype=np.int64)
    if n_found == 0 or rows == 0:
        return found
    row, column = np.nonzero(scores >= lower_bounds(scores, n_found)[:, None])
    counts = np.bincount(row, minlength=rows)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    # One integer orders by score first and by column second: sorting it is exact, and faster than an argsort.
    keys = np.zeros((rows, max(int(counts.max()), n_found)), dtype=np.uint64)
    keys[row, place] = ordered_bits(scores[row, column]) << np.uint64(32) | (~column.astype(np.uint32)).astype(
        np.uint64
    )
    keys.sort(axis=1)
    best = keys[:, ::-1][:, :n_found]
    worst = ordered_bits(np.array([-np.inf], dtype=np.float32))[0]
    is_real = (best >> np.uint64(32)) > worst
    found[:, :n_found] = np.where(is_real, (~(best.astype(np.uint32))).astype(np.int64), -1)
    return found


def lower_bounds(scores: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """For each row a score that at least `n` of its scores reach. Shape (rows,)."""
    rows, columns = scores.shape
    chunks = columns // CHUNK
    if chunks < n:
        return np.partition(scores, columns - n, axis=1)[:, columns - n]
    maxima = scores[:, : chunks * CHUNK].reshape(rows, chunks, CHUNK).max(axis=2)
    return np.partition(maxima, chunks - n, axis=1)[:, chunks - n]


def ordered_bits(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Whole numbers that order as these floats do (no nan); minus zero counts as zero. Shape of `values`."""
    bits = (values + np.float32(0)).view(np.uint32)
    flipped = np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(0x8000_0000))
    return flipped.astype(np.uint64)
