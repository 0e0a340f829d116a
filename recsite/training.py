"""Training a version: fit, measure on held-out folds, write its files, record it."""

import numpy as np
import sqlalchemy as sa
from flask import current_app

from . import versions
from .arrays import read_table
from .errors import NotEnoughRatings
from .extensions import db
from .ml.files import remove_version, write_version
from .ml.fit import Parameters, Ratings, fit, measure
from .ml.rating import IntArray, rows_of
from .models import ModelVersion, Rating, User
from .progress import Progress, ignore

FEWEST_RATINGS = 10
"Below this no held-out figure means anything."


def train_from_settings(
    *, folds: int | None = None, on_progress: Progress = ignore, **chosen: int | float | None
) -> ModelVersion:
    """`train` with the parameters of the settings, and those chosen (and not None) in their place."""
    settings = current_app.config
    configured = {
        "factors": settings["TRAIN_FACTORS"],
        "epochs": settings["TRAIN_EPOCHS"],
        "learning_rate": settings["TRAIN_LEARNING_RATE"],
        "regularization": settings["TRAIN_REGULARIZATION"],
        "seed": settings["TRAIN_SEED"],
    }
    parameters = Parameters(**configured | {name: value for name, value in chosen.items() if value is not None})
    return train(parameters, folds or settings["TRAIN_FOLDS"], on_progress)


def train(parameters: Parameters, folds: int, on_progress: Progress = ignore) -> ModelVersion:
    """Fit on all ratings, write the version's files and record it; it is not active yet.

    1. Read the ratings, in the order of user and movie so that a seed gives the same model again.
    2. Measure RMSE and MAE on `folds` held-out folds.
    3. Fit on everything and write the files under a name that holds the RMSE.
    4. Record the version; if that fails its files go away again.

    `on_progress` counts fits, of which there are `folds` + 1. Raises NotEnoughRatings.
    """
    generations, ratings = read_ratings()
    if len(ratings) < max(FEWEST_RATINGS, folds):
        raise NotEnoughRatings(
            f"There are {len(ratings)} ratings; training takes at least {max(FEWEST_RATINGS, folds)}. "
            "Import some with 'flask import', or fill an empty site with 'flask demo'."
        )
    errors = measure(ratings, parameters, folds, lambda done, _: on_progress(done, folds + 1))
    algo = fit(ratings, parameters)
    version = ModelVersion(
        rmse=errors.rmse_heldout,
        mae=errors.mae_heldout,
        metrics={"folds": folds},
        algorithm="SVD",
        parameters=parameters.as_dict(),
        rating_count=len(ratings),
        user_count=algo.trainset.n_users,
        movie_count=algo.trainset.n_items,
    )
    written = write_version(
        versions.folder(),
        stem=f"model-{int(100 * version.rmse)}",
        taken=versions.names(),
        algo=algo,
        more={"user_generations": generations_of_trained(np.unique(ratings.user_ids), *generations)},
        about={"parameters": version.parameters, "rmse": version.rmse, "mae": version.mae, "ratings": len(ratings)},
    )
    version.version_name, version.sha256 = written.version_name, written.sha256
    version.manifest_sha256 = written.manifest_sha256
    db.session.add(version)
    try:
        db.session.commit()
    except sa.exc.SQLAlchemyError:
        db.session.rollback()
        remove_version(versions.folder(), written.version_name)
        raise
    on_progress(folds + 1, folds + 1)
    return version


def read_ratings() -> tuple[tuple[IntArray, IntArray], Ratings]:
    """All ratings by user and movie id, and before them each user's (ids, rating generations), sorted by id.

    The generations are read first: a rating that comes in between makes its user look changed, never unchanged.
    """
    generations = read_table(sa.select(User.id, User.rating_generation).order_by(User.id)).astype(np.int64)
    table = read_table(
        sa.select(Rating.user_id, Rating.movie_id, Rating.value).order_by(Rating.user_id, Rating.movie_id)
    )
    db.session.commit()  # The fit takes minutes; an open read transaction would keep PostgreSQL from tidying up.
    ratings = Ratings(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2].copy())
    return (generations[:, 0], generations[:, 1]), ratings


def generations_of_trained(trained: IntArray, user_ids: IntArray, generations: IntArray) -> IntArray:
    """The rating generation of each trained user; -1 for one who appeared while the ratings were read."""
    rows = rows_of(trained, user_ids)
    return np.where(rows >= 0, generations[rows], -1)
