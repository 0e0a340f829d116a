"""The ranker behind `rank`: EASE, linear in what a user rated, so that a new rating counts without training.

H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019: the movie-by-movie weights B with a zero
diagonal that minimize |X − XB|² + λ|B|², in closed form from the inverse of the Gram matrix of X. A user's score of
movie j is Σ q_i · B_ij over the rated movies i, so that each term is the exact share of one rating. The q_i are the x_i
of the user's row of X, less those of older ratings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsite.ml.kernels import add_weights
from recsite.ml.rating_weights import RatingWeights
from recsite.ml.vocabulary import FloatArray, IntArray, Vocabulary

ARRAYS = ("ranked_movie_ids", "ranker_starts", "ranker_targets", "ranker_weights", "ranker_rest")
"The files of the ranker in a version's folder."
PRIOR = "ranker_prior"
"The file of `Ranker.prior`, which versions of format 1 do not have."


@dataclass(frozen=True)
class RankerParameters:
    """Everything that a fit of the ranker depends on besides the ratings."""

    regularization: float
    "λ, in squared weights, above zero; large values favour popular movies."
    fewest_ratings: int
    "A movie with fewer ratings is not covered: its weights would be noise."
    most_movies: int
    "Only the most rated ones are covered; bounds the memory of training, 8 bytes × movies²."
    weights: int
    "Number of weights that are kept, the strongest ones toward each movie; 8 bytes each while serving."
    popularity_damping: float
    "a: the weights toward a movie with n ratings are divided by nᵃ, which shows more of the catalogue."
    rating_centre: float = 2.5
    lowest_weight: float = 0.1
    recency_exponent: float = 0.0
    "Fields of `RatingWeights`; the defaults are those of `RatingWeights`."
    diagonal: float = 0.0
    "d: λ of movie i grows by d · (XᵀX)_ii, which holds back the weights of the movies that many rated."
    newcomers: float = 0.0
    "c: to the scores of a user with n ratings, the mean scores of all users are added (c / n)³ times."

    @property
    def rating_weights(self) -> RatingWeights:
        """Return what a rating counts."""
        return RatingWeights(self.rating_centre, self.lowest_weight, self.recency_exponent)


@dataclass(frozen=True)
class Ranker:
    """The weights B: the strongest ones as compressed sparse rows, and the mean of all others of each column.

    Most weights are small and negative: they push down what everybody likes. Without them lists would drift to popular
    movies; their mean, one number a column, keeps most of that effect.
    """

    movies: Vocabulary
    "The covered movies by ascending id: the n rows and columns of B."
    starts: IntArray
    "Start of each movie's row in `targets`, shape (n + 1,)."
    targets: NDArray[np.int32]
    "Column numbers of the kept weights, row by row."
    weights: NDArray[np.float32]
    "B_ij − rest_j for each of `targets`."
    rest: NDArray[np.float32]
    "Mean of the weights of each column that are not kept, by the number of ratings of their rows, shape (n,)."
    prior: NDArray[np.float32]
    """c³ times the mean scores of all users, shape (n,); each of a user's n ratings adds prior / n⁴ to the scores.

    So the lists of people with few ratings follow what most people like. At twenty ratings that is hardly noticeable.
    """
    rating_weights: RatingWeights = field(default_factory=RatingWeights)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], rating_weights: RatingWeights) -> "Ranker":
        """Return the ranker whose arrays have the names in `ARRAYS`; `arrays` may hold others."""
        movie_ids, starts, targets, weights, rest = (arrays[name] for name in ARRAYS)
        prior = arrays.get(PRIOR, np.zeros(len(rest), dtype=np.float32))
        return cls(Vocabulary(movie_ids), starts, targets, weights, rest, prior, rating_weights)

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by their names in `ARRAYS`."""
        arrays = (self.movies.ids, self.starts, self.targets, self.weights, self.rest)
        return dict(zip(ARRAYS, arrays, strict=True)) | {PRIOR: self.prior}

    def scores(
        self, movie_ids: Sequence[IntArray], values: Sequence[FloatArray], newer: Sequence[IntArray]
    ) -> NDArray[np.float32]:
        """Return the ranking scores of every covered movie for users with these ratings, in stars.

        `newer` are the numbers of the user's newer ratings. Shape (len(movie_ids), n), a row a user. Rated movies have
        scores too; ratings of movies that are not covered count for nothing.
        """
        flat, owner_starts = flatten(movie_ids)
        return self.scores_from_rows(self.movies.numbers(flat, missing="negative"), owner_starts, values, newer)

    def scores_from_rows(
        self, rows: IntArray, owner_starts: IntArray, values: Sequence[FloatArray], newer: Sequence[IntArray]
    ) -> NDArray[np.float32]:
        """Return `scores` for rated movies whose rows of B are known, -1 for one that is not covered."""
        scores = np.empty((len(values), len(self.movies)), dtype=np.float32)
        if len(values):
            q = self.rating_weights.of_query(np.concatenate(values), np.concatenate(newer)).astype(np.float32)
            b = self.starts, self.targets, self.weights, self.rest
            add_weights(*b, self.prior, owner_starts, rows, q, scores)
        return scores

    def shares(self, rated: IntArray, values: FloatArray, newer: IntArray, movie_ids: IntArray) -> FloatArray:
        """Return what each rating adds to the score of each movie; a column sums to the movie's score.

        Shape (len(rated), len(movie_ids)), in these orders; zero where a movie is not covered. What all users like is
        spread evenly over the user's ratings.
        """
        shares = self.own_shares(rated, values, newer, movie_ids)
        i, j = (self.movies.numbers(ids, missing="negative") for ids in (rated, movie_ids))
        from_covered, to_covered = np.flatnonzero(i >= 0), np.flatnonzero(j >= 0)
        shares[np.ix_(from_covered, to_covered)] += self.prior[j[to_covered]] / max(1, len(from_covered)) ** 4
        return shares

    def own_shares(self, rated: IntArray, values: FloatArray, newer: IntArray, movie_ids: IntArray) -> FloatArray:
        """Return `shares` without what all users like: what the user's own taste says of each movie."""
        i, j = (self.movies.numbers(ids, missing="negative") for ids in (rated, movie_ids))
        from_covered, to_covered = np.flatnonzero(i >= 0), np.flatnonzero(j >= 0)
        shares = np.zeros((len(rated), len(movie_ids)))
        n = len(self.movies)
        kept = sparse.csr_matrix((self.weights, self.targets, self.starts), shape=(n, n), copy=False)
        b = kept[i[from_covered]][:, j[to_covered]].toarray() + self.rest[j[to_covered]]
        q = self.rating_weights.of_query(values[from_covered], newer[from_covered])
        shares[np.ix_(from_covered, to_covered)] = q[:, None] * b
        return shares

    def similarities(self, movie_ids: IntArray) -> FloatArray:
        """Return how alike two movies are: the cosine of their rows of B, shape (len(movie_ids), len(movie_ids)).

        Two movies are alike if they speak for the same movies. The values are -1 to 1, and 0 for a movie that is not
        covered.
        """
        i = self.movies.numbers(movie_ids, missing="negative")
        is_covered = i >= 0
        n = len(self.movies)
        kept = sparse.csr_matrix((self.weights, self.targets, self.starts), shape=(n, n), copy=False)[i[is_covered]]
        # A row is its kept weights plus the rest: (a + r)·(b + r) = a·b + a·r + b·r + r·r.
        with_rest = kept @ self.rest
        products = (kept @ kept.T).toarray() + with_rest[:, None] + with_rest + self.rest @ self.rest
        lengths = np.sqrt(np.diag(products))
        lengths[lengths == 0] = 1
        found = np.zeros((len(i), len(i)))
        found[np.ix_(is_covered, is_covered)] = products / lengths / lengths[:, None]
        return found

    def similar(self, movie_id: int, n: int) -> IntArray:
        """Return the ids of the `n` movies with the largest positive kept weights from this one, largest first.

        Empty for a movie that is not covered.
        """
        (i,) = self.movies.numbers(np.array([movie_id]), missing="negative")
        if i < 0:
            return np.empty(0, dtype=np.int64)
        row = slice(self.starts[i], self.starts[i + 1])
        targets = self.targets[row]
        weights = self.weights[row] + self.rest[targets]
        best = np.lexsort((targets, -weights))
        return self.movies.ids[targets[best[weights[best] > 0][:n]]]


def flatten(arrays: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Return the arrays one after the other, and the start of each with the end, shape (len(arrays) + 1,)."""
    flat = np.concatenate(arrays) if len(arrays) else np.empty(0, dtype=np.int64)
    return flat, np.cumsum([0, *map(len, arrays)])
