"""The gradient descent of the rating model: Surprise's objective, in single precision, on several threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsite.ml.kernels import descend
from recsite.ml.rating import RatingModel
from recsite.ml.ratings import SCALE, NumberedRatings
from recsite.ml.threads import count_cores
from recsite.ml.vocabulary import IntArray

INITIAL_DEVIATION = 0.02
"Standard deviation of the factors before the first step. Rarely rated movies never lose the noise of Surprise's 0.1."
LARGEST_FACTOR = 1e6
"Biases and factors of a descent that converges are below ten; larger ones overflow in the end."
STRIPES = 16
"Number of groups of users, and of movies. Up to that many threads work at once, none on the rows of another one."


AfterEpoch = Callable[[int, RatingModel], bool]
"Called after each epoch with its number, from 1 on, and the model; the fit ends where it returns True."


class NotFinite(ArithmeticError):
    """The gradient descent diverged: biases or factors of a fit are not finite."""


@dataclass(frozen=True)
class Parameters:
    """Everything that a fit of the rating model depends on besides the ratings."""

    factors: int
    "Length of each user's and each movie's vector."
    epochs: int
    "Passes over the ratings."
    learning_rate: float
    "Step of the stochastic gradient descent in the first epoch."
    final_learning_rate: float
    "Step in the last epoch; between them it falls evenly."
    regularization: float
    "λ of user biases and of all factors."
    movie_regularization: float
    "λ of movie biases. Without enough of it, a single rating of five stars makes a movie of five stars."
    seed: int
    "Seed of the initial factors and of the folds."
    stop_after: int | None = None
    "Epochs after which the fit ends, as found on ratings that were held out; None for all."

    def learning_rates(self) -> NDArray[np.float32]:
        """Return the step of each epoch, shape (epochs,), or (stop_after,)."""
        rates = np.linspace(self.learning_rate, self.final_learning_rate, self.epochs, dtype=np.float32)
        return rates[: self.stop_after]


def fit_model(
    ratings: NumberedRatings,
    parameters: Parameters,
    threads: int | None = None,
    after_epoch: AfterEpoch | None = None,
) -> RatingModel:
    """Return biases and factors fitted on these ratings, in single precision.

    Rows of users and movies without ratings are zero. Users and movies are dealt into STRIPES; a step takes one cell of
    each row and column of that grid, so that threads never share a bias or a vector, and the result is the same for any
    number of `threads` (None: one a core). R. Gemulla et al., "Large-Scale Matrix Factorization with Distributed
    Stochastic Gradient Descent", KDD 2011.

    Raises:
        ValueError: there are no ratings.
        NotFinite: the fit diverged.
    """
    if not len(ratings):
        raise ValueError("There are no ratings to fit on.")
    model = start_model(ratings, parameters)
    cells, starts = arrange(ratings, parameters.seed)
    with ThreadPoolExecutor(threads or count_cores()) as pool:
        for epoch, rate in enumerate(parameters.learning_rates(), start=1):
            run_epoch(pool, model, cells, starts, rate, parameters)
            check_finite(model)
            if after_epoch and after_epoch(epoch, model):
                break
    return model


def start_model(ratings: NumberedRatings, parameters: Parameters) -> RatingModel:
    """Return the model before the first step: no biases, random factors, zeros for what has no ratings."""
    rng = np.random.default_rng(parameters.seed)
    factors = []
    for rows, n_rows in ((ratings.u, len(ratings.users)), (ratings.i, len(ratings.movies))):
        drawn = rng.standard_normal((n_rows, parameters.factors), dtype=np.float32)
        drawn *= np.float32(INITIAL_DEVIATION)
        drawn[np.bincount(rows, minlength=n_rows) == 0] = 0
        factors.append(drawn)
    mu = float(np.mean(ratings.values, dtype=np.float64))
    bu, bi = (np.zeros(len(each), dtype=np.float32) for each in factors)
    return RatingModel(mu, SCALE, ratings.users, ratings.movies, bu, bi, *factors)


def arrange(ratings: NumberedRatings, seed: int) -> tuple[NumberedRatings, IntArray]:
    """Return the ratings cell by cell of the grid of stripes, and the start of each cell, shape (STRIPES² + 1,).

    Cell a · STRIPES + b has the users of stripe a and the movies of stripe b, a user's ratings side by side: the user's
    vector stays in the processor's nearest cache, and a stripe of movies in the next one.
    """
    user_counts = np.bincount(ratings.u, minlength=len(ratings.users))
    movie_counts = np.bincount(ratings.i, minlength=len(ratings.movies))
    # Movies are dealt at random, because neighbours by id are often alike and of the same age.
    drawn = np.random.default_rng(seed).permutation(len(ratings.movies))
    movie_stripes = np.empty(len(ratings.movies), dtype=np.uint16)
    movie_stripes[drawn] = stripes(movie_counts[drawn])
    cell = stripes(user_counts)[ratings.u] * np.uint16(STRIPES) + movie_stripes[ratings.i]
    starts = np.concatenate(([0], np.cumsum(np.bincount(cell, minlength=STRIPES**2))))
    return ratings.select(np.argsort(cell, kind="stable")), starts


def stripes(counts: IntArray) -> NDArray[np.uint16]:
    """Return the stripe of each row, in the shape of `counts`: ranges with about the same number of ratings."""
    middles = np.cumsum(counts) - counts / 2
    numbers: NDArray[np.uint16] = np.minimum(middles * STRIPES // max(1, counts.sum()), STRIPES - 1).astype(np.uint16)
    return numbers


def run_epoch(
    pool: ThreadPoolExecutor,
    model: RatingModel,
    cells: NumberedRatings,
    starts: IntArray,
    rate: np.float32,
    parameters: Parameters,
) -> None:
    """Take a step for each rating; `cells` and `starts` are those of `arrange`."""

    def run_cell(cell: int) -> None:
        part = slice(starts[cell], starts[cell + 1])
        penalties = np.float32(parameters.regularization), np.float32(parameters.movie_regularization)
        arrays = model.bu, model.bi, model.pu, model.qi
        descend(cells.u[part], cells.i[part], cells.values[part], np.float32(model.mu), *arrays, rate, *penalties)

    for shift in range(STRIPES):
        # A list, so that the step ends before the next one starts and errors are raised here.
        list(pool.map(run_cell, [row * STRIPES + (row + shift) % STRIPES for row in range(STRIPES)]))


def check_finite(model: RatingModel) -> None:
    """Raise NotFinite if the descent diverged. Predictions would not show it, because they are clipped to the scale."""
    # NaN is not below the bound.
    if not all((np.abs(array) < LARGEST_FACTOR).all() for array in (model.bu, model.bi, model.pu, model.qi)):
        raise NotFinite("The biases or factors of the fit are not finite.")
