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

SPARE_PART, GROWTH = 4, 4
"A quarter more movies than a list holds is ordered at first; where too few are above the floor, four times as many."


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
    floor: float
    "A movie with a predicted rating under this stands behind all others, in stars; 0 = no floor."

    @classmethod
    def arrange(cls, model: RatingModel, ranked_ids: IntArray, movie_ids: IntArray, floor: float = 0.0) -> "Candidates":
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
            floor=floor if n_ranked else 0.0,
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
    that the ranker does not cover follow by predicted rating. Those predicted under the floor stand behind all others,
    in the same order. `allowed`, by column, leaves out further movies.

    1. Order somewhat more movies than `n`, and put those under the floor behind.
    2. Repeat this with more movies for the users who have fewer than `n` movies above the floor among them.
    """
    scores = score_ranked(ranker, candidates, users)
    size = n + n // SPARE_PART if candidates.floor else n
    return first_movies(model, candidates, users, scores, n, size, allowed)


def first_movies(
    model: RatingModel,
    candidates: Candidates,
    users: UserBlock,
    scores: NDArray[np.float32],
    n: int,
    size: int,
    allowed: BoolArray | None,
) -> tuple[IntArray, FloatArray, IntArray]:
    """Return `best_movies` from the scores of `score_ranked`, with at least `size` movies to begin with."""
    columns = best_columns(candidates, users, scores, size, allowed)
    values, movie_ids = estimates(
        model.mu, users.bu, candidates.bi, users.pu, candidates.qi, candidates.movies.ids, columns, model.scale
    )
    lengths = (columns >= 0).sum(axis=1)
    if not candidates.floor:
        return movie_ids, values, lengths
    # 0: above the floor, 1: under it, 2: behind the end of the list, where the values are 0.
    places = (values < candidates.floor).astype(np.int8) + (columns < 0)
    order = np.argsort(places, axis=1, kind="stable")[:, :n]
    movie_ids, values = (np.take_along_axis(each, order, axis=1) for each in (movie_ids, values))
    is_short = (np.count_nonzero(places == 0, axis=1) < n) & (lengths == size)
    if size < len(candidates.movies) and (short := np.flatnonzero(is_short)).size:
        larger = min(GROWTH * size, len(candidates.movies))
        movie_ids[short], values[short], lengths[short] = first_movies(
            model, candidates, users.select(short), scores[short], n, larger, allowed
        )
    return movie_ids, values, np.minimum(lengths, n)


def score_ranked(ranker: Ranker, candidates: Candidates, users: UserBlock) -> NDArray[np.float32]:
    """Return the scores of the ranker's movies, shape (n_users, ranker's rows), -inf for what no list shows a user.

    Without columns where predicted ratings order the whole list.
    """
    if candidates.n_ranked == 0:
        return np.empty((len(users.values), 0), dtype=np.float32)
    rated, owner_starts = flatten(users.rated)
    rows = ranker.movies.numbers(rated, missing="negative")
    scores = ranker.scores_from_rows(rows, owner_starts, users.values, users.newer)
    mask_columns(scores, owner_starts, rows)
    mask_movies(scores, ranker.movies, users.unwanted)
    return scores


def best_columns(
    candidates: Candidates, users: UserBlock, scores: NDArray[np.float32], n: int, allowed: BoolArray | None
) -> IntArray:
    """Return the columns of each user's list without a floor, shape (n_users, n), best first, -1 behind the last."""
    if candidates.n_ranked == 0:
        return best_by_value(candidates, users, n, allowed)
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
