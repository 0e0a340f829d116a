"""The inner loops of fits and scoring, compiled by numba: they run without Python's lock, so threads share the work.

They are compiled once a machine, which takes seconds; the machine code is kept beside this file or in the user's cache
folder.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from recsite.ml.vocabulary import FloatArray, IntArray

Loop = Callable[..., Any]
HIGHEST_BIT = np.uint32(0x8000_0000)
CHUNK = 16
"Number of neighbouring columns of which one maximum is kept; 16 float32 values fill one vector register."


def compiled(**options: Any) -> Callable[[Loop], Loop]:
    """Return a decorator that compiles a loop when it is first called."""

    def compile_loop(loop: Loop) -> Loop:
        try:
            fast: Loop = njit(nogil=True, cache=True, **options)(loop)
        except RuntimeError:
            # No folder for the machine code is writable, so each process compiles the loop.
            fast = njit(nogil=True, **options)(loop)
        return fast

    return compile_loop


@compiled()
def add_weights(
    starts: IntArray,
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    rest: NDArray[np.float32],
    prior: NDArray[np.float32],
    owner_starts: IntArray,
    rows: IntArray,
    q: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Write the scores Σ (q_i · B_ij + prior_j / n⁴) of each user into `scores`, shape (users, movies), as in `Ranker`.

    The rated movies of user u are rows[owner_starts[u]:owner_starts[u + 1]] of B, with -1 for a movie that B does not
    have, and `q` are the weights of the ratings in the same order.
    """
    for u in range(len(scores)):
        row = scores[u]
        total, n = np.float32(0), np.float32(0)
        for rating in range(owner_starts[u], owner_starts[u + 1]):
            if rows[rating] >= 0:
                total += q[rating]
                n += np.float32(1)
        share = np.float32(1) / (n * n * n) if n else np.float32(0)
        for j in range(len(rest)):
            row[j] = total * rest[j] + share * prior[j]
        for rating in range(owner_starts[u], owner_starts[u + 1]):
            i = rows[rating]
            if i >= 0:
                for k in range(starts[i], starts[i + 1]):
                    row[targets[k]] += q[rating] * weights[k]


@compiled()
def mask_columns(scores: NDArray[np.float32], owner_starts: IntArray, columns: IntArray) -> None:
    """Set scores[u] to -inf at columns[owner_starts[u]:owner_starts[u + 1]]; ignore negative columns."""
    for u in range(len(scores)):
        for k in range(owner_starts[u], owner_starts[u + 1]):
            if columns[k] >= 0:
                scores[u, columns[k]] = -np.inf


@compiled(fastmath={"nnan", "nsz"})
def chunk_maxima(scores: NDArray[np.float32], size: int, maxima: NDArray[np.float32]) -> None:
    """Write the maximum of every `size` neighbouring columns into `maxima`, shape (rows, chunks); no score is NaN."""
    for u in range(len(scores)):
        row, largest = scores[u], maxima[u]
        if size == CHUNK:
            # The same loop with a length that the compiler knows runs several times as fast.
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
    names: IntArray,
    keys: NDArray[np.uint64],
) -> int:
    """Write a sort key of each score that reaches its row's bound into `keys`; return the largest count of a row.

    Keys order by score, and among equal scores the lower name has the larger key. Scores beyond the width of `keys`
    are counted and not written. `maxima` are those of `chunk_maxima` with this `size`.
    """
    columns, chunks = scores.shape[1], maxima.shape[1]
    bits = scores.view(np.uint32)
    found = np.empty(columns, dtype=np.int64)
    most = 0
    for row in range(len(scores)):
        bound = bounds[row]
        count = 0
        # Branch-free compaction: always write, and advance only when the score reaches the bound.
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
            # The bits of floats order as integers once those of negative floats are inverted; -0 counts as 0.
            b = bits[row, found[k]]
            b = ~b if b > HIGHEST_BIT else b | HIGHEST_BIT
            keys[row, k] = np.uint64(b) << np.uint64(32) | np.uint64(~np.uint32(names[found[k]]))
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
    """Return r̂ = clip(μ + b_u + b_i + p_u·q_i) in stars and the movie ids, both in the shape of `columns`.

    `columns`, a row a user, are rows of `bi`, `qi` and `movie_ids`; both results are 0 at column -1. The order of the
    sum is the compiler's choice, which changes the last bits.
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


@compiled(fastmath=True)
def descend(
    u: NDArray[np.int32],
    i: NDArray[np.int32],
    values: NDArray[np.float32],
    mu: np.float32,
    bu: NDArray[np.float32],
    bi: NDArray[np.float32],
    pu: NDArray[np.float32],
    qi: NDArray[np.float32],
    rate: np.float32,
    regularization: np.float32,
    movie_regularization: np.float32,
) -> None:
    """Take a step of stochastic gradient descent for each rating, in their order; change the biases and factors.

    The objective and the step are those of Surprise's SVD: with the error e = r − μ − b_u − b_i − p_u·q_i,
    b_u += γ (e − λ b_u), b_i += γ (e − λ_i b_i), p_u += γ (e q_i − λ p_u), q_i += γ (e p_u − λ q_i).
    """
    shrink = np.float32(1) - rate * regularization
    for k in range(len(values)):
        p, q = pu[u[k]], qi[i[k]]
        product = np.float32(0)
        for f in range(len(p)):
            product += p[f] * q[f]
        error = values[k] - mu - bu[u[k]] - bi[i[k]] - product
        bu[u[k]] += rate * (error - regularization * bu[u[k]])
        bi[i[k]] += rate * (error - movie_regularization * bi[i[k]])
        step = rate * error
        for f in range(len(p)):
            of_user, of_movie = p[f], q[f]
            p[f] = shrink * of_user + step * of_movie
            q[f] = shrink * of_movie + step * of_user


@compiled(fastmath=True)
def estimate_pairs(
    mu: float,
    bu: NDArray[np.float32],
    bi: NDArray[np.float32],
    pu: NDArray[np.float32],
    qi: NDArray[np.float32],
    u: NDArray[np.int32],
    i: NDArray[np.int32],
    scale: tuple[float, float],
) -> NDArray[np.float32]:
    """Return r̂ = clip(μ + b_u + b_i + p_u·q_i) in stars of each pair of rows u[k] and i[k], shape (len(u),)."""
    values = np.empty(len(u), dtype=np.float32)
    for k in range(len(u)):
        product = np.float32(0)
        for f in range(qi.shape[1]):
            product += pu[u[k], f] * qi[i[k], f]
        values[k] = min(max(mu + bu[u[k]] + bi[i[k]] + product, scale[0]), scale[1])
    return values


@compiled(fastmath=True)
def add_gram_rows(
    movie_starts: NDArray[np.int32],
    users: NDArray[np.int32],
    movie_weights: NDArray[np.float64],
    user_starts: NDArray[np.int32],
    movies: NDArray[np.int32],
    user_weights: NDArray[np.float64],
    first: int,
    end: int,
    gram: NDArray[np.float64],
) -> None:
    """Add the rows `first` to `end` of XᵀX to `gram`, from X by movie and X by user, both as compressed sparse rows.

    A row of the result stays in the processor's cache while the users who rated its movie are added, one by one.
    """
    for i in range(first, end):
        row = gram[i]
        for k in range(movie_starts[i], movie_starts[i + 1]):
            u, weight = users[k], movie_weights[k]
            for m in range(user_starts[u], user_starts[u + 1]):
                row[movies[m]] += weight * user_weights[m]
