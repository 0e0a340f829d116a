"""How well lists rank: on ratings held out of the fit, beside what a list without any model would reach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsite.ml.fit import Parameters, Ratings, fit
from recsite.ml.ranker import RankerParameters, fit_ranker
from recsite.ml.rating import BoolArray, FloatArray, IntArray, RatingModel, rows_of
from recsite.ml.topn import top_n

LIST_LENGTH = 10
RELEVANT_FROM = 4.0
"A held-out rating of at least these stars is what a list should have shown."
HELD_OUT_SHARE = 0.2
BLOCK_USERS = 512

Scorer = Callable[[Sequence[IntArray], Sequence[FloatArray], IntArray], NDArray[np.float32]]
"From the rated movies and values of some users, and their ids: scores of shape (users, movies), by sorted movie id."


@dataclass(frozen=True)
class RankingQuality:
    """Lists of ten against the held-out ratings of four stars and more, the mean over users who have any."""

    ndcg_at_10: float
    "Järvelin & Kekäläinen (2002), binary gain, discount log2(place + 1); 1 = every place is a hit that could be one."
    recall_at_10: float
    "Hits over min(relevant, 10)."
    distinct_movies: int
    "In all lists together."
    mean_overlap: float
    "Of two users' lists, as a share of ten."
    popularity_lift: float
    "Mean number of ratings of the suggested movies over that of the movies in people's own histories."


def split_by_time(ratings: Ratings, timestamps: FloatArray) -> BoolArray:
    """Which ratings are held out: each user's last fifth. Shape (len(ratings),)."""
    return last_fifth(ratings.user_ids, timestamps)


def split_at_random(ratings: Ratings, seed: int) -> BoolArray:
    """Which ratings are held out: a random fifth of each user's. Shape (len(ratings),)."""
    return last_fifth(ratings.user_ids, np.random.default_rng(seed).random(len(ratings)))


def last_fifth(user_ids: IntArray, keys: FloatArray) -> BoolArray:
    """The fifth of each user's ratings with the largest keys, rounded."""
    order = np.lexsort((keys, user_ids))
    _, starts, counts = np.unique(user_ids[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, counts)
    held_out = np.zeros(len(order), dtype=np.bool_)
    held_out[order] = place >= np.repeat(counts - np.rint(HELD_OUT_SHARE * counts), counts)
    return held_out


def part(ratings: Ratings, chosen: BoolArray) -> Ratings:
    """Some of the ratings, in their order."""
    return Ratings(ratings.user_ids[chosen], ratings.movie_ids[chosen], ratings.values[chosen])


def popularity_scorer(train: Ratings, movie_ids: IntArray) -> Scorer:
    """Everybody gets what most people rated."""
    counts = np.bincount(rows_of(train.movie_ids, movie_ids), minlength=len(movie_ids)).astype(np.float32)
    return lambda rated, values, user_ids: np.tile(counts, (len(user_ids), 1))


def value_scorer(train: Ratings, movie_ids: IntArray, parameters: Parameters) -> Scorer:
    """The order of predicted ratings, before clipping."""
    model = RatingModel.from_surprise(fit(train, parameters))
    bi, qi = model.movies(movie_ids)
    return lambda rated, values, user_ids: (bi + model.users(user_ids)[1] @ qi.T).astype(np.float32)


def ease_scorer(train: Ratings, movie_ids: IntArray, parameters: RankerParameters) -> Scorer:
    """The order of the ranker; what it does not cover is left out, for it covers more than ten movies."""
    ranker = fit_ranker(train, parameters)
    columns = rows_of(ranker.movie_ids, movie_ids)

    def score(rated: Sequence[IntArray], values: Sequence[FloatArray], user_ids: IntArray) -> NDArray[np.float32]:
        scores = np.full((len(user_ids), len(movie_ids)), -np.inf, dtype=np.float32)
        scores[:, columns] = ranker.scores(list(rated), list(values))
        return scores

    return score


def ranking_quality(train: Ratings, held_out: Ratings, movie_ids: IntArray, scorer: Scorer) -> RankingQuality:
    """The quality of the lists that these scores make of what each user has not rated in `train`.

    `movie_ids`, sorted, are all movies that could be suggested. Raises ValueError when nobody has a relevant rating.
    """
    users, starts = np.unique(train.user_ids, return_index=True)
    ends = np.append(starts[1:], len(train))
    columns = rows_of(train.movie_ids, movie_ids)
    lists = np.full((len(users), LIST_LENGTH), -1)
    for start in range(0, len(users), BLOCK_USERS):
        block = range(start, min(start + BLOCK_USERS, len(users)))
        own = [slice(starts[u], ends[u]) for u in block]
        scores = scorer(
            [train.movie_ids[o] for o in own], [train.values[o] for o in own], users[block.start : block.stop]
        )
        for row, o in enumerate(own):
            scores[row, columns[o]] = -np.inf
        lists[block.start : block.stop] = top_n(scores, LIST_LENGTH)
    counts = np.bincount(columns, minlength=len(movie_ids))
    ndcg, recall = hits_of(lists, users, held_out, movie_ids)
    shown = np.bincount(lists[lists >= 0], minlength=len(movie_ids))
    pairs = len(users) * (len(users) - 1)
    return RankingQuality(
        ndcg_at_10=ndcg,
        recall_at_10=recall,
        distinct_movies=int(np.count_nonzero(shown)),
        # Every ordered pair of users that both got a movie shares it.
        mean_overlap=float((shown * (shown - 1)).sum() / (LIST_LENGTH * pairs)) if pairs else 0.0,
        popularity_lift=float((shown @ counts / shown.sum()) / (counts @ counts / counts.sum())),
    )


def hits_of(lists: IntArray, users: IntArray, held_out: Ratings, movie_ids: IntArray) -> tuple[float, float]:
    """NDCG and recall of these lists of columns, the mean over users with something relevant held out."""
    relevant = held_out.values >= RELEVANT_FROM
    row, column = rows_of(held_out.user_ids[relevant], users), rows_of(held_out.movie_ids[relevant], movie_ids)
    row, column = row[(row >= 0) & (column >= 0)], column[(row >= 0) & (column >= 0)]
    wanted = np.minimum(np.bincount(row, minlength=len(users)), LIST_LENGTH)
    if not wanted.any():
        raise ValueError(f"No held-out rating has {RELEVANT_FROM:g} stars or more, so no list can be judged.")
    # One number names a pair; a table of users × movies would not fit for a large site.
    places = np.arange(len(users))[:, None] * len(movie_ids) + lists
    hits = np.isin(places, row * len(movie_ids) + column) & (lists >= 0)
    discounts = 1 / np.log2(np.arange(2, LIST_LENGTH + 2))
    best = np.concatenate(([0], np.cumsum(discounts)))[wanted]
    judged = wanted > 0
    ndcg = (hits @ discounts)[judged] / best[judged]
    return float(ndcg.mean()), float((hits.sum(axis=1)[judged] / wanted[judged]).mean())
