"""The ranker behind `rank`: EASE, linear in what a user rated, so that a new rating counts without training.

H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019: the movie-by-movie weights B with a zero
diagonal that minimise |X − XB|² + λ|B|², in closed form from the inverse of the Gram matrix of X. A user's score of a
movie is the sum of x_i · B_ij over the rated movies i, each term being one rating's exact share in it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from recsite.ml.fit import Ratings
from recsite.ml.kernels import add_weights
from recsite.ml.places import Places
from recsite.ml.rating import FloatArray, IntArray

ARRAYS = ("ranked_movie_ids", "ranker_starts", "ranker_targets", "ranker_weights", "ranker_rest")
GRAM_BLOCK_USERS = 20_000
"Users whose ratings are squared at a time; bounds what lies beside the Gram matrix."


@dataclass(frozen=True)
class RankerParameters:
    """What the ranker depends on beside the ratings."""

    regularization: float
    "λ, in squared weights: large values draw the lists toward what is popular."
    fewest_ratings: int
    "A movie with fewer is not covered: its row would be noise."
    most_movies: int
    "The most rated ones are covered; bounds memory (8 bytes × movies² × 3 while training) for any catalogue."
    weights: int
    "How many of the movies² weights are kept, the strongest ones toward each movie: 8 bytes each while serving."
    popularity_damping: float
    "a: the weights toward a movie with n ratings are divided by nᵃ, which shows more of the catalogue."

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers by name, as they are recorded."""
        return asdict(self)


def weights_of(values: FloatArray) -> FloatArray:
    """What a rating counts as: 1 for five stars, 0.1 up to 2.75 stars (seen, not liked), a line between."""
    return np.clip((values - 2.5) / 2.5, 0.1, 1.0)


@dataclass(frozen=True)
class Ranker:
    """The weights B: the strongest ones as compressed sparse rows, and for each column the mean of all others.

    Most weights are small and negative: they push down what everybody likes. Left out without a substitute, lists drift
    to what is popular; their mean, one number a column, keeps most of that push.
    """

    movie_ids: IntArray
    "The covered movies, sorted, shape (n,)."
    starts: IntArray
    "Where each movie's row starts in `targets`, shape (n + 1,)."
    targets: NDArray[np.int32]
    "Row numbers in `movie_ids` of the movies that a rating speaks for or against."
    weights: NDArray[np.float32]
    "B_ij less the rest of column j, for each of `targets`."
    rest: NDArray[np.float32]
    "The mean of the weights of column j that are not kept, shape (n,)."

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Ranker":
        """The ranker from a version's arrays."""
        return cls(*(arrays[name] for name in ARRAYS))

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays as a version keeps them."""
        return dict(zip(ARRAYS, (self.movie_ids, self.starts, self.targets, self.weights, self.rest), strict=True))

    def scores(self, movie_ids: list[IntArray], values: list[FloatArray]) -> NDArray[np.float32]:
        """Ranking scores of every covered movie for users with these ratings (stars).

        Shape (len(movie_ids), n): a row a user in this order, a column a covered movie. Rated movies score too; a
        user whose movies are not covered scores zero.
        """
        scores = np.empty((len(movie_ids), len(self.movie_ids)), dtype=np.float32)
        if len(movie_ids):
            owner_starts = np.cumsum([0, *map(len, movie_ids)])
            rows = self.rows(np.concatenate(movie_ids))
            x = weights_of(np.concatenate(values)).astype(np.float32)
            add_weights(self.starts, self.targets, self.weights, self.rest, owner_starts, rows, x, scores)
        return scores

    def rows(self, movie_ids: IntArray) -> IntArray:
        """The row of each of these movies in B, -1 for one that is not covered. Shape of `movie_ids`."""
        return self._places.find(movie_ids)

    @cached_property
    def _places(self) -> Places:
        return Places.of(self.movie_ids)

    def as_sparse(self) -> sparse.csr_matrix:
        """B as scipy takes it, on the same memory."""
        n = len(self.movie_ids)
        return sparse.csr_matrix((self.weights, self.targets, self.starts), shape=(n, n), copy=False)

    def shares(self, rated: IntArray, values: FloatArray, movie_ids: IntArray) -> FloatArray:
        """What each rating adds to the score of each movie; a column sums to the movie's score.

        Shape (len(rated), len(movie_ids)), in the orders given; zeros for movies that are not covered.
        """
        i, j = self.rows(rated), self.rows(movie_ids)
        from_covered, to_covered = np.flatnonzero(i >= 0), np.flatnonzero(j >= 0)
        shares = np.zeros((len(rated), len(movie_ids)))
        b = self.as_sparse()[i[from_covered]][:, j[to_covered]].toarray() + self.rest[j[to_covered]]
        shares[np.ix_(from_covered, to_covered)] = weights_of(values[from_covered])[:, None] * b
        return shares

    def similar(self, movie_id: int, n: int) -> IntArray:
        """The ids of the `n` movies that a rating of this one speaks for most, the strongest first."""
        (i,) = self.rows(np.array([movie_id]))
        if i < 0:
            return np.empty(0, dtype=np.int64)
        row = slice(self.starts[i], self.starts[i + 1])
        targets = self.targets[row]
        weights = self.weights[row] + self.rest[targets]
        best = np.lexsort((targets, -weights))
        return self.movie_ids[targets[best[weights[best] > 0][:n]]]


def fit_ranker(ratings: Ratings, parameters: RankerParameters) -> Ranker:
    """EASE on the movies with enough ratings, the most rated ones first; it covers none where none has enough."""
    ids, movie, counts = np.unique(ratings.movie_ids, return_inverse=True, return_counts=True)
    enough = np.flatnonzero(counts >= parameters.fewest_ratings)
    most_rated = enough[np.lexsort((ids[enough], -counts[enough]))][: parameters.most_movies]
    covered = np.sort(most_rated)
    place = np.full(len(ids), -1)
    place[covered] = np.arange(len(covered))
    _, user = np.unique(ratings.user_ids, return_inverse=True)
    kept = place[movie] >= 0
    shape = (int(user.max(initial=-1)) + 1, len(covered))
    x = sparse.csr_matrix((weights_of(ratings.values[kept]), (user[kept], place[movie[kept]])), shape=shape)
    b = ease_weights(gram(x), parameters.regularization)
    b *= counts[covered] ** -parameters.popularity_damping
    return strongest(b, ids[covered], min(len(b), max(1, parameters.weights // max(1, len(b)))))


def gram(x: sparse.csr_matrix) -> FloatArray:
    """XᵀX as a full matrix, shape (n_movies, n_movies)."""
    total: FloatArray = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, x.shape[0], GRAM_BLOCK_USERS):
        block = x[start : start + GRAM_BLOCK_USERS]
        total += (block.T @ block).toarray()
    return total


def ease_weights(gram_matrix: FloatArray, regularization: float) -> FloatArray:
    """B from XᵀX, which is used up: P = (XᵀX + λI)⁻¹, B_ij = −P_ij / P_jj, B_jj = 0."""
    diagonal = np.diag_indices_from(gram_matrix)
    gram_matrix[diagonal] += regularization
    if not len(gram_matrix):
        return gram_matrix
    # The Gram matrix is symmetric positive definite: Cholesky takes half the work of a general inverse.
    factor, info = linalg.lapack.dpotrf(gram_matrix, lower=True, overwrite_a=True)
    if info == 0:
        inverse, info = linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)
    if info != 0:
        raise ValueError(f"The Gram matrix cannot be inverted (LAPACK {info}); take a larger regularization.")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    b: FloatArray = -inverse / np.diag(inverse)
    b[diagonal] = 0
    return b


def strongest(b: FloatArray, movie_ids: IntArray, neighbours: int) -> Ranker:
    """The ranker that keeps the `neighbours` largest |B_ij| of each column j, and the mean of the others."""
    n = len(b)
    kept = np.ones_like(b, dtype=np.bool_)
    if neighbours < n:
        kept = np.abs(b) >= np.partition(np.abs(b), n - neighbours, axis=0)[n - neighbours]
    left_out = n - kept.sum(axis=0)
    rest = np.where(left_out > 0, np.sum(b, axis=0, where=~kept) / np.maximum(left_out, 1), 0)
    source, target = np.nonzero(kept)
    starts = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=n))))
    weights = b[source, target] - rest[target]
    return Ranker(movie_ids, starts, target.astype(np.int32), weights.astype(np.float32), rest.astype(np.float32))
