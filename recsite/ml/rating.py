"""The rating model behind `value`: biases and factors as plain arrays, addressed by database id."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from surprise import SVD

from recsite.ml.vocabulary import FloatArray, IntArray, Vocabulary

LEAST_RIDGE = 1e-4
"Smallest λ of a fold-in."
ARRAYS = ("user_ids", "movie_ids", "bu", "bi", "pu", "qi")
"The files of the model in a version's folder."


def take_or_zeros(array: NDArray[Any], rows: IntArray) -> NDArray[Any]:
    """Return `array[rows]`, with zeros where the row is -1."""
    taken = array[rows]
    taken[rows < 0] = 0
    return taken


@dataclass(frozen=True)
class RatingModel:
    """The biased matrix factorization r̂ = clip(μ + b_u + b_i + p_u·q_i), as scikit-surprise's SVD has it.

    Y. Koren, R. Bell & C. Volinsky, "Matrix Factorization Techniques for Recommender Systems", Computer 42(8), 2009.
    Users and movies stand in ascending order of their ids.
    """

    mu: float
    "Mean of all training ratings, in stars."
    scale: tuple[float, float]
    "Lowest and highest rating, in stars."
    users: Vocabulary
    "Users of the training ratings: the rows of `bu` and `pu`."
    movies: Vocabulary
    "Movies of the training ratings: the rows of `bi` and `qi`."
    bu: FloatArray
    "User biases in stars, shape (n_users,)."
    bi: FloatArray
    "Movie biases in stars, shape (n_movies,)."
    pu: FloatArray
    "User factors, shape (n_users, n_factors)."
    qi: FloatArray
    "Movie factors, shape (n_movies, n_factors)."

    @classmethod
    def from_surprise(cls, algo: SVD) -> "RatingModel":
        """Return the arrays of a fitted SVD, sorted by id. Every raw id must be an int."""
        trainset = algo.trainset
        user_ids = np.array([trainset.to_raw_uid(u) for u in trainset.all_users()], dtype=np.int64)
        movie_ids = np.array([trainset.to_raw_iid(i) for i in trainset.all_items()], dtype=np.int64)
        by_user, by_movie = np.argsort(user_ids), np.argsort(movie_ids)
        return cls(
            mu=float(trainset.global_mean),
            scale=(float(trainset.rating_scale[0]), float(trainset.rating_scale[1])),
            users=Vocabulary(user_ids[by_user]),
            movies=Vocabulary(movie_ids[by_movie]),
            bu=algo.bu[by_user],
            bi=algo.bi[by_movie],
            pu=algo.pu[by_user],
            qi=algo.qi[by_movie],
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], mu: float, scale: tuple[float, float]) -> "RatingModel":
        """Return the model whose arrays have the names in `ARRAYS`; `arrays` may hold others."""
        users, movies = Vocabulary(arrays["user_ids"]), Vocabulary(arrays["movie_ids"])
        return cls(mu, scale, users, movies, arrays["bu"], arrays["bi"], arrays["pu"], arrays["qi"])

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by their names in `ARRAYS`."""
        values = (self.users.ids, self.movies.ids, self.bu, self.bi, self.pu, self.qi)
        return dict(zip(ARRAYS, values, strict=True))

    def user_parameters(self, user_ids: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return b_u, shape (n,), and p_u, shape (n, n_factors), in the order of `user_ids`; zeros if unknown."""
        u = self.users.numbers(user_ids, missing="negative")
        return take_or_zeros(self.bu, u), take_or_zeros(self.pu, u)

    def movie_parameters(self, movie_ids: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return b_i, shape (n,), and q_i, shape (n, n_factors), in the order of `movie_ids`; zeros if unknown."""
        i = self.movies.numbers(movie_ids, missing="negative")
        return take_or_zeros(self.bi, i), take_or_zeros(self.qi, i)

    def score(self, user_ids: IntArray, movie_ids: IntArray) -> FloatArray:
        """Return the predicted ratings r̂ in stars, shape (len(user_ids), len(movie_ids)), in these orders.

        As in Surprise's SVD an unknown user or movie has zero bias and zero factors.
        """
        bu, pu = self.user_parameters(user_ids)
        bi, qi = self.movie_parameters(movie_ids)
        return np.clip(self.mu + bu[:, None] + bi + pu @ qi.T, *self.scale)

    def fold_in(self, movie_ids: IntArray, values: FloatArray, regularization: float) -> tuple[float, FloatArray]:
        """Return b_u and p_u, shape (n_factors,), of a user with these ratings, with the movies' arrays held fixed.

        They minimize Σ (r − μ − b_i − b_u − p_u·q_i)² + λ n (b_u² + |p_u|²), the loss of SGD for one user: the user
        step of Y. Zhou et al., "Large-Scale Parallel Collaborative Filtering for the Netflix Prize", AAIM 2008. It
        solves for n_factors + 1 unknowns, or n equations where those are fewer. Without ratings both are zero.
        """
        n = len(movie_ids)
        if n == 0:
            return 0.0, np.zeros(self.qi.shape[1])
        bi, qi = self.movie_parameters(movie_ids)
        z = np.column_stack((np.ones(n), qi))  # (n, n_factors + 1)
        residuals = values - self.mu - bi
        # Versions may have been trained without regularization, and then the equations may have no single solution.
        ridge = max(regularization, LEAST_RIDGE) * n
        if n <= z.shape[1]:
            theta = z.T @ np.linalg.solve(z @ z.T + ridge * np.eye(n), residuals)
        else:
            theta = np.linalg.solve(z.T @ z + ridge * np.eye(z.shape[1]), z.T @ residuals)
        return float(theta[0]), theta[1:]
