"""Scoring blocks of users against the catalogue: the one path for a single visitor, a batch and a queue job."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # ships no types

from recsite.ml.kernels import estimates, leave_out
from recsite.ml.rating import BoolArray, FloatArray, IntArray, rows_of
from recsite.ml.topn import top_n
from recsite.storage.arrays import read_table
from recsite.storage.tables import Dismissal, Rating, User
from recsite.suggestions.candidates import Candidates
from recsite.versions.active import LoadedVersion

FEWEST_PART_USERS, MOST_PART_USERS = 64, 256
"Users that one thread scores at a time: a few make a slow product of matrices."
PART_BYTES = 24 * 1024 * 1024
"Of their scores, at most: larger arrays are given back to the system, which empties the memory for the next."

THEIR_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
GENERATIONS = sa.select(User.id, User.rating_generation).where(User.id.in_(THEIR_IDS)).order_by(User.id)
RATINGS = (
    sa.select(Rating.user_id, Rating.movie_id, Rating.value)
    .where(Rating.user_id.in_(THEIR_IDS))
    .order_by(Rating.user_id, Rating.movie_id)
)
UNWANTED = (
    sa.select(Dismissal.user_id, Dismissal.movie_id)
    .where(Dismissal.user_id.in_(THEIR_IDS), Dismissal.is_unwanted)
    .order_by(Dismissal.user_id, Dismissal.movie_id)
)


@dataclass(frozen=True)
class UserRatings:
    """What one user rated, as read in one go."""

    user_id: int
    rating_generation: int
    movie_ids: IntArray
    values: FloatArray
    "In stars, in the order of `movie_ids`."
    unwanted: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    "Movies that the user is not interested in."

    @classmethod
    def of_visitor(cls, given: Mapping[int, float]) -> "UserRatings":
        """The ratings, in stars by movie, of somebody without an account: no version was trained on them."""
        movie_ids = sorted(given)
        values = np.array([given[movie_id] for movie_id in movie_ids], dtype=np.float64)
        return cls(0, 0, np.array(movie_ids, dtype=np.int64), values)


class ScoredList(NamedTuple):
    """One user's best movies, the best first. A tuple, for it is made for every user."""

    user_id: int
    rating_generation: int
    "That of the ratings which the list is made from."
    movie_ids: IntArray
    values: FloatArray
    "Predicted ratings in stars, within the scale."
    is_folded_in: bool
    "Whether the user's ratings differ from those that the version was trained on."

    @classmethod
    def empty(cls, user: UserRatings) -> "ScoredList":
        """No movies, for want of ratings or of movies."""
        return cls(user.user_id, user.rating_generation, np.empty(0, np.int64), np.empty(0), True)


def read_user_ratings(user_ids: Sequence[int]) -> list[UserRatings]:
    """The ratings of those of these users who exist, and what they do not want, in the order of their ids.

    Generations are read before the ratings, so that a rating in between makes a list look old rather than new.
    """
    users = read_table(GENERATIONS, ids=user_ids)
    ratings, unwanted = read_table(RATINGS, ids=user_ids), read_table(UNWANTED, ids=user_ids)
    return [
        UserRatings(
            int(user_id), int(generation), rated[:, 1].astype(np.int64), rated[:, 2], put_aside[:, 1].astype(np.int64)
        )
        for (user_id, generation), rated, put_aside in zip(
            users, rows_by_owner(ratings, users[:, 0]), rows_by_owner(unwanted, users[:, 0]), strict=True
        )
    ]


def rows_by_owner(table: FloatArray, owners: FloatArray) -> list[FloatArray]:
    """The rows of each of these owners, who stand in the first column in ascending order."""
    starts, ends = (np.searchsorted(table[:, 0], owners, side=side) for side in ("left", "right"))
    return [table[start:end] for start, end in zip(starts, ends, strict=True)]


def user_vectors(version: LoadedVersion, users: Sequence[UserRatings]) -> tuple[FloatArray, FloatArray, BoolArray]:
    """b_u, p_u and whether they are folded in, for these users in this order.

    A user whose ratings are those of the training has the trained vectors, so that values equal Surprise's. Anybody
    else is folded in from the ratings as they are now.
    """
    model = version.opened.model
    user_ids = np.array([user.user_id for user in users], dtype=np.int64)
    bu, pu = model.users(user_ids)
    rows = rows_of(user_ids, model.user_ids)
    trained = np.where(rows >= 0, version.opened.user_generations[rows], -1)
    generations = np.array([user.rating_generation for user in users], dtype=np.int64)
    is_folded_in = trained != generations
    for u in np.flatnonzero(is_folded_in).tolist():
        bu[u], pu[u] = model.fold_in(
            users[u].movie_ids, users[u].values, version.opened.manifest["parameters"]["regularization"]
        )
    return bu, pu, is_folded_in


def score_block(
    version: LoadedVersion,
    candidates: Candidates,
    users: Sequence[UserRatings],
    n: int,
    allowed: BoolArray | None = None,
    threads: int | None = None,
) -> list[ScoredList]:
    """The `n` best movies of each user that are not left out for them, in the order of `users`.

    The ranker orders the movies that it covers; a list that they do not fill is filled with the others by value. The
    values of the winners are worked out in float64 and clipped. `allowed`, by column, keeps other movies out.
    `threads` (None: one for each core) is less where several workers share a machine.
    """
    threads = threads or os.cpu_count() or 1
    most = min(MOST_PART_USERS, PART_BYTES // (4 * max(1, len(candidates.movie_ids))))
    size = max(min(-(-len(users) // threads), most), FEWEST_PART_USERS)
    parts = [users[start : start + size] for start in range(0, len(users), size)]
    # BLAS would start threads of its own in each of ours; for one user they cost more than they bring.
    with find_blas().limit(limits=1, user_api="blas"):
        if len(parts) == 1:
            return score_part(version, candidates, users, n, allowed)
        with ThreadPoolExecutor(threads) as pool:
            scored = pool.map(lambda part: score_part(version, candidates, part, n, allowed), parts)
            return [each for part in scored for each in part]


@cache
def find_blas() -> ThreadpoolController:
    """The loaded libraries that have threads; finding them takes as long as scoring some users."""
    return ThreadpoolController()


def score_part(
    version: LoadedVersion,
    candidates: Candidates,
    users: Sequence[UserRatings],
    n: int,
    allowed: BoolArray | None,
) -> list[ScoredList]:
    """`score_block` for as many users as one thread scores at a time."""
    model = version.opened.model
    bu, pu, is_folded_in = user_vectors(version, users)
    if not len(candidates.movie_ids):
        return [ScoredList.empty(user) for user in users]
    columns = best_columns(version, candidates, users, pu, n, allowed)
    values, movie_ids = estimates(
        model.mu, bu, candidates.bi, pu, candidates.qi, candidates.movie_ids, columns, model.scale
    )
    lengths = (columns >= 0).sum(axis=1).tolist()
    # A loop under Python's lock, for which the other threads wait: nothing is worked out in it.
    return [
        ScoredList(user.user_id, user.rating_generation, ids[:length], stars[:length], is_new)
        for user, ids, stars, length, is_new in zip(
            users, movie_ids, values, lengths, is_folded_in.tolist(), strict=True
        )
    ]


def best_columns(
    version: LoadedVersion,
    candidates: Candidates,
    users: Sequence[UserRatings],
    pu: FloatArray,
    n: int,
    allowed: BoolArray | None,
) -> IntArray:
    """The columns of each user's list, shape (len(users), n), the best first and -1 behind the last."""
    ranker, first = version.opened.ranker, candidates.ranked
    if first == 0:
        return best_by_value(candidates, users, pu, n, allowed)
    scores = ranker.scores([user.movie_ids for user in users], [user.values for user in users])
    left_out, owner_starts = left_out_of(users)
    leave_out(scores, owner_starts, ranker.rows(left_out))
    places = candidates.ranker_columns
    columns = top_n(scores, n, places if allowed is None else np.where(allowed[places], places, -1))
    short = np.flatnonzero(columns[:, -1] < 0)
    if len(short) and first < len(candidates.movie_ids):
        more = best_by_value(candidates, [users[u] for u in short.tolist()], pu[short], n, allowed)
        # Left to right: what the ranker found, then the others, then the empty places.
        both = np.concatenate((columns[short], more), axis=1)
        columns[short] = np.take_along_axis(both, np.argsort(both < 0, axis=1, kind="stable"), axis=1)[:, :n]
    return columns


def best_by_value(
    candidates: Candidates, users: Sequence[UserRatings], pu: FloatArray, n: int, allowed: BoolArray | None
) -> IntArray:
    """As `best_columns`, of the movies that the ranker does not order, by unclipped predicted rating."""
    scores = np.column_stack((pu, np.ones(len(users)))).astype(np.float32) @ candidates.fast
    left_out, owner_starts = left_out_of(users)
    leave_out(scores, owner_starts, candidates.places_by_value.find(left_out))
    places = candidates.by_value
    return top_n(scores, n, places if allowed is None else np.where(allowed[places], places, -1))


def left_out_of(users: Sequence[UserRatings]) -> tuple[IntArray, IntArray]:
    """The movies left out for each user, one user after the other, and where each one's start, with the end."""
    left_out = [movie_ids for user in users for movie_ids in (user.movie_ids, user.unwanted)]
    return np.concatenate(left_out), np.cumsum([0, *(len(user.movie_ids) + len(user.unwanted) for user in users)])
