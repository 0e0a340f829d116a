"""Fits of the rating model with scikit-surprise, and its errors on ratings that a fit has not seen."""

from dataclasses import dataclass
from itertools import repeat

import numpy as np
from surprise import SVD, Dataset, Reader, Trainset
from surprise.model_selection import KFold

from recsite.ml.progress import Progress
from recsite.ml.vocabulary import BoolArray, FloatArray, IntArray

SCALE = (0.5, 5.0)
"The lowest and the highest rating, in stars."
INITIAL_DEVIATION = 0.02
"Standard deviation of the factors before the first step. Rarely rated movies never lose the noise of Surprise's 0.1."
LARGEST_FACTOR = 1e6
"Biases and factors of a descent that converges are below ten; larger ones overflow in the end."


class NotFinite(ArithmeticError):
    """The gradient descent diverged: biases or factors of a fit are not finite."""


@dataclass(frozen=True)
class Ratings:
    """Ratings in stars, as three arrays of shape (n,); a pair of user and movie occurs at most once."""

    user_ids: IntArray
    movie_ids: IntArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    def select(self, mask: BoolArray) -> "Ratings":
        """Return the ratings where `mask`, shape (n,), is true, in their order."""
        return Ratings(self.user_ids[mask], self.movie_ids[mask], self.values[mask])

    def as_dataset(self) -> Dataset:
        """Return the ratings as scikit-surprise's Dataset, with Python ints as ids: it looks ids up by equality."""
        dataset = Dataset(Reader(rating_scale=SCALE))
        columns = (self.user_ids.tolist(), self.movie_ids.tolist(), self.values.tolist())
        dataset.raw_ratings = list(zip(*columns, repeat(None)))
        return dataset


@dataclass(frozen=True)
class Parameters:
    """Everything that a fit of the rating model depends on besides the ratings."""

    factors: int
    "Length of each user's and each movie's vector."
    epochs: int
    "Passes over the ratings."
    learning_rate: float
    "Step of the stochastic gradient descent."
    regularization: float
    "λ of user biases and of all factors."
    movie_regularization: float
    "λ of movie biases. Without enough of it, a single rating of five stars makes a movie of five stars."
    seed: int
    "Seed of the initial factors and of the folds."

    def algorithm(self) -> SVD:
        """Return an SVD with these parameters, not yet fitted."""
        return SVD(
            n_factors=self.factors,
            n_epochs=self.epochs,
            lr_all=self.learning_rate,
            reg_all=self.regularization,
            reg_bi=self.movie_regularization,
            init_std_dev=INITIAL_DEVIATION,
            random_state=self.seed,
        )


@dataclass(frozen=True)
class HeldOutErrors:
    """Errors on ratings that were held out of the fit: the mean over the folds."""

    rmse_heldout: float
    "Root mean squared error, in stars."
    mae_heldout: float
    "Mean absolute error, in stars."
    folds: int


def cross_validate(ratings: Ratings, parameters: Parameters, folds: int, on_progress: Progress) -> HeldOutErrors:
    """Return the errors on each fold of a model that is fitted on the other folds.

    The folds are those of Surprise's KFold(folds, random_state=seed), which refuses fewer ratings than folds.

    Raises:
        NotFinite: a fit diverged.
    """
    rmse, mae = [], []
    for done, (trainset, testset) in enumerate(KFold(folds, random_state=parameters.seed).split(ratings.as_dataset())):
        on_progress(done, folds)
        algo = fit_trainset(trainset, parameters)
        errors = np.array([value - algo.predict(user_id, movie_id).est for user_id, movie_id, value in testset])
        rmse.append(np.sqrt(np.mean(errors**2)))
        mae.append(np.mean(np.abs(errors)))
    on_progress(folds, folds)
    return HeldOutErrors(float(np.mean(rmse)), float(np.mean(mae)), folds)


def fit(ratings: Ratings, parameters: Parameters) -> SVD:
    """Return an SVD fitted on all of these ratings.

    Raises:
        ValueError: there are no ratings.
        NotFinite: the fit diverged.
    """
    if not len(ratings):
        raise ValueError("There are no ratings to fit on.")
    dataset = ratings.as_dataset()
    return fit_trainset(dataset.construct_trainset(dataset.raw_ratings), parameters)


def fit_trainset(trainset: Trainset, parameters: Parameters) -> SVD:
    """Return an SVD fitted on Surprise's Trainset; raise NotFinite if it diverged.

    Its predictions would not show that: Surprise clips NaN to the lowest or the highest rating.
    """
    algo = parameters.algorithm().fit(trainset)
    # NaN is not below the bound.
    if not all((np.abs(array) < LARGEST_FACTOR).all() for array in (algo.bu, algo.bi, algo.pu, algo.qi)):
        raise NotFinite("The biases or factors of the fit are not finite.")
    return algo
