"""Diversity of lists: an order in which the movies differ more, and how alike the movies of a list are."""

from dataclasses import dataclass

import numpy as np

from recsite.ml.experiments import BLOCK_USERS, LIST_LENGTH, make_lists, ndcg_and_recall, ranker_scorer
from recsite.ml.ranker import Ranker
from recsite.ml.ratings import Ratings
from recsite.ml.vocabulary import FloatArray, IntArray, Vocabulary

POOL = 100
"Number of a list's first movies that diversity puts into another order; those behind them keep theirs."
MOST_USERS = 4 * BLOCK_USERS
"Users of an experiment; a list takes about a millisecond."


@dataclass(frozen=True)
class DiversityQuality:
    """Lists of ten made with this diversity, measured against held-out ratings."""

    diversity: float
    ndcg_at_10: float | None
    "As in RankingQuality."
    intra_list_similarity: float | None
    "Mean similarity of two movies of a list; None where no list has two movies that the ranker covers."


def diversify(similarities: FloatArray, diversity: float, n: int | None = None) -> IntArray:
    """Return the order of the first `n` (None: all) of some movies after trading relevance for novelty.

    `similarities` are those between the movies in the order of their ranks, shape (m, m); `diversity` is 0 (as ranked)
    to 1. The result has the shape (n,); ties go to the better rank.

    Maximal marginal relevance (J. Carbonell & J. Goldstein, "The Use of MMR, Diversity-Based Reranking", SIGIR 1998):
    the next movie i has the largest λ · rel(i) − (1 − λ) · max s(i, j) over the movies j taken before, with
    λ = 1 − diversity. Relevance falls evenly from 1 with the rank, because the scores of a ranker have no fixed scale.
    """
    m = len(similarities)
    relevance = (1 - diversity) * (1 - np.arange(m) / max(1, m))
    nearest = np.zeros(m)
    order = np.empty(m if n is None else min(n, m), dtype=np.int64)
    for place in range(len(order)):
        i = order[place] = (relevance - diversity * nearest).argmax()
        relevance[i] = -np.inf
        nearest = np.maximum(nearest, similarities[i])
    return order


def intra_list_similarity(similarities: FloatArray) -> float | None:
    """Return the mean similarity of two movies of a list, from those of all its movies; None for fewer than two.

    C.-N. Ziegler, S. McNee, J. Konstan & G. Lausen, "Improving Recommendation Lists Through Topic Diversification",
    WWW 2005.
    """
    pairs = np.triu_indices(len(similarities), 1)
    return float(similarities[pairs].mean()) if len(pairs[0]) else None


def measure_diversity(
    train: Ratings, held_out: Ratings, movies: Vocabulary, ranker: Ranker, diversities: tuple[float, ...]
) -> list[DiversityQuality]:
    """Return the quality of the ranker's lists with each diversity, of the first MOST_USERS users of `train`.

    `movies` are all movies that a list could show; `train` is sorted by user.
    """
    user_ids = np.unique(train.user_ids)[:MOST_USERS]
    some = train.select(np.isin(train.user_ids, user_ids))
    users, pools = make_lists(some, movies, ranker_scorer(ranker, movies), POOL)
    alike = [ranker.similarities(movies.ids[pool[pool >= 0]]) for pool in pools]
    found = []
    for diversity in diversities:
        orders = [diversify(each, diversity, LIST_LENGTH) for each in alike]
        lists = np.full((len(users), LIST_LENGTH), -1)
        for u, order in enumerate(orders):
            lists[u, : len(order)] = pools[u][order]
        ndcg, _, _ = ndcg_and_recall(lists, users, held_out, movies)
        within = [intra_list_similarity(each[np.ix_(order, order)]) for each, order in zip(alike, orders, strict=True)]
        figures = [each for each in within if each is not None]
        found.append(DiversityQuality(diversity, ndcg, float(np.mean(figures)) if figures else None))
    return found
