"""Fits of the rating model into scikit-surprise's SVD, and its errors on ratings that a fit has not seen."""

from dataclasses import dataclass

import numpy as np
from surprise import SVD, Trainset

from recsite.ml.descent import INITIAL_DEVIATION, AfterEpoch, Parameters, fit_model
from recsite.ml.kernels import estimate_pairs
from recsite.ml.progress import Progress
from recsite.ml.rating import RatingModel
from recsite.ml.ratings import SCALE, NumberedRatings, Ratings
from recsite.ml.vocabulary import BoolArray

MOST_STOPPING, FEWEST_STOPPING = 200_000, 1_000
"Most and fewest ratings that are held out to find the number of epochs."
PATIENCE = 10
"""Epochs without a better RMSE after which a fit that looks for the number of epochs ends.

Factors start near zero, and while they grow the first five or so epochs bring nothing.
"""


@dataclass(frozen=True)
class HeldOutErrors:
    """Errors on ratings that were held out of the fit: the mean over the folds."""

    rmse_heldout: float
    "Root mean squared error, in stars."
    mae_heldout: float
    "Mean absolute error, in stars."
    folds: int


def cross_validate(
    ratings: Ratings, parameters: Parameters, folds: int, on_progress: Progress, threads: int | None = None
) -> HeldOutErrors:
    """Return the mean errors on each fold of a model that is fitted on the other folds.

    Raises:
        ValueError: there are fewer ratings than folds.
        NotFinite: a fit diverged.
    """
    numbered = NumberedRatings.of(ratings)
    errors = []
    for fold in range(folds):
        on_progress(fold, folds)
        errors.append(fold_errors(numbered, parameters, folds, fold, threads))
    on_progress(folds, folds)
    rmse, mae = np.mean(errors, axis=0)
    return HeldOutErrors(float(rmse), float(mae), folds)


def find_epochs(ratings: NumberedRatings, parameters: Parameters, threads: int | None = None) -> int:
    """Return the number of epochs after which held-out ratings are predicted best.

    A tenth of the ratings, at most MOST_STOPPING of them, is held out at random for this fit alone. It ends when
    PATIENCE epochs have brought no better RMSE. With fewer than FEWEST_STOPPING ratings held out the best epoch would
    be chance, and all are taken.

    Raises:
        NotFinite: the fit diverged.
    """
    n_held_out = min(len(ratings) // 10, MOST_STOPPING)
    if n_held_out < FEWEST_STOPPING:
        return parameters.epochs
    held_out = np.zeros(len(ratings), dtype=np.bool_)
    held_out[np.random.default_rng(parameters.seed).choice(len(ratings), n_held_out, replace=False)] = True
    judged = ratings.select(held_out)
    errors: list[float] = []

    def is_over(epoch: int, model: RatingModel) -> bool:
        errors.append(errors_on(model, judged)[0])
        return epoch - int(np.argmin(errors)) > PATIENCE

    fit_model(ratings.select(~held_out), parameters, threads, is_over)
    return int(np.argmin(errors)) + 1


def fold_errors(
    ratings: NumberedRatings,
    parameters: Parameters,
    folds: int,
    fold: int,
    threads: int | None = None,
    after_epoch: AfterEpoch | None = None,
) -> tuple[float, float]:
    """Return RMSE and MAE in stars on this fold of a model that is fitted on the others, as `fit_model` does."""
    held_out = fold_mask(len(ratings), folds, fold, parameters.seed)
    model = fit_model(ratings.select(~held_out), parameters, threads, after_epoch)
    return errors_on(model, ratings.select(held_out))


def fold_mask(n: int, folds: int, fold: int, seed: int) -> BoolArray:
    """Return which of n ratings stand in this fold of Surprise's KFold(folds, random_state=seed), shape (n,)."""
    if n < folds:
        raise ValueError(f"{n} ratings cannot be divided into {folds} folds.")
    order = np.arange(n)
    np.random.RandomState(seed).shuffle(order)
    mask = np.zeros(n, dtype=np.bool_)
    mask[np.array_split(order, folds)[fold]] = True
    return mask


def errors_on(model: RatingModel, ratings: NumberedRatings) -> tuple[float, float]:
    """Return RMSE and MAE of the model's predictions for ratings with the same rows, in stars."""
    predicted = estimate_pairs(model.mu, model.bu, model.bi, model.pu, model.qi, ratings.u, ratings.i, model.scale)
    errors = predicted - ratings.values
    return float(np.sqrt(np.mean(errors**2, dtype=np.float64))), float(np.mean(np.abs(errors), dtype=np.float64))


def fit(ratings: Ratings, parameters: Parameters, threads: int | None = None) -> SVD:
    """Return scikit-surprise's SVD fitted on all of these ratings, in double precision as Surprise has it.

    Raises:
        ValueError: there are no ratings.
        NotFinite: the fit diverged.
    """
    return as_surprise(fit_model(NumberedRatings.of(ratings), parameters, threads), parameters, len(ratings))


def as_surprise(model: RatingModel, parameters: Parameters, n_ratings: int) -> SVD:
    """Return the model as an SVD that predicts as if Surprise had fitted it.

    Surprise predicts from the factors. It asks its trainset only for the id maps, the mean, and whether a user or item
    is known, so that no rating has to be in it.
    """
    algo = SVD(
        n_factors=parameters.factors,
        n_epochs=parameters.epochs,
        lr_all=parameters.learning_rate,
        reg_all=parameters.regularization,
        reg_bi=parameters.movie_regularization,
        init_std_dev=INITIAL_DEVIATION,
        random_state=parameters.seed,
    )
    users, movies = model.users.ids.tolist(), model.movies.ids.tolist()
    u_of, i_of = ({raw: inner for inner, raw in enumerate(ids)} for ids in (users, movies))
    ur, ir = (dict.fromkeys(range(len(ids)), ()) for ids in (users, movies))
    algo.trainset = Trainset(ur, ir, len(users), len(movies), n_ratings, SCALE, u_of, i_of)
    # Surprise would compute the mean from the ratings.
    algo.trainset._global_mean = model.mu
    # Plain arrays: those of the model may be memory-mapped, which a pickle must not be.
    algo.bu, algo.bi, algo.pu, algo.qi = (
        np.array(array, dtype=np.float64) for array in (model.bu, model.bi, model.pu, model.qi)
    )
    return algo
