"""The inner loops of scoring, compiled by numba: they run without Python's lock, so that threads share the work.

Compiled once per machine, which takes seconds, and kept beside this file or in the user's cache folder.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from recsite.ml.rating import FloatArray, IntArray

Loop = Callable[..., Any]
HIGHEST_BIT = np.uint32(0x8000_0000)
CHUNK = 16
"Columns whose maximum stands for them: what one instruction of a processor reads."


def compiled(**options: Any) -> Callable[[Loop], Loop]:
    """A decorator that compiles a loop when it is first called."""

    def compile_loop(loop: Loop) -> Loop:
        try:
            fast: Loop = njit(nogil=True, cache=True, **options)(loop)
        except RuntimeError:
            # No folder can be written to keep the machine code in: each process compiles for itself.
            fast = njit(nogil=True, **options)(loop)
        return fast

    return compile_loop


@compiled()
def add_weights(
    starts: IntArray,
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    rest: NDArray[np.float32],
    owner_starts: IntArray,
    rows: IntArray,
    x: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Each user's scores Σ x_i · B_i, a row a user: B as in `ranker.Ranker`, i from `rows`, -1 for no row of B.

    The ratings of user u stand at owner_starts[u] up to owner_starts[u + 1] in `rows` and `x`.
    """
    for u in range(len(scores)):
        row = scores[u]
        total = np.float32(0)
        for rating in range(owner_starts[u], owner_starts[u + 1]):
            if rows[rating] >= 0:
                total += x[rating]
        for j in range(len(rest)):
            row[j] = total * rest[j]
        for rating in range(owner_starts[u], owner_starts[u + 1]):
            i = rows[rating]
            if i >= 0:
                for k in range(starts[i], starts[i + 1]):
                    row[targets[k]] += x[rating] * weights[k]


@compiled()
def leave_out(scores: NDArray[np.float32], owner_starts: IntArray, columns: IntArray) -> None:
    """The scores of these columns are -inf: those of row u stand at owner_starts[u] up to owner_starts[u + 1].

    A column below zero is none.
    """
    for u in range(len(scores)):
        for k in range(owner_starts[u], owner_starts[u + 1]):
            if columns[k] >= 0:
                scores[u, columns[k]] = -np.inf


@compiled(fastmath={"nnan", "nsz"})
def chunk_maxima(scores: NDArray[np.float32], size: int, maxima: NDArray[np.float32]) -> None:
    """The largest score of every `size` columns that stand side by side, a row a row; none may be nan."""
    for u in range(len(scores)):
        row, largest = scores[u], maxima[u]
        if size == CHUNK:
            # The same with a length that the compiler knows, which makes it several times as fast.
            for chunk in range(len(largest)):
                most = row[chunk * CHUNK]
                for k in range(1, CHUNK):
                    most = max(most, row[chunk * CHUNK + k])
                largest[chunk] = most
        else:
            for chunk in range(len(largest)):
                largest[chunk] = row[chunk * size : (chunk + 1) * size].max()


@compiled()
def collect_keys(
    scores: NDArray[np.float32],
    size: int,
    maxima: NDArray[np.float32],
    bounds: NDArray[np.float32],
    places: IntArray,
    keys: NDArray[np.uint64],
) -> int:
    """A key for each score that reaches its row's bound, from the left; returns how many the fullest row has.

    Keys order by score first and then against the place: the lower place is the larger key. What does not fit into a
    row of `keys` is counted and left out. `maxima` are those of chunks of `size` columns.
    """
    columns, chunks = scores.shape[1], maxima.shape[1]
    bits = scores.view(np.uint32)
    found = np.empty(columns, dtype=np.int64)
    most = 0
    for row in range(len(scores)):
        bound = bounds[row]
        count = 0
        # No branch: the processor could not guess it. What does not reach the bound is overwritten by the next.
        for chunk in range(chunks):
            if maxima[row, chunk] >= bound:
                for column in range(chunk * size, (chunk + 1) * size):
                    found[count] = column
                    count += scores[row, column] >= bound
        for column in range(size * chunks, columns):
            if scores[row, column] >= bound:
                found[count] = column
                count += 1
        for k in range(min(count, keys.shape[1])):
            # Bits of floats order as whole numbers once those of negative ones are turned round; minus zero is zero.
            b = bits[row, found[k]]
            b = ~b if b > HIGHEST_BIT else b | HIGHEST_BIT
            keys[row, k] = np.uint64(b) << np.uint64(32) | np.uint64(~np.uint32(places[found[k]]))
        most = max(most, count)
    return most


@compiled(fastmath={"reassoc", "contract"})
def estimates(
    mu: float,
    bu: FloatArray,
    bi: FloatArray,
    pu: FloatArray,
    qi: FloatArray,
    movie_ids: IntArray,
    columns: IntArray,
    scale: tuple[float, float],
) -> tuple[FloatArray, IntArray]:
    """r̂ = clip(μ + b_u + b_i + p_u·q_i) for each user's `columns` of `bi` and `qi`, in stars, and the movies' ids.

    Both in the shape of `columns`, a row a user; 0 for column -1. Summed in the processor's order, which moves the
    last bits.
    """
    values, ids = np.zeros(columns.shape), np.zeros(columns.shape, dtype=np.int64)
    for u in range(columns.shape[0]):
        for k in range(columns.shape[1]):
            i = columns[u, k]
            if i >= 0:
                ids[u, k] = movie_ids[i]
                product = 0.0
                for f in range(qi.shape[1]):
                    product += pu[u, f] * qi[i, f]
                values[u, k] = min(max(mu + bu[u] + bi[i] + product, scale[0]), scale[1])
    return values, ids
