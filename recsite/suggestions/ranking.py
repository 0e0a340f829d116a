"""Scoring of a block of users: one path for a single visitor, a batch and a job on the queue."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from threadpoolctl import ThreadpoolController

from recsite.errors import UserNotFound
from recsite.ml.candidates import Candidates, UserBlock, best_movies
from recsite.ml.rating_weights import count_newer
from recsite.ml.threads import count_cores
from recsite.ml.vocabulary import BoolArray, FloatArray, IntArray
from recsite.storage.arrays import TimeNumber, read_table
from recsite.storage.tables import Dismissal, Rating, User
from recsite.versions.active import LoadedVersion

FEWEST_PART_USERS, MOST_PART_USERS = 64, 256
"Users that one thread scores at a time: with fewer the matrix product is slow."
PART_BYTES = 24 * 1024 * 1024
"Upper bound of their scores: memory of larger arrays goes back to the system and has to be cleared for the next ones."

USER_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
GENERATIONS = sa.select(User.id, User.rating_generation).where(User.id.in_(USER_IDS)).order_by(User.id)
RATINGS = (
    sa.select(Rating.user_id, Rating.movie_id, Rating.value, TimeNumber(Rating.timestamp))
    .where(Rating.user_id.in_(USER_IDS))
    .order_by(Rating.user_id, Rating.movie_id)
)
UNWANTED = (
    sa.select(Dismissal.user_id, Dismissal.movie_id)
    .where(Dismissal.user_id.in_(USER_IDS), Dismissal.is_unwanted)
    .order_by(Dismissal.user_id, Dismissal.movie_id)
)


@dataclass(frozen=True)
class UserRatings:
    """One user's ratings at one moment."""

    user_id: int
    "0 for a visitor without an account."
    rating_generation: int
    movie_ids: IntArray
    "The rated movies, ascending."
    values: FloatArray
    "In stars, in the order of `movie_ids`."
    newer: IntArray
    "How many of the user's ratings are newer than each, likewise; 0 for all where nobody knows their times."
    unwanted: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @classmethod
    def of_visitor(cls, stars: Mapping[int, float]) -> "UserRatings":
        """Return the ratings of somebody without an account, from stars by movie id; no version is trained on them.

        Their times are not known, so that they count as equally old.
        """
        movie_ids = sorted(stars)
        values = np.array([stars[movie_id] for movie_id in movie_ids], dtype=np.float64)
        return cls(0, 0, np.array(movie_ids, dtype=np.int64), values, np.zeros(len(values), dtype=np.int64))


class ScoredList(NamedTuple):
    """One user's best movies, the best first. A tuple, because a block makes one for every user."""

    user_id: int
    rating_generation: int
    "The generation of the ratings that the list is made from."
    movie_ids: IntArray
    values: FloatArray
    "Predicted ratings in stars."
    is_folded_in: bool
    "Whether the user's ratings differ from those that the version was trained on."

    @classmethod
    def empty(cls, user: UserRatings) -> "ScoredList":
        """Return a list without movies."""
        return cls(user.user_id, user.rating_generation, np.empty(0, np.int64), np.empty(0), True)


def read_user_ratings(user_ids: Sequence[int]) -> list[UserRatings]:
    """Return ratings and unwanted movies of these users, ascending by id; users that do not exist are left out.

    Generations are read before the ratings: a rating in between makes a list look stale, never fresh.
    """
    users = read_table(GENERATIONS, ids=user_ids)
    ratings, unwanted = read_table(RATINGS, ids=user_ids), read_table(UNWANTED, ids=user_ids)
    ratings[:, 3] = count_newer(ratings[:, 0], ratings[:, 3])
    return [
        UserRatings(
            user_id=int(user_id),
            rating_generation=int(generation),
            movie_ids=rated[:, 1].astype(np.int64),
            values=rated[:, 2],
            newer=rated[:, 3].astype(np.int64),
            unwanted=dismissed[:, 1].astype(np.int64),
        )
        for (user_id, generation), rated, dismissed in zip(
            users, split_by_owner(ratings, users[:, 0]), split_by_owner(unwanted, users[:, 0]), strict=True
        )
    ]


def require_user_ratings(user_id: int) -> UserRatings:
    """Return the ratings of this user, or raise UserNotFound."""
    users = read_user_ratings([user_id])
    if not users:
        raise UserNotFound
    return users[0]


def split_by_owner(table: FloatArray, owners: FloatArray) -> list[FloatArray]:
    """Return each owner's rows of a table that is sorted by its first column, which names the owner."""
    starts, ends = (np.searchsorted(table[:, 0], owners, side=side) for side in ("left", "right"))
    return [table[start:end] for start, end in zip(starts, ends, strict=True)]


def user_vectors(version: LoadedVersion, users: Sequence[UserRatings]) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return b_u, shape (n,), p_u, shape (n, n_factors), and whether they are folded in, shape (n,), of these users.

    A user with the ratings of the training has the trained vectors, so that values equal Surprise's. All others are
    folded in from their ratings.
    """
    model = version.opened.model
    user_ids = np.array([user.user_id for user in users], dtype=np.int64)
    generations = np.array([user.rating_generation for user in users], dtype=np.int64)
    bu, pu = model.user_parameters(user_ids)
    is_folded_in = version.opened.trained_generations(user_ids) != generations
    regularization = version.opened.manifest["parameters"]["regularization"] if is_folded_in.any() else 0.0
    for place in np.flatnonzero(is_folded_in).tolist():
        bu[place], pu[place] = model.fold_in(users[place].movie_ids, users[place].values, regularization)
    return bu, pu, is_folded_in


def make_scored_lists(
    version: LoadedVersion,
    candidates: Candidates,
    users: Sequence[UserRatings],
    n: int,
    allowed: BoolArray | None = None,
    threads: int | None = None,
) -> list[ScoredList]:
    """Return the list of the `n` best movies of each user, in the order of `users`; see `ml.candidates.best_movies`.

    `threads` (None: one for each core) should be smaller where several workers share a machine.
    """
    threads = threads or count_cores()
    most = min(MOST_PART_USERS, PART_BYTES // (4 * max(1, len(candidates.movies))))
    size = max(min(-(-len(users) // threads), most), FEWEST_PART_USERS)
    parts = [users[start : start + size] for start in range(0, len(users), size)]
    # BLAS would start its own threads in each of ours; for a single user they cost more than they save.
    with find_blas().limit(limits=1, user_api="blas"):
        if len(parts) == 1:
            return score_part(version, candidates, users, n, allowed)
        with ThreadPoolExecutor(threads) as pool:
            scored = pool.map(lambda part: score_part(version, candidates, part, n, allowed), parts)
            return [each for part in scored for each in part]


@cache
def find_blas() -> ThreadpoolController:
    """Return the loaded libraries that have threads; finding them takes as long as scoring some users."""
    return ThreadpoolController()


def score_part(
    version: LoadedVersion, candidates: Candidates, users: Sequence[UserRatings], n: int, allowed: BoolArray | None
) -> list[ScoredList]:
    """Return `make_scored_lists` of the users that one thread scores at a time."""
    bu, pu, is_folded_in = user_vectors(version, users)
    block = UserBlock(
        bu=bu,
        pu=pu,
        rated=[user.movie_ids for user in users],
        values=[user.values for user in users],
        newer=[user.newer for user in users],
        unwanted=[user.unwanted for user in users],
    )
    opened = version.opened
    movie_ids, stars, lengths = best_movies(opened.model, opened.ranker, candidates, block, n, allowed)
    # This loop holds Python's lock, which stops the other threads, so it computes nothing.
    return [
        ScoredList(user.user_id, user.rating_generation, ids[:length], predicted[:length], is_new)
        for user, ids, predicted, length, is_new in zip(
            users, movie_ids, stars, lengths.tolist(), is_folded_in.tolist(), strict=True
        )
    ]
