"""One experiment on ranking: ratings are held out, lists are made from the others, and the hits are counted.

It knows splits, orders of movies and measures; `versions/evaluation.py` says which of them are run on a site.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsite.ml.descent import Parameters, fit_model
from recsite.ml.ease import fit_ranker
from recsite.ml.ranker import Ranker, RankerParameters
from recsite.ml.rating_weights import count_newer
from recsite.ml.ratings import NumberedRatings, Ratings
from recsite.ml.topn import top_n
from recsite.ml.vocabulary import BoolArray, FloatArray, IntArray, Vocabulary

LIST_LENGTH = 10
KEY_BITS = 36
"Width of a time in seconds, or of a random number, beside a user's number in 64 bits."
RELEVANT_FROM = 4.0
"Stars from which a held-out rating is relevant: a list should have shown the movie."
HELD_OUT_SHARE = 0.2
BLOCK_USERS = 512
MOST_JUDGED = 10_000
"Most users whose lists are judged; of a larger number, a sample is taken, evenly by id."
NORMAL_95 = 1.96
"Standard errors on each side of a mean that hold 95 % of a normal distribution."
NO_RELEVANT = f"no held-out rating has {RELEVANT_FROM:g} stars or more, so no list can be judged"
WHY_MISSING = {
    "ndcg_at_10": NO_RELEVANT,
    "ndcg_margin": NO_RELEVANT,
    "recall_at_10": NO_RELEVANT,
    "mean_overlap": "fewer than two users have a list",
    "popularity_lift": "no list shows a movie",
}
"Reasons of figures that are None."


@dataclass(frozen=True)
class Histories:
    """The ratings that lists of some users are made from, one entry of each field a user."""

    user_ids: IntArray
    movie_ids: Sequence[IntArray]
    values: Sequence[FloatArray]
    "In stars, in the order of `movie_ids`."
    newer: Sequence[IntArray]
    "How many of the user's ratings are newer than each, likewise."


Scorer = Callable[[Histories], NDArray[np.float32]]
"From some users' ratings to scores, shape (users, movies), in the order of a vocabulary."


@dataclass(frozen=True)
class RankingQuality:
    """Quality of lists of ten against held-out ratings; means are over users with relevant held-out ratings.

    A figure that these ratings do not define is None.
    """

    ndcg_at_10: float | None
    "NDCG with binary gain and discount log2(place + 1), 0 to 1 (K. Järvelin & J. Kekäläinen, ACM TOIS 20(4), 2002)."
    ndcg_margin: float | None
    "Half of the 95 % confidence interval of `ndcg_at_10`, from its spread over the users (normal approximation)."
    recall_at_10: float | None
    "Hits divided by min(relevant ratings, 10)."
    users: int
    "Number of users whose lists were made: all with ratings, or MOST_JUDGED of them."
    distinct_movies: int
    "Number of different movies in all lists together."
    mean_overlap: float | None
    "Mean share of ten that the lists of two users have in common."
    popularity_lift: float | None
    "Mean number of ratings of the listed movies, relative to that of the movies in the users' histories."
    reasons: dict[str, str]
    "The reason of each figure that is None, by its name."


def last_fifth(user_ids: NDArray[np.int32], keys: IntArray) -> BoolArray:
    """Return a mask of the fifth of each user's rows with the largest keys; the number of rows is rounded.

    Keys span less than 2³⁶; of equal ones the later row is the larger.
    """
    _, owners, counts = np.unique(user_ids, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    # One sort by one number takes a third of the time of `lexsort` by two.
    order = np.argsort((owners << KEY_BITS) + (keys - keys.min(initial=0)), kind="stable")
    place = np.arange(len(order)) - np.repeat(starts, counts)
    held_out = np.zeros(len(order), dtype=np.bool_)
    held_out[order] = place >= np.repeat(counts - np.rint(HELD_OUT_SHARE * counts), counts)
    return held_out


def popularity_scorer(train: Ratings, movies: Vocabulary) -> Scorer:
    """Return a scorer that gives everybody the most rated movies."""
    counts = np.bincount(movies.numbers(train.movie_ids), minlength=len(movies)).astype(np.float32)
    return lambda users: np.tile(counts, (len(users.user_ids), 1))


def value_scorer(train: Ratings, movies: Vocabulary, parameters: Parameters, threads: int | None = None) -> Scorer:
    """Return a scorer by predicted rating, before clipping."""
    model = fit_model(NumberedRatings.of(train), parameters, threads)
    bi, qi = model.movie_parameters(movies.ids)
    return lambda users: (bi + model.user_parameters(users.user_ids)[1] @ qi.T).astype(np.float32)


def ease_scorer(train: Ratings, movies: Vocabulary, parameters: RankerParameters, threads: int | None = None) -> Scorer:
    """Return a scorer by a ranker that is fitted first; see `ranker_scorer`."""
    return ranker_scorer(fit_ranker(train, parameters, threads), movies)


def ranker_scorer(ranker: Ranker, movies: Vocabulary) -> Scorer:
    """Return a scorer by the ranker. Movies that the ranker does not cover have the score -inf."""
    columns = movies.numbers(ranker.movies.ids)

    def score(users: Histories) -> NDArray[np.float32]:
        scores = np.full((len(users.user_ids), len(movies)), -np.inf, dtype=np.float32)
        scores[:, columns] = ranker.scores(users.movie_ids, users.values, users.newer)
        return scores

    return score


def measure_ranking(train: Ratings, held_out: Ratings, movies: Vocabulary, scorer: Scorer) -> RankingQuality:
    """Return the quality of the lists that the scorer makes of the movies which a user has not rated in `train`.

    `movies` are all movies that a list could show; `train` is sorted by user.
    """
    users, lists = make_lists(take_users(train, MOST_JUDGED), movies, scorer)
    ndcg, margin, recall = ndcg_and_recall(lists, users, held_out, movies)
    counts = np.bincount(movies.numbers(train.movie_ids), minlength=len(movies))
    shown = np.bincount(lists[lists >= 0], minlength=len(movies))
    pairs = len(users) * (len(users) - 1) if np.count_nonzero(lists[:, 0] >= 0) > 1 else 0
    figures = {
        "ndcg_at_10": ndcg,
        "ndcg_margin": margin,
        "recall_at_10": recall,
        # A movie in s lists is shared by s (s - 1) ordered pairs of users.
        "mean_overlap": float((shown * (shown - 1)).sum() / (LIST_LENGTH * pairs)) if pairs else None,
        "popularity_lift": float((shown @ counts / shown.sum()) / (counts @ counts / counts.sum()))
        if shown.any() and counts.any()
        else None,
    }
    reasons = {name: WHY_MISSING[name] for name, figure in figures.items() if figure is None}
    return RankingQuality(**figures, users=len(users), distinct_movies=int(np.count_nonzero(shown)), reasons=reasons)


def take_users(ratings: Ratings, n: int) -> Ratings:
    """Return the ratings of `n` users that stand evenly among all by id, or of all where there are no more."""
    user_ids = np.unique(ratings.user_ids)
    if len(user_ids) <= n:
        return ratings
    taken = user_ids[np.linspace(0, len(user_ids) - 1, n).astype(np.int64)]
    return ratings.select(np.isin(ratings.user_ids, taken))


def make_lists(
    train: Ratings, movies: Vocabulary, scorer: Scorer, length: int = LIST_LENGTH
) -> tuple[Vocabulary, IntArray]:
    """Return the users of `train`, and their lists of unrated movies as numbers of `movies`.

    The lists have the shape (users, length), the best movie first, with -1 behind the last movie.
    """
    user_ids, starts = np.unique(train.user_ids, return_index=True)
    ends = np.append(starts[1:], len(train))
    columns, newer = movies.numbers(train.movie_ids), count_newer(train.user_ids, train.timestamps)
    lists = np.full((len(user_ids), length), -1)
    for start in range(0, len(user_ids), BLOCK_USERS):
        block = range(start, min(start + BLOCK_USERS, len(user_ids)))
        own = [slice(starts[u], ends[u]) for u in block]
        histories = Histories(
            user_ids=user_ids[block.start : block.stop],
            movie_ids=[train.movie_ids[rows] for rows in own],
            values=[train.values[rows] for rows in own],
            newer=[newer[rows] for rows in own],
        )
        scores = scorer(histories)
        for row, rows in enumerate(own):
            scores[row, columns[rows]] = -np.inf
        lists[block.start : block.stop] = top_n(scores, length)
    return Vocabulary(user_ids), lists


def ndcg_and_recall(
    lists: IntArray, users: Vocabulary, held_out: Ratings, movies: Vocabulary
) -> tuple[float | None, float | None, float | None]:
    """Return NDCG, half of its 95 % interval, and recall of the lists of `make_lists`.

    They are means over users with relevant held-out ratings, None without such a user.
    """
    relevant = held_out.select(held_out.values >= RELEVANT_FROM)
    u = users.numbers(relevant.user_ids, missing="negative")
    i = movies.numbers(relevant.movie_ids, missing="negative")
    is_known = (u >= 0) & (i >= 0)
    u, i = u[is_known], i[is_known]
    n_relevant = np.minimum(np.bincount(u, minlength=len(users)), LIST_LENGTH)
    if not n_relevant.any():
        return None, None, None
    # One number names a pair; a table of users × movies would not fit into memory on a large site.
    pairs = np.arange(len(users))[:, None] * len(movies) + lists
    hits = np.isin(pairs, u * len(movies) + i) & (lists >= 0)
    discounts = 1 / np.log2(np.arange(2, LIST_LENGTH + 2))
    best = np.concatenate(([0], np.cumsum(discounts)))[n_relevant]
    judged = n_relevant > 0
    ndcg = (hits @ discounts)[judged] / best[judged]
    margin = NORMAL_95 * ndcg.std() / np.sqrt(len(ndcg))
    return float(ndcg.mean()), float(margin), float((hits.sum(axis=1)[judged] / n_relevant[judged]).mean())
