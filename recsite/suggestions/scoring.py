"""Scoring users and keeping their lists: everybody in blocks, one user after a rating."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from weakref import WeakSet

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.errors import InvalidInput, MovieNotFound, NoActiveModel, UserNotFound
from recsite.extensions import db
from recsite.ml.progress import Progress, ignore
from recsite.storage.tables import Movie, Rating, User, now
from recsite.suggestions import rows
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.ranking import ScoredList, UserRatings, read_user_ratings, score_block, user_vectors
from recsite.versions.active import LoadedVersion, recommender

_warm: WeakSet[LoadedVersion] = WeakSet()
"The versions that this process has scored with."
USERS_A_QUERY = 5_000
"SQLite takes at most 32,766 parameters in one statement."
BYTES_A_SCORE = 4
"Scores are float32."
BYTES_A_KEY = 8 + 1
"What selecting the best costs beside the scores at most: a comparison for each, a key for few."


@dataclass(frozen=True)
class Prediction:
    """One predicted rating."""

    value: float
    "In stars, within the scale."
    knows_user: bool
    "False where the user has no ratings: the value is then what anybody would be predicted."
    knows_movie: bool
    "False where no rating of the movie was trained on: the value is then what the user gives on average."


@dataclass(frozen=True)
class Plan:
    """What scoring would do."""

    users: int
    rows: int
    "At most; a user who rated nearly everything has fewer."
    memory_bytes: int
    "Of one block."
    seconds: float
    "As measured on the first users, without the time to write rows."


def require_version() -> LoadedVersion:
    """The version to score with; raises NoActiveModel."""
    version = recommender.current()
    if version is None:
        raise NoActiveModel
    return version


def all_user_ids() -> list[int]:
    """Everybody who has ratings, and whoever has a list from ratings since withdrawn; ascending."""
    has_list = sa.select(User.id).where(User.list_version_id.is_not(None))
    return sorted(db.session.scalars(sa.select(Rating.user_id).distinct().union(has_list)).all())


def recent_user_ids(days: int) -> list[int]:
    """Everybody who rated or was seen in the last `days` days, ascending."""
    since = now() - timedelta(days=days)
    rated = sa.select(Rating.user_id).where(Rating.timestamp >= since)
    return sorted(db.session.scalars(rated.union(sa.select(User.id).where(User.last_seen_at >= since))).all())


def existing_user_ids(user_ids: Sequence[int]) -> list[int]:
    """These ids, each once and ascending; raises UserNotFound unless every one is a user's."""
    wanted = sorted(set(user_ids))
    found: set[int] = set()
    for start in range(0, len(wanted), USERS_A_QUERY):
        block = wanted[start : start + USERS_A_QUERY]
        found.update(db.session.scalars(sa.select(User.id).where(User.id.in_(block))))
    if len(found) < len(wanted):
        raise UserNotFound
    return wanted


def rescore(user_ids: Sequence[int], top: int | None = None, on_progress: Progress = ignore) -> int:
    """Score every movie for these users and upsert their suggestions.

    `SCORE_BLOCK_USERS` are scored together and committed bit by bit, so a stopped run keeps what it finished; a second
    run leaves the same rows. A user without ratings gets no rows. Returns the number of rows written. Raises
    NoActiveModel, UserNotFound.
    """
    require_version()
    user_ids = existing_user_ids(user_ids)
    size = current_app.config["SCORE_BLOCK_USERS"]
    written = 0
    on_progress(0, len(user_ids))
    for start in range(0, len(user_ids), size):
        block = user_ids[start : start + size]
        written += rescore_block(block, top)
        on_progress(start + len(block), len(user_ids))
    return written


def rescore_block(user_ids: Sequence[int], top: int | None = None, threads: int | None = None) -> int:
    """Score and upsert these users; whoever is not there any more is left out.

    On so many `threads`, or on all cores. Returns the number of rows written. Raises NoActiveModel.
    """
    version = require_version()
    return rows.upsert(score_users(version, user_ids, top, threads), version.version_id)


def refresh(user_id: int) -> None:
    """Make this user's list follow from the ratings as they are now; without an active model there is none to keep."""
    version = recommender.current()
    if version is not None:
        rows.upsert(score_users(version, [user_id]), version.version_id)


def refresh_behind(most: int) -> int:
    """Refresh up to so many lists that do not follow from their users' ratings; returns how many.

    Such a list stays behind when a process or the database dies between a rating and what follows from it, and when
    ratings are imported.
    """
    behind = sa.select(User.id).where(User.list_rating_generation != User.rating_generation).order_by(User.id)
    user_ids = db.session.scalars(behind.limit(most)).all() if recommender.current() else []
    if user_ids:
        rescore_block(user_ids)
    return len(user_ids)


def score_users(
    version: LoadedVersion, user_ids: Sequence[int], top: int | None = None, threads: int | None = None
) -> list[ScoredList]:
    """The lists of these users, with no movies for a user who has no ratings."""
    candidates = find_candidates(version, catalog_generation())
    users = read_user_ratings(user_ids)
    raters = [user for user in users if len(user.values)]
    n = top or current_app.config["SUGGESTIONS_PER_USER"]
    lists = score_block(version, candidates, raters, n, threads=threads) if raters else []
    return lists + [ScoredList.empty(user) for user in users if not len(user.values)]


def warm_up() -> None:
    """Version, movies and code are loaded: this process and its children score their first block as fast as the next.

    Without an active version there is nothing to load.
    """
    recommender.follow_now()
    version = recommender.current()
    if version is None:
        return
    candidates = find_candidates(version, catalog_generation())
    if version not in _warm and len(candidates.movie_ids):
        nobody = UserRatings(0, 0, candidates.movie_ids[:1], np.array([4.0]))
        score_block(version, candidates, [nobody], 1)
        _warm.add(version)


def predict_one(user_id: int, movie_id: int) -> Prediction:
    """The predicted rating of one movie by one user. Raises NoActiveModel, UserNotFound, MovieNotFound."""
    version = require_version()
    users = read_user_ratings([user_id])
    if not users:
        raise UserNotFound
    if db.session.get(Movie, movie_id) is None:
        raise MovieNotFound
    return predict_from(version, users[0], movie_id)


def predict_from(version: LoadedVersion, user: UserRatings, movie_id: int) -> Prediction:
    """The predicted rating of one movie by whoever has these ratings."""
    model = version.opened.model
    movies = np.array([movie_id], dtype=np.int64)
    bu, pu, _ = user_vectors(version, [user])
    bi, qi = model.movies(movies)
    value = np.clip(model.mu + bu[0] + bi[0] + pu[0] @ qi[0], *model.scale)
    return Prediction(float(value), bool(len(user.values)), movie_id in model.movie_ids)


def plan(user_ids: Sequence[int], top: int | None = None) -> Plan:
    """What `rescore` would do for these users; scores one block to time it and writes nothing."""
    version = require_version()
    user_ids = existing_user_ids(user_ids)
    if not user_ids:
        raise InvalidInput("There is nobody to score: no user has ratings.")
    size = min(len(user_ids), current_app.config["SCORE_BLOCK_USERS"])
    started = time.perf_counter()
    lists = score_users(version, user_ids[:size], top)
    seconds = (time.perf_counter() - started) * len(user_ids) / size
    n_movies = len(find_candidates(version, catalog_generation()).movie_ids)
    longest = max(len(scored.movie_ids) for scored in lists)
    return Plan(len(user_ids), longest * len(user_ids), size * n_movies * (BYTES_A_SCORE + BYTES_A_KEY), seconds)
