"""The movies that lists are made of, and the best of them for a block of users."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsite.ml.kernels import estimates, mask_columns
from recsite.ml.ranker import Ranker, flatten
from recsite.ml.rating import RatingModel
from recsite.ml.topn import spread, top_n
from recsite.ml.vocabulary import BoolArray, FloatArray, IntArray, Vocabulary


@dataclass(frozen=True)
class Candidates:
    """The movies that a list may show, with what a version knows of them; a tie goes to the earlier column."""

    movies: Vocabulary
    "The n columns: movies that the ranker orders first, the others behind them."
    bi: FloatArray
    qi: FloatArray
    "Biases and factors of the rating model, a row a column."
    n_ranked: int
    "Number of columns that the ranker orders; 0 where predicted ratings order the whole list."
    ranker_columns: IntArray
    "Column of each of the ranker's rows; -1 for a movie that is no candidate."
    value_columns: IntArray
    "The columns that predicted ratings order, shape (n - n_ranked,), spread so that good ones are not neighbours."
    value_movies: Vocabulary
    "The movies of `value_columns`."
    value_factors: NDArray[np.float32]
    "[q_i | b_i] of `value_columns`, shape (n_factors + 1, n - n_ranked): [p_u, 1] times this is r̂ − μ − b_u."

    @classmethod
    def arrange(cls, model: RatingModel, ranked_ids: IntArray, movie_ids: IntArray) -> "Candidates":
        """Return these movies as candidates; `movie_ids` stand in the order that breaks ties.

        The ranker orders `ranked_ids`, the movies of its rows, and predicted ratings order the others.
        """
        rows = Vocabulary(ranked_ids).numbers(movie_ids, missing="negative")
        ranked_first = np.argsort(rows < 0, kind="stable")
        movie_ids, rows = movie_ids[ranked_first], rows[ranked_first]
        bi, qi = model.movie_parameters(movie_ids)
        n_ranked = int((rows >= 0).sum())
        ranker_columns = np.full(len(ranked_ids), -1)
        ranker_columns[rows[:n_ranked]] = np.arange(n_ranked)
        value_columns = n_ranked + spread(len(movie_ids) - n_ranked)
        return cls(
            movies=Vocabulary(movie_ids),
            bi=bi,
            qi=qi,
            n_ranked=n_ranked,
            ranker_columns=ranker_columns,
            value_columns=value_columns,
            value_movies=Vocabulary(movie_ids[value_columns]),
            value_factors=np.ascontiguousarray(np.column_stack((qi, bi))[value_columns].T, dtype=np.float32),
        )

    def allow(self, only: IntArray | None, exclude: IntArray) -> BoolArray:
        """Return which columns a list may show, shape (n,): `only` these movies (None: all), less those to exclude."""
        allowed = np.isin(self.movies.ids, exclude, invert=True)
        return allowed if only is None else allowed & np.isin(self.movies.ids, only)


@dataclass(frozen=True)
class UserBlock:
    """Users that are scored together, by the b_u and p_u of the rating model: one entry of each field a user."""

    bu: FloatArray
    pu: FloatArray
    rated: Sequence[IntArray]
    "Ids of the movies that each user rated; no list shows them."
    values: Sequence[FloatArray]
    "The ratings in stars, in the order of `rated`."
    newer: Sequence[IntArray]
    "How many of the user's ratings are newer than each, likewise."
    unwanted: Sequence[IntArray]
    "Ids of the other movies that no list of the user shows."

    def select(self, u: IntArray) -> "UserBlock":
        """Return the users of these rows."""
        lists = ([each[row] for row in u.tolist()] for each in (self.rated, self.values, self.newer, self.unwanted))
        return UserBlock(self.bu[u], self.pu[u], *lists)


def best_movies(
    model: RatingModel, ranker: Ranker, candidates: Candidates, users: UserBlock, n: int, allowed: BoolArray | None
) -> tuple[IntArray, FloatArray, IntArray]:
    """Return movie ids and predicted ratings in stars of each user's list, and the lengths of the lists.

    Ids and ratings have the shape (n_users, n), the best movie first, and 0 behind the end of a shorter list. Movies
    that the ranker does not cover follow by predicted rating. `allowed`, by column, leaves out further movies.
    """
    columns = best_columns(ranker, candidates, users, n, allowed)
    values, movie_ids = estimates(
        model.mu, users.bu, candidates.bi, users.pu, candidates.qi, candidates.movies.ids, columns, model.scale
    )
    return movie_ids, values, (columns >= 0).sum(axis=1)


def best_columns(
    ranker: Ranker, candidates: Candidates, users: UserBlock, n: int, allowed: BoolArray | None
) -> IntArray:
    """Return the columns of each user's list, shape (n_users, n), the best first and -1 behind the last."""
    if candidates.n_ranked == 0:
        return best_by_value(candidates, users, n, allowed)
    rated, owner_starts = flatten(users.rated)
    rows = ranker.movies.numbers(rated, missing="negative")
    scores = ranker.scores_from_rows(rows, owner_starts, users.values, users.newer)
    mask_columns(scores, owner_starts, rows)
    mask_movies(scores, ranker.movies, users.unwanted)
    columns = top_n(scores, n, restrict(candidates.ranker_columns, allowed))
    short = np.flatnonzero(columns[:, -1] < 0)
    if len(short) and candidates.n_ranked < len(candidates.movies):
        more = best_by_value(candidates, users.select(short), n, allowed)
        # From left to right: what the ranker found, then the others, then the empty places.
        both = np.concatenate((columns[short], more), axis=1)
        columns[short] = np.take_along_axis(both, np.argsort(both < 0, axis=1, kind="stable"), axis=1)[:, :n]
    return columns


def best_by_value(candidates: Candidates, users: UserBlock, n: int, allowed: BoolArray | None) -> IntArray:
    """Return `best_columns` of the movies that the ranker does not order, by predicted rating before clipping."""
    scores = np.column_stack((users.pu, np.ones(len(users.pu)))).astype(np.float32) @ candidates.value_factors
    mask_movies(scores, candidates.value_movies, users.rated)
    mask_movies(scores, candidates.value_movies, users.unwanted)
    return top_n(scores, n, restrict(candidates.value_columns, allowed))


def mask_movies(scores: NDArray[np.float32], movies: Vocabulary, left_out: Sequence[IntArray]) -> None:
    """Set the scores of each user's `left_out` movies to -inf; `movies` are the columns of `scores`."""
    flat, owner_starts = flatten(left_out)
    mask_columns(scores, owner_starts, movies.numbers(flat, missing="negative"))


def restrict(columns: IntArray, allowed: BoolArray | None) -> IntArray:
    """Return the columns with -1 in place of those that are not allowed (None: all are)."""
    # A column -1 reads the last entry of `allowed`, and stays -1 either way.
    return columns if allowed is None else np.where(allowed[columns], columns, -1)
