"""The rating model behind `value`: biases and factors as plain arrays, found by database id."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from surprise import SVD

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def rows_of(wanted: IntArray, ids: IntArray) -> IntArray:
    """The row of each wanted id in `ids`, which is sorted; -1 where it is not there. Shape of `wanted`."""
    rows = np.searchsorted(ids, wanted)
    rows[rows == len(ids)] = 0
    return np.where(ids[rows] == wanted, rows, -1) if len(ids) else np.full(wanted.shape, -1)


def rows_or_zeros(array: NDArray[Any], rows: IntArray) -> NDArray[Any]:
    """`array[rows]`, with zeros where the row is -1."""
    taken = array[rows]
    taken[rows < 0] = 0
    return taken


@dataclass(frozen=True)
class RatingModel:
    """r̂ = μ + b_u + b_i + p_u·q_i, the biased matrix factorisation of Koren, Bell & Volinsky (2009), as Surprise's SVD.

    Rows stand in the order of the sorted ids, so that an id is found by bisection in a memory-mapped array.
    """

    mu: float
    "The mean of all training ratings, in stars."
    scale: tuple[float, float]
    "The lowest and the highest rating, in stars."
    user_ids: IntArray
    "Sorted, shape (n_users,)."
    movie_ids: IntArray
    "Sorted, shape (n_movies,)."
    bu: FloatArray
    "The user offsets, shape (n_users,), in stars."
    bi: FloatArray
    "The movie offsets, shape (n_movies,), in stars."
    pu: FloatArray
    "The user factors, shape (n_users, n_factors)."
    qi: FloatArray
    "The movie factors, shape (n_movies, n_factors)."

    @classmethod
    def from_surprise(cls, algo: SVD) -> "RatingModel":
        """The arrays of a fitted SVD, sorted by id. Every raw id must be an int."""
        trainset = algo.trainset
        user_ids = np.array([trainset.to_raw_uid(u) for u in trainset.all_users()], dtype=np.int64)
        movie_ids = np.array([trainset.to_raw_iid(i) for i in trainset.all_items()], dtype=np.int64)
        by_user, by_movie = np.argsort(user_ids), np.argsort(movie_ids)
        return cls(
            mu=float(trainset.global_mean),
            scale=(float(trainset.rating_scale[0]), float(trainset.rating_scale[1])),
            user_ids=user_ids[by_user],
            movie_ids=movie_ids[by_movie],
            bu=algo.bu[by_user],
            bi=algo.bi[by_movie],
            pu=algo.pu[by_user],
            qi=algo.qi[by_movie],
        )

    @classmethod
    def array_names(cls) -> list[str]:
        """The fields that are arrays, as they are named in a version's folder."""
        return [field.name for field in fields(cls) if field.name not in ("mu", "scale")]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], mu: float, scale: tuple[float, float]) -> "RatingModel":
        """The model from arrays by name, as `files` maps them."""
        return cls(mu=mu, scale=scale, **{name: arrays[name] for name in cls.array_names()})

    def knows_user(self, user_ids: IntArray) -> BoolArray:
        """Whether each user was trained on. Shape of `user_ids`."""
        return rows_of(user_ids, self.user_ids) >= 0

    def users(self, user_ids: IntArray) -> tuple[FloatArray, FloatArray]:
        """b_u of shape (n,) and p_u of shape (n, n_factors) in the order asked for; zeros for an unknown user."""
        rows = rows_of(user_ids, self.user_ids)
        return rows_or_zeros(self.bu, rows), rows_or_zeros(self.pu, rows)

    def movies(self, movie_ids: IntArray) -> tuple[FloatArray, FloatArray]:
        """b_i of shape (n,) and q_i of shape (n, n_factors) in the order asked for; zeros for an unknown movie."""
        rows = rows_of(movie_ids, self.movie_ids)
        return rows_or_zeros(self.bi, rows), rows_or_zeros(self.qi, rows)

    def score(self, user_ids: IntArray, movie_ids: IntArray) -> FloatArray:
        """Predicted ratings r̂ = clip(μ + b_u + b_i + p_u·q_i), in stars.

        Shape (len(user_ids), len(movie_ids)), rows and columns in the order asked for, within `scale`.
        An unknown user or movie has zero bias and zero factors, as in Surprise's SVD; ask `knows_user` to tell.
        """
        bu, pu = self.users(user_ids)
        bi, qi = self.movies(movie_ids)
        return np.clip(self.mu + bu[:, None] + bi + pu @ qi.T, *self.scale)

    def fold_in(self, movie_ids: IntArray, values: FloatArray, regularization: float) -> tuple[float, FloatArray]:
        """b_u and p_u, shape (n_factors,), of a user with these ratings, the movies' arrays held fixed.

        The minimum of Σ (r − μ − b_i − b_u − p_u·q_i)² + λ n (b_u² + |p_u|²), the loss that SGD minimises for one
        user, in closed form: one solve of n_factors + 1 unknowns, or of n equations when they are fewer. Movies that
        the model does not know count for the bias alone. Zeros for a user without ratings.
        """
        n = len(movie_ids)
        if n == 0:
            return 0.0, np.zeros(self.qi.shape[1])
        bi, qi = self.movies(movie_ids)
        z = np.column_stack((np.ones(n), qi))
        residuals = values - self.mu - bi
        ridge = regularization * n
        if n <= z.shape[1]:
            theta = z.T @ np.linalg.solve(z @ z.T + ridge * np.eye(n), residuals)
        else:
            theta = np.linalg.solve(z.T @ z + ridge * np.eye(z.shape[1]), z.T @ residuals)
        return float(theta[0]), theta[1:]
