"""Training of a version: fit, measure on held-out ratings, write its files, record it; and advice when to train."""

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.errors import NotEnoughRatings
from recsite.extensions import db
from recsite.ml.descent import Parameters
from recsite.ml.files import LEFTOVER_SECONDS, WrittenVersion, make_folder, write_version
from recsite.ml.fit import as_surprise, find_epochs
from recsite.ml.progress import Progress, ignore
from recsite.ml.ranker import RankerParameters
from recsite.ml.ratings import NumberedRatings, Ratings
from recsite.ml.vocabulary import IntArray, Vocabulary
from recsite.storage.arrays import read_columns, read_table
from recsite.storage.tables import ModelVersion, Movie, Rating, User
from recsite.versions import copies, evaluation, originals, plan, registry
from recsite.versions.active import LoadedVersion, recommender
from recsite.versions.originals import folder
from recsite.versions.pieces import SetUp, Workspace, do_piece, read_version

FEWEST_RATINGS = 10
"With fewer ratings a held-out error is noise."


@dataclass(frozen=True)
class Advice:
    """Whether it is time to train again, and the reasons."""

    new_ratings: int
    "Ratings since the newest version was trained."
    reasons: tuple[str, ...]
    "A sentence for each kind of change since."
    is_due: bool
    "Whether there are as many new ratings as `RETRAIN_NEW_RATINGS` asks for."


def set_up_from_settings(folds: int | None = None, **overrides: int | float | None) -> SetUp:
    """Return the set-up of the settings; overrides that are not None replace fields of `Parameters`."""
    settings = current_app.config
    configured = {
        "factors": settings["TRAIN_FACTORS"],
        "epochs": settings["TRAIN_EPOCHS"],
        "learning_rate": settings["TRAIN_LEARNING_RATE"],
        "final_learning_rate": settings["TRAIN_FINAL_LEARNING_RATE"],
        "regularization": settings["TRAIN_REGULARIZATION"],
        "movie_regularization": settings["TRAIN_MOVIE_REGULARIZATION"],
        "seed": settings["TRAIN_SEED"],
    }
    names = [field.name for field in fields(RankerParameters)]
    ranker = RankerParameters(**{name: settings[ranker_setting(name)] for name in names})
    model = Parameters(**configured | {name: value for name, value in overrides.items() if value is not None})
    return SetUp(model, ranker, folds or settings["TRAIN_FOLDS"], settings["RANKING"])


def set_up_of_run(parameters: Mapping[str, Any]) -> SetUp:
    """Return the set-up of a queued training: its parameters, and the settings for those that it does not name."""
    names = ("folds", "factors", "epochs", "seed")
    return set_up_from_settings(**{name: parameters[name] for name in names if name in parameters})


def ranker_setting(name: str) -> str:
    """Return the setting of a field of RankerParameters."""
    return f"RANKER_{name.upper()}"


def train(set_up: SetUp, on_progress: Progress = ignore, threads: int | None = None) -> ModelVersion:
    """Train a version on all ratings in this process and return its row; it is not active yet.

    Workers share the same steps: `prepare`, the pieces, `complete`. `on_progress` counts pieces; `threads` is the
    number for fits of the rating model (None: one a core).

    Raises:
        NotEnoughRatings: there are fewer ratings than `FEWEST_RATINGS` or than folds.
        InsufficientResources: the plan needs more memory than is free.
        TrainingDiverged: a fit gave numbers that are not finite.
        MediaUnavailable: MEDIA_URL is set, and the files cannot be stored there.
    """
    workspace = open_workspace(f"process-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        names = prepare(workspace, set_up, threads)
        for done, piece in enumerate(names):
            on_progress(done, len(names))
            do_piece(workspace, piece, threads)
        version = complete(workspace)
    finally:
        workspace.remove()
    on_progress(len(names), len(names))
    return version


def open_workspace(name: str, *, is_shared: bool = False) -> Workspace:
    """Return the workspace of this name, and remove those here that nobody can be working on any more.

    With `is_shared` the workers of other hosts find it under MEDIA_URL, if that is set.
    """
    root: Path = current_app.config["MEDIA_ROOT"] / "ml" / "training"
    make_folder(root)
    for other in root.iterdir():
        if other.name != name and other.stat().st_mtime < time.time() - LEFTOVER_SECONDS:
            Workspace(other).remove()
    return Workspace(root / name, is_shared=is_shared)


def prepare(workspace: Workspace, set_up: SetUp, threads: int | None = None) -> list[str]:
    """Read the ratings, find the number of epochs, and write what the pieces need; return the pieces' names.

    The ratings stand in the order of user and movie, so that a seed gives the same model again.
    """
    plan.require_resources(plan.make_plan(set_up, threads))
    generations, ratings = read_ratings()
    fewest = max(FEWEST_RATINGS, set_up.folds)
    if len(ratings) < fewest:
        raise NotEnoughRatings(
            f"There are {len(ratings)} ratings; training takes at least {fewest}. "
            "Import some with 'flask import', or fill an empty site with 'flask demo'."
        )
    with evaluation.divergence_named(set_up.model):
        epochs = find_epochs(NumberedRatings.of(ratings), set_up.model, threads)
    chosen = replace(set_up, model=replace(set_up.model, stop_after=epochs))
    user_generations = look_up_generations(np.unique(ratings.user_ids), *generations)
    workspace.create(chosen, ratings, user_generations)
    return chosen.pieces


def complete(workspace: Workspace) -> ModelVersion:
    """Make the version of the results of all pieces and return its row.

    1. Write the files under a name that holds the RMSE.
    2. Upload them, if MEDIA_URL is set, and record the version; if that fails, remove its files.

    Raises:
        TrainingGone: a result is not there.
        MediaUnavailable: the files cannot be uploaded.
    """
    set_up, n_ratings = workspace.set_up(), len(workspace.ratings())
    errors = [workspace.facts(f"fold {fold + 1}") for fold in range(set_up.folds)]
    rmse, mae = (float(np.mean([each[name] for each in errors])) for name in ("rmse", "mae"))
    lists = {split: workspace.facts(split) for split in evaluation.SPLITS}
    model, ranker = read_version(workspace)
    version = ModelVersion(
        rmse=rmse,
        mae=mae,
        metrics={
            "folds": set_up.folds,
            "epochs": set_up.model.stop_after,
            "ranked_movies": len(ranker.movies),
            "ranking": {split: figures for split, figures in lists.items() if figures},
        },
        algorithm="SVD + EASE",
        parameters=asdict(set_up.model) | {"ranker": asdict(set_up.ranker)},
        rating_count=n_ratings,
        user_count=len(model.users),
        movie_count=len(model.movies),
    )
    written = write_version(
        folder(),
        stem=f"model-{int(100 * rmse)}",
        taken=registry.names(),
        algo=as_surprise(model, set_up.model, n_ratings),
        ranker=ranker,
        user_generations=workspace.arrays("data")["user_generations"],
        about={"parameters": version.parameters, "rmse": rmse, "mae": mae, "ratings": n_ratings},
    )
    insert_version(version, written)
    return version


def insert_version(version: ModelVersion, written: WrittenVersion) -> None:
    """Upload these files, if MEDIA_URL is set, insert the version's row, and commit; remove the files if that fails.

    Raises:
        MediaUnavailable: they cannot be uploaded.
    """
    version.version_name = written.version_name
    version.sha256, version.manifest_sha256 = written.sha256, written.manifest_sha256
    try:
        originals.upload(written)
        db.session.add(version)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        copies.remove(written)
        raise


def read_ratings() -> tuple[tuple[IntArray, IntArray], Ratings]:
    """Return (ids, rating generations) of all users by id, and all ratings by user and movie.

    The generations are read first: a rating that comes in between makes its user look changed, never unchanged.
    """
    generations = read_table(sa.select(User.id, User.rating_generation).order_by(User.id)).astype(np.int64)
    seconds = sa.extract("epoch", Rating.timestamp)
    columns = read_columns(
        sa.select(Rating.user_id, Rating.movie_id, Rating.value, seconds).order_by(Rating.user_id, Rating.movie_id),
        (np.int32, np.int32, np.float32, np.int64),
    )
    db.session.commit()  # The fit takes minutes; an open read transaction would keep PostgreSQL from vacuuming.
    return (generations[:, 0], generations[:, 1]), Ratings(*columns)


def look_up_generations(trained_ids: IntArray, user_ids: IntArray, generations: IntArray) -> IntArray:
    """Return the rating generation of each trained user; -1 for one that appeared while the ratings were read."""
    u = Vocabulary(user_ids).numbers(trained_ids, missing="negative")
    return np.where(u >= 0, generations[u], -1)


def advise() -> Advice:
    """Return the changes since the last training, as the active version sees them.

    Ratings are counted since the newest version, active or not: while a new version waits to be compared, no further
    training is due for the same ratings.
    """
    threshold = current_app.config["RETRAIN_NEW_RATINGS"]
    newest = db.session.scalar(sa.select(ModelVersion).order_by(ModelVersion.id.desc()).limit(1))
    total = db.session.scalar(sa.select(sa.func.sum(Movie.rating_count))) or 0
    if newest is None:
        is_due = 0 < threshold <= total and total >= FEWEST_RATINGS
        return Advice(total, (f"There are {total} ratings and no version yet.",), is_due)
    later = db.session.scalar(sa.select(sa.func.count()).where(Rating.timestamp > newest.created_at)) or 0
    # An import brings ratings with old timestamps, which only the total shows.
    new_ratings = max(later, total - newest.rating_count)
    users, movies, share = count_unknown(recommender.current())
    figures = (
        (new_ratings, f"{new_ratings} ratings are new since {newest.version_name} was trained."),
        (users, f"The active version does not know {users} of the users with ratings."),
        (movies, f"The active version does not know {movies} of the rated movies."),
        (share, f"{share:.0%} of the users with ratings have ratings that it was not trained on."),
    )
    reasons = tuple(sentence for figure, sentence in figures if figure)
    return Advice(new_ratings, reasons, is_due=0 < threshold <= new_ratings)


def count_unknown(version: LoadedVersion | None) -> tuple[int, int, float]:
    """Return how many users and movies with ratings the version does not know, and the share of folded-in users."""
    if version is None:
        return 0, 0, 0.0
    model = version.opened.model
    rated = read_table(sa.select(Movie.id).where(Movie.rating_count > 0)).astype(np.int64)[:, 0]
    has_rated = sa.exists().where(Rating.user_id == User.id)
    users = read_table(sa.select(User.id, User.rating_generation).where(has_rated).order_by(User.id)).astype(np.int64)
    folded_in = int((version.opened.trained_generations(users[:, 0]) != users[:, 1]).sum())
    unknown_users = int((~model.users.contains(users[:, 0])).sum())
    unknown_movies = int((~model.movies.contains(rated)).sum())
    return unknown_users, unknown_movies, folded_in / max(len(users), 1)
