"""Training a version: fit, measure on held-out folds, write its files, record it."""

from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite import versions
from recsite.errors import NotEnoughRatings
from recsite.extensions import db
from recsite.ml.files import remove_version, write_version
from recsite.ml.fit import Parameters, Ratings, fit, measure
from recsite.ml.progress import Progress, ignore
from recsite.ml.ranker import RankerParameters, fit_ranker
from recsite.ml.rating import FloatArray, IntArray, rows_of
from recsite.storage.arrays import read_table
from recsite.storage.tables import ModelVersion, Movie, Rating, User
from recsite.versions import evaluation
from recsite.versions.active import LoadedVersion, recommender

FEWEST_RATINGS = 10
"Below this no held-out figure means anything."


@dataclass(frozen=True)
class SetUp:
    """Everything that a training depends on beside the ratings."""

    model: Parameters
    ranker: RankerParameters
    folds: int
    ranking: str
    "What orders lists: 'ease' or 'value'."


@dataclass(frozen=True)
class Advice:
    """Whether it is time to train again, and why."""

    new_ratings: int
    "Since the newest version was trained."
    unknown_users: int
    "People with ratings whom the active version does not know."
    unknown_movies: int
    "Rated movies that it does not know."
    folded_in_share: float
    "Of the people with ratings: those whose lists are made from ratings that it was not trained on, 0 to 1."
    reasons: tuple[str, ...]
    "The figures above as sentences; empty where there is no news."
    is_due: bool
    "Whether there are as many new ratings as `RETRAIN_NEW_RATINGS` asks for."


def set_up_from_settings(folds: int | None = None, **chosen: int | float | None) -> SetUp:
    """The set-up of the settings, with what is chosen (and not None) in its place."""
    settings = current_app.config
    configured = {
        "factors": settings["TRAIN_FACTORS"],
        "epochs": settings["TRAIN_EPOCHS"],
        "learning_rate": settings["TRAIN_LEARNING_RATE"],
        "regularization": settings["TRAIN_REGULARIZATION"],
        "movie_regularization": settings["TRAIN_MOVIE_REGULARIZATION"],
        "seed": settings["TRAIN_SEED"],
    }
    ranker = RankerParameters(
        regularization=settings["RANKER_REGULARIZATION"],
        fewest_ratings=settings["RANKER_FEWEST_RATINGS"],
        most_movies=settings["RANKER_MOST_MOVIES"],
        weights=settings["RANKER_WEIGHTS"],
        popularity_damping=settings["RANKER_POPULARITY_DAMPING"],
    )
    model = Parameters(**configured | {name: value for name, value in chosen.items() if value is not None})
    return SetUp(model, ranker, folds or settings["TRAIN_FOLDS"], settings["RANKING"])


def train(set_up: SetUp, on_progress: Progress = ignore) -> ModelVersion:
    """Fit on all ratings, write the version's files and record it; it is not active yet.

    1. Read the ratings, in the order of user and movie so that a seed gives the same model again.
    2. Measure RMSE and MAE on held-out folds, and the lists on a split by time and a random one.
    3. Fit the model and the ranker on everything and write the files under a name that holds the RMSE.
    4. Record the version; if that fails its files go away again.

    `on_progress` counts fits: the folds, the lists, the version itself. Raises NotEnoughRatings.
    """
    generations, ratings, timestamps = read_ratings()
    fewest, steps = max(FEWEST_RATINGS, set_up.folds), set_up.folds + 2
    if len(ratings) < fewest:
        raise NotEnoughRatings(
            f"There are {len(ratings)} ratings; training takes at least {fewest}. "
            "Import some with 'flask import', or fill an empty site with 'flask demo'."
        )
    errors = measure(ratings, set_up.model, set_up.folds, lambda done, _: on_progress(done, steps))
    quality = evaluation.figures_of_version(ratings, timestamps, set_up.ranking, set_up.model, set_up.ranker)
    on_progress(set_up.folds + 1, steps)
    algo = fit(ratings, set_up.model)
    ranker = fit_ranker(ratings, set_up.ranker)
    version = ModelVersion(
        rmse=errors.rmse_heldout,
        mae=errors.mae_heldout,
        metrics={"folds": set_up.folds, "ranked_movies": len(ranker.movie_ids), "ranking": quality},
        algorithm="SVD + EASE",
        parameters=set_up.model.as_dict() | {"ranker": set_up.ranker.as_dict()},
        rating_count=len(ratings),
        user_count=algo.trainset.n_users,
        movie_count=algo.trainset.n_items,
    )
    written = write_version(
        versions.folder(),
        stem=f"model-{int(100 * version.rmse)}",
        taken=versions.names(),
        algo=algo,
        ranker=ranker,
        user_generations=generations_of_trained(np.unique(ratings.user_ids), *generations),
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
    on_progress(steps, steps)
    return version


def read_ratings() -> tuple[tuple[IntArray, IntArray], Ratings, FloatArray]:
    """Each user's (ids, rating generations), sorted by id; all ratings by user and movie; their times in seconds.

    The generations are read first: a rating that comes in between makes its user look changed, never unchanged.
    """
    generations = read_table(sa.select(User.id, User.rating_generation).order_by(User.id)).astype(np.int64)
    seconds = sa.extract("epoch", Rating.timestamp)
    table = read_table(
        sa.select(Rating.user_id, Rating.movie_id, Rating.value, seconds).order_by(Rating.user_id, Rating.movie_id)
    )
    db.session.commit()  # The fit takes minutes; an open read transaction would keep PostgreSQL from tidying up.
    ratings = Ratings(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2].copy())
    return (generations[:, 0], generations[:, 1]), ratings, table[:, 3]


def generations_of_trained(trained: IntArray, user_ids: IntArray, generations: IntArray) -> IntArray:
    """The rating generation of each trained user; -1 for one who appeared while the ratings were read."""
    rows = rows_of(trained, user_ids)
    return np.where(rows >= 0, generations[rows], -1)


def advise() -> Advice:
    """What has come since the last training, as the active version sees it.

    Ratings are counted since the newest version, active or not: one that waits to be compared is not trained again.
    """
    newest = db.session.scalar(sa.select(ModelVersion).order_by(ModelVersion.id.desc()).limit(1))
    total = db.session.scalar(sa.select(sa.func.sum(Movie.rating_count))) or 0
    if newest is None:
        is_due = 0 < current_app.config["RETRAIN_NEW_RATINGS"] <= total and total >= FEWEST_RATINGS
        return Advice(total, 0, 0, 0.0, (f"There are {total} ratings and no version yet.",), is_due)
    later = db.session.scalar(sa.select(sa.func.count()).where(Rating.timestamp > newest.created_at)) or 0
    # An import brings ratings of long ago, which only the number of all tells.
    new_ratings = max(later, total - newest.rating_count)
    news = [(new_ratings, f"{new_ratings} ratings are new since {newest.version_name} was trained.")]
    users, movies, share = unknown_to(recommender.current())
    news.append((users, f"{users} people with ratings are not known to the active version."))
    news.append((movies, f"{movies} rated movies are not known to the active version."))
    news.append((share, f"{share:.0%} of the people with ratings get lists from ratings that it was not trained on."))
    threshold = current_app.config["RETRAIN_NEW_RATINGS"]
    reasons = tuple(sentence for figure, sentence in news if figure)
    return Advice(new_ratings, users, movies, share, reasons, is_due=0 < threshold <= new_ratings)


def unknown_to(version: LoadedVersion | None) -> tuple[int, int, float]:
    """People and movies with ratings that this version does not know, and the share of people it folds in."""
    if version is None:
        return 0, 0, 0.0
    model = version.opened.model
    rated = read_table(sa.select(Movie.id).where(Movie.rating_count > 0)).astype(np.int64)[:, 0]
    has_rated = sa.exists().where(Rating.user_id == User.id)
    people = read_table(sa.select(User.id, User.rating_generation).where(has_rated).order_by(User.id)).astype(np.int64)
    rows = rows_of(people[:, 0], model.user_ids)
    trained_on = np.where(rows >= 0, version.opened.user_generations[rows], -1)
    folded_in = int((trained_on != people[:, 1]).sum())
    unknown_movies = int((rows_of(rated, model.movie_ids) < 0).sum())
    return int((rows < 0).sum()), unknown_movies, folded_in / max(len(people), 1)
