"""Fitting the rating model with scikit-surprise, and measuring it on ratings it has not seen."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from surprise import SVD, Dataset, Reader
from surprise.model_selection import KFold

from recsite.ml.rating import FloatArray, IntArray

SCALE = (0.5, 5.0)
"The lowest and the highest rating, in stars."
INITIAL_DEVIATION = 0.02
"Of the factors before the first step. Surprise's 0.1 starts with noise that rarely rated movies never lose."

Progress = Callable[[int, int], None]
"Called with the steps done and the steps in all."


@dataclass(frozen=True)
class Ratings:
    """Ratings as three arrays of one length; a pair of user and movie occurs at most once."""

    user_ids: IntArray
    movie_ids: IntArray
    values: FloatArray
    "In stars."

    def __len__(self) -> int:
        return len(self.values)

    def as_dataset(self) -> Dataset:
        """The same as scikit-surprise takes it; the ids become Python ints, for Surprise looks them up by equality."""
        dataset = Dataset(Reader(rating_scale=SCALE))
        columns = (self.user_ids.tolist(), self.movie_ids.tolist(), self.values.tolist())
        dataset.raw_ratings = [
            (user_id, movie_id, value, None) for user_id, movie_id, value in zip(*columns, strict=True)
        ]
        return dataset


@dataclass(frozen=True)
class Parameters:
    """What a fit depends on beside the ratings."""

    factors: int
    epochs: int
    learning_rate: float
    regularization: float
    "Of user biases and of all factors."
    movie_regularization: float
    "Of movie biases: a movie with one rating of five stars is no five-star movie."
    seed: int

    def algorithm(self) -> SVD:
        """An SVD not yet fitted."""
        return SVD(
            n_factors=self.factors,
            n_epochs=self.epochs,
            lr_all=self.learning_rate,
            reg_all=self.regularization,
            reg_bi=self.movie_regularization,
            init_std_dev=INITIAL_DEVIATION,
            random_state=self.seed,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers by name, as they are recorded."""
        return asdict(self)


@dataclass(frozen=True)
class HeldOutErrors:
    """Errors in stars on ratings that were left out of the fit, the mean over the folds."""

    rmse_heldout: float
    mae_heldout: float
    folds: int


def measure(ratings: Ratings, parameters: Parameters, folds: int, on_progress: Progress) -> HeldOutErrors:
    """Fit on all folds but one and predict that one, each in turn.

    The folds are those of Surprise's KFold(folds, random_state=seed). Raises ValueError with fewer ratings than folds.
    """
    if len(ratings) < folds:
        raise ValueError(f"{len(ratings)} ratings cannot be split into {folds} folds.")
    squared, absolute = [], []
    for done, (trainset, testset) in enumerate(KFold(folds, random_state=parameters.seed).split(ratings.as_dataset())):
        on_progress(done, folds)
        algo = parameters.algorithm().fit(trainset)
        errors = np.array([value - algo.predict(user_id, movie_id).est for user_id, movie_id, value in testset])
        squared.append(np.sqrt(np.mean(errors**2)))
        absolute.append(np.mean(np.abs(errors)))
    on_progress(folds, folds)
    return HeldOutErrors(float(np.mean(squared)), float(np.mean(absolute)), folds)


def fit(ratings: Ratings, parameters: Parameters) -> SVD:
    """An SVD fitted on all of these ratings. Raises ValueError for none."""
    if not len(ratings):
        raise ValueError("There are no ratings to fit on.")
    dataset = ratings.as_dataset()
    return parameters.algorithm().fit(dataset.construct_trainset(dataset.raw_ratings))
