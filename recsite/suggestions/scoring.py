"""Stored lists: score everybody in blocks, refresh one user after a rating, predict one rating."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from weakref import WeakSet

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.errors import InvalidInput, MovieNotFound, NoActiveModel, UserNotFound
from recsite.extensions import db
from recsite.ml.candidates import Candidates
from recsite.ml.progress import Progress, ignore
from recsite.storage.queries import in_blocks
from recsite.storage.tables import Movie, Rating, User, now
from recsite.suggestions import rows
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.ranking import (
    ScoredList,
    UserRatings,
    make_scored_lists,
    read_user_ratings,
    require_user_ratings,
    user_vectors,
)
from recsite.versions.active import LoadedVersion, recommender

_warm: WeakSet[LoadedVersion] = WeakSet()
"The versions that this process has scored with."
BYTES_A_SCORE = 4 + 8 + 1
"A float32, and at most the memory that the selection of the best takes for each score."


@dataclass(frozen=True)
class Prediction:
    """One predicted rating."""

    value: float
    "In stars, within the scale."
    knows_user: bool
    "Whether the user has ratings; without any the value is that of an average user."
    knows_movie: bool
    "Whether the version was trained on ratings of the movie; else the value is the user's average."


@dataclass(frozen=True)
class Plan:
    """An estimate of what scoring would take."""

    users: int
    rows: int
    "Upper bound of the rows to write; a user who rated nearly every movie has fewer."
    memory_bytes: int
    "Memory of one block."
    seconds: float
    "Time of scoring, extrapolated from the first users, without the time to write rows."


def require_version() -> LoadedVersion:
    """Return the version to score with.

    Raises:
        NoActiveModel: no version is active, or its files cannot be had.
    """
    version = recommender.current()
    if version is None:
        # A command or a job on a host that lacks the files waits for them.
        recommender.follow_now()
        version = recommender.current()
    if version is None:
        raise NoActiveModel(recommender.problem())
    return version


def all_user_ids() -> list[int]:
    """Return the ids of all users who have ratings, or a list from ratings since withdrawn; ascending."""
    has_list = sa.select(User.id).where(User.list_version_id.is_not(None))
    return sorted(db.session.scalars(sa.select(Rating.user_id).distinct().union(has_list)).all())


def recent_user_ids(days: int) -> list[int]:
    """Return the ids of the users who rated or were seen in the last `days` days, ascending."""
    since = now() - timedelta(days=days)
    rated = sa.select(Rating.user_id).where(Rating.timestamp >= since)
    return sorted(db.session.scalars(rated.union(sa.select(User.id).where(User.last_seen_at >= since))).all())


def require_user_ids(user_ids: Sequence[int]) -> list[int]:
    """Return these ids, each once and ascending, or raise UserNotFound where one is no user's."""
    wanted = sorted(set(user_ids))
    if len(known_user_ids(wanted)) < len(wanted):
        raise UserNotFound
    return wanted


def known_user_ids(user_ids: Collection[int]) -> set[int]:
    """Return those of the ids that are users'."""
    blocks = in_blocks(sorted(user_ids))
    return {user_id for block in blocks for user_id in db.session.scalars(sa.select(User.id).where(User.id.in_(block)))}


def rescore(user_ids: Sequence[int], top: int | None = None, on_progress: Progress = ignore) -> int:
    """Score all movies for these users, upsert their lists of `top` movies, and return the number of rows written.

    Each block of `SCORE_BLOCK_USERS` is committed; a second run leaves the same rows. `top` None is
    `SUGGESTIONS_PER_USER`. A user without ratings gets no rows.

    Raises:
        NoActiveModel: no version is active.
        UserNotFound: an id is no user's.
    """
    require_version()
    user_ids = require_user_ids(user_ids)
    size = current_app.config["SCORE_BLOCK_USERS"]
    written = 0
    on_progress(0, len(user_ids))
    for start in range(0, len(user_ids), size):
        block = user_ids[start : start + size]
        written += rescore_block(block, top)
        on_progress(start + len(block), len(user_ids))
    return written


def rescore_block(user_ids: Sequence[int], top: int | None = None, threads: int | None = None) -> int:
    """Score the users that exist together, as `rescore` does, in `threads` (None: one for each core).

    Raises:
        NoActiveModel: no version is active.
    """
    version = require_version()
    return rows.upsert(score_users(version, user_ids, top, threads), version.version_id)


def refresh(user_id: int) -> None:
    """Score this user again from the current ratings and upsert the list; does nothing without an active version."""
    if recommender.current() is not None:
        rescore_block([user_id])


def write_list(version: LoadedVersion, candidates: Candidates, user_id: int) -> None:
    """Score this user and write the list, in the caller's transaction. Does not commit."""
    lists = score_users(version, [user_id], candidates=candidates)
    rows.write_rows(rows.mark_scored(lists, version.version_id), version.version_id, now())


def refresh_stale(limit: int) -> int:
    """Refresh up to `limit` lists that are older than their users' ratings; return their number.

    A list is stale when a process or the database failed between a rating and the refresh, and after an import.
    """
    stale = sa.select(User.id).where(User.list_rating_generation != User.rating_generation).order_by(User.id)
    user_ids = db.session.scalars(stale.limit(limit)).all() if recommender.current() else []
    if user_ids:
        rescore_block(user_ids)
    return len(user_ids)


def score_users(
    version: LoadedVersion,
    user_ids: Sequence[int],
    top: int | None = None,
    threads: int | None = None,
    candidates: Candidates | None = None,
) -> list[ScoredList]:
    """Return the lists of these users; the list of a user without ratings is empty. Writes nothing."""
    if candidates is None:
        candidates = find_candidates(version, catalog_generation())
    users = read_user_ratings(user_ids)
    raters = [user for user in users if len(user.values)]
    n = top or current_app.config["SUGGESTIONS_PER_USER"]
    lists = make_scored_lists(version, candidates, raters, n, threads=threads)
    return lists + [ScoredList.empty(user) for user in users if not len(user.values)]


def warm_up() -> None:
    """Load version, movies and compiled code, so that the first block of this process and its children is fast.

    Does nothing without an active version.
    """
    recommender.follow_now()
    version = recommender.current()
    if version is None:
        return
    candidates = find_candidates(version, catalog_generation())
    if version not in _warm and len(candidates.movies):
        make_scored_lists(version, candidates, [UserRatings.of_visitor({int(candidates.movies.ids[0]): 4.0})], 1)
        _warm.add(version)


def predict_one(user_id: int, movie_id: int) -> Prediction:
    """Return the predicted rating of one movie by one user.

    Raises:
        NoActiveModel: no version is active.
        UserNotFound: no user has this id.
        MovieNotFound: no movie has this id.
    """
    version, user = require_version(), require_user_ratings(user_id)
    if db.session.get(Movie, movie_id) is None:
        raise MovieNotFound
    return predict_from(version, user, movie_id)


def predict_from(version: LoadedVersion, user: UserRatings, movie_id: int) -> Prediction:
    """Return the predicted rating of one movie by a user or visitor with these ratings."""
    model = version.opened.model
    movie_ids = np.array([movie_id], dtype=np.int64)
    bu, pu, _ = user_vectors(version, [user])
    bi, qi = model.movie_parameters(movie_ids)
    value = np.clip(model.mu + bu[0] + bi[0] + pu[0] @ qi[0], *model.scale)
    return Prediction(float(value), bool(len(user.values)), bool(model.movies.contains(movie_ids)[0]))


def plan_scoring(user_ids: Sequence[int], top: int | None = None) -> Plan:
    """Return an estimate of `rescore` for these users; scores one block to time it and writes nothing.

    Raises:
        InvalidInput: there are no users.
        NoActiveModel: no version is active.
        UserNotFound: an id is no user's.
    """
    version = require_version()
    user_ids = require_user_ids(user_ids)
    if not user_ids:
        raise InvalidInput("There is nobody to score: no user has ratings.")
    size = min(len(user_ids), current_app.config["SCORE_BLOCK_USERS"])
    started = time.perf_counter()
    lists = score_users(version, user_ids[:size], top)
    seconds = (time.perf_counter() - started) * len(user_ids) / size
    n_movies = len(find_candidates(version, catalog_generation()).movies)
    longest = max(len(scored.movie_ids) for scored in lists)
    return Plan(len(user_ids), longest * len(user_ids), size * n_movies * BYTES_A_SCORE, seconds)
