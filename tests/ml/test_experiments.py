"""Ranking quality: figures computed by hand, splits that do not leak, and the order of each scorer."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from recsite.ml.descent import Parameters
from recsite.ml.experiments import (
    Histories,
    RankingQuality,
    Scorer,
    ease_scorer,
    last_fifth,
    measure_ranking,
    popularity_scorer,
    take_users,
    value_scorer,
)
from recsite.ml.fit import fit
from recsite.ml.ranker import RankerParameters
from recsite.ml.rating import RatingModel
from recsite.ml.ratings import Ratings
from recsite.ml.vocabulary import Vocabulary
from recsite.versions.evaluation import make_splits

MOVIES = np.arange(1, 21)
VOCABULARY = Vocabulary(MOVIES)


def ratings_of(*rows: tuple[int, int, float]) -> Ratings:
    """Return ratings from rows of user, movie and stars."""
    users, movies, values = zip(*rows, strict=True)
    return Ratings.from_arrays(np.array(users), np.array(movies), np.array(values, dtype=np.float64))


def without_ratings(user_ids: NDArray[np.int64]) -> Histories:
    """Return users whose ratings a scorer does not read."""
    return Histories(user_ids, [], [], [])


def lists_of(**best: tuple[int, ...]) -> Scorer:
    """Return a scorer that puts these movies first, in this order, for the users u1, u2, …; the others follow by id."""

    def score(some: Histories) -> NDArray[np.float32]:
        scores = np.tile(-MOVIES.astype(np.float32), (len(some.user_ids), 1))
        for row, user_id in enumerate(some.user_ids.tolist()):
            for place, movie_id in enumerate(best.get(f"u{user_id}", ())):
                scores[row, movie_id - 1] = 100 - place
        return scores

    return score


def quality(train: Ratings, held_out: Ratings, scorer: Scorer) -> RankingQuality:
    return measure_ranking(train, held_out, VOCABULARY, scorer)


def test_ndcg_counts_a_hit_by_its_place() -> None:
    train = ratings_of((1, 20, 5.0))
    held_out = ratings_of((1, 7, 5.0), (1, 9, 4.0), (1, 8, 3.5))  # 3.5 stars are no hit

    found = quality(train, held_out, lists_of(u1=(8, 7, 6, 9)))

    best = 1 / math.log2(2) + 1 / math.log2(3)
    assert found.ndcg_at_10 == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / best)
    assert found.recall_at_10 == 1.0


def test_a_list_with_all_hits_first_has_an_ndcg_of_one() -> None:
    found = quality(ratings_of((1, 20, 5.0)), ratings_of((1, 7, 5.0), (1, 9, 4.0)), lists_of(u1=(9, 7)))

    assert (found.ndcg_at_10, found.recall_at_10) == pytest.approx((1.0, 1.0))


def test_a_hit_at_the_eleventh_place_is_none() -> None:
    held_out = ratings_of((1, 11, 5.0), (1, 2, 5.0))  # the list is 1, 2, …, 10

    found = quality(ratings_of((1, 20, 5.0)), held_out, lists_of())

    assert found.recall_at_10 == 0.5


def test_recall_is_over_ten_where_more_than_ten_could_be_hit() -> None:
    held_out = ratings_of(*((1, movie_id, 5.0) for movie_id in range(6, 18)))  # twelve; the list is 1, 2, …, 10

    assert quality(ratings_of((1, 20, 5.0)), held_out, lists_of()).recall_at_10 == 5 / 10


def test_the_mean_is_over_users_with_something_to_hit() -> None:
    train = ratings_of((1, 20, 5.0), (2, 20, 5.0), (3, 20, 5.0))
    held_out = ratings_of((1, 1, 5.0), (2, 19, 5.0), (3, 1, 2.0))  # a hit, a miss, and nothing relevant

    found = quality(train, held_out, lists_of())

    assert (found.ndcg_at_10, found.recall_at_10) == (0.5, 0.5)


def test_a_list_never_shows_what_was_trained_on() -> None:
    train = ratings_of((1, 1, 5.0), (1, 2, 5.0))

    found = quality(train, ratings_of((1, 3, 5.0)), lists_of(u1=(1, 2, 3)))

    assert found.ndcg_at_10 == 1.0  # movie 3 has moved to the first place


def test_overlap_and_distinct_movies_are_those_of_the_lists() -> None:
    train = ratings_of((1, 20, 5.0), (2, 20, 5.0))
    lists = lists_of(u2=(5, 11, 12, 13, 14, 15, 16, 17, 18, 19))  # user 1 gets 1, 2, …, 10

    found = quality(train, ratings_of((1, 1, 5.0)), lists)

    assert (found.distinct_movies, found.mean_overlap) == pytest.approx((19, 1 / 10))


def test_the_same_list_for_all_overlaps_wholly() -> None:
    train = ratings_of((1, 20, 5.0), (2, 20, 5.0), (3, 20, 5.0))

    assert quality(train, ratings_of((1, 1, 5.0)), lists_of()).mean_overlap == 1.0


def test_the_lift_is_the_popularity_of_lists_over_that_of_histories() -> None:
    # Movie 1 has three ratings and 2 has one: a rated movie has (3·3 + 1·1) / 4 = 2.5 of them on average.
    train = ratings_of((1, 1, 5.0), (2, 1, 5.0), (3, 1, 5.0), (3, 2, 5.0))
    movies = Vocabulary(np.array([1, 2, 3]))

    found = measure_ranking(train, ratings_of((1, 2, 5.0)), movies, lambda *_: np.zeros((3, 3), np.float32))

    # The users 1 and 2 see the movies 2 and 3, user 3 sees 3: (1 + 0 + 1 + 0 + 0) / 5.
    assert found.popularity_lift == pytest.approx(0.4 / 2.5)


def test_empty_lists_have_no_lift_and_no_hits() -> None:
    def score(some: Histories) -> NDArray[np.float32]:
        return np.full((len(some.user_ids), len(MOVIES)), -np.inf, dtype=np.float32)

    found = quality(ratings_of((1, 20, 5.0)), ratings_of((1, 7, 5.0)), score)

    reasons = {"mean_overlap": "fewer than two users have a list", "popularity_lift": "no list shows a movie"}
    assert found == RankingQuality(0.0, 0.0, 0.0, 1, 0, None, None, reasons)


def test_the_interval_of_ndcg_comes_from_its_spread_over_the_users() -> None:
    train, held_out = ratings_of((1, 20, 5.0), (2, 20, 5.0)), ratings_of((1, 7, 5.0), (2, 19, 5.0))

    found = quality(train, held_out, lists_of(u1=(7,), u2=(9, 10)))

    # One list is perfect and the other one empty: the mean is 0.5, its standard error 0.5 / √2.
    assert found.ndcg_at_10 == pytest.approx(0.5)
    assert found.ndcg_margin == pytest.approx(1.96 * 0.5 / np.sqrt(2))
    assert found.users == 2


def test_of_many_users_some_are_taken_evenly() -> None:
    ratings = ratings_of(*((user, movie, 4.0) for user in range(10, 31) for movie in (1, 2)))

    assert np.unique(take_users(ratings, 5).user_ids).tolist() == [10, 15, 20, 25, 30]
    assert len(take_users(ratings, 5)) == 10
    assert take_users(ratings, 21) is ratings


def test_without_a_held_out_rating_of_four_stars_no_list_can_be_judged() -> None:
    found = quality(ratings_of((1, 20, 5.0)), ratings_of((1, 1, 3.5)), lists_of())

    assert (found.ndcg_at_10, found.recall_at_10, found.distinct_movies) == (None, None, 10)
    assert found.reasons["ndcg_at_10"] == "no held-out rating has 4 stars or more, so no list can be judged"


def test_the_split_by_time_holds_out_the_last_fifth_of_each_user() -> None:
    ratings = ratings_of(*((1, movie_id, 4.0) for movie_id in range(1, 11)), *((2, i, 4.0) for i in range(1, 6)))
    timestamps = np.array([5, 4, 3, 2, 1, 10, 9, 8, 7, 6, 100, 500, 400, 300, 200])

    held_out = last_fifth(ratings.user_ids, timestamps)

    pairs = zip(ratings.user_ids[held_out].tolist(), ratings.movie_ids[held_out].tolist(), strict=True)
    assert sorted(pairs) == [(1, 6), (1, 7), (2, 2)]


@pytest.mark.parametrize(("count", "held_out"), ((1, 0), (2, 0), (3, 1), (5, 1), (8, 2), (10, 2)))
def test_a_fifth_is_rounded(count: int, held_out: int) -> None:
    ratings = ratings_of(*((1, movie_id, 4.0) for movie_id in range(1, count + 1)))

    assert last_fifth(ratings.user_ids, np.arange(count)).sum() == held_out


def test_the_random_split_is_a_fifth_of_each_user_and_follows_from_the_seed() -> None:
    ratings = ratings_of(*((user, movie, 4.0) for user in (1, 2, 3) for movie in range(1, 21)))

    first, again, other = (make_splits(ratings, seed)["random"] for seed in (7, 7, 8))

    assert np.bincount(ratings.user_ids[first]).tolist() == [0, 4, 4, 4]
    assert (first == again).all()
    assert (first != other).any()


def test_the_parts_of_a_split_are_all_ratings_in_their_order() -> None:
    ratings = ratings_of((1, 1, 1.0), (1, 2, 2.0), (2, 1, 3.0))
    held_out = np.array([False, True, False])

    assert ratings.select(held_out).movie_ids.tolist() == [2]
    assert ratings.select(~held_out).values.tolist() == [1.0, 3.0]


def test_popularity_gives_everybody_the_most_rated_movies() -> None:
    train = ratings_of((1, 1, 5.0), (2, 1, 1.0), (1, 3, 5.0))

    scores = popularity_scorer(train, Vocabulary(np.array([1, 2, 3])))(without_ratings(np.array([1, 2])))

    assert scores.tolist() == [[2, 0, 1]] * 2


def test_value_orders_as_the_predicted_ratings_do() -> None:
    rng = np.random.default_rng(5)
    train = ratings_of(*((u, i, float(rng.integers(1, 11)) / 2) for u in range(1, 9) for i in range(1, 7)))
    parameters = Parameters(
        factors=3,
        epochs=5,
        learning_rate=0.02,
        final_learning_rate=0.02,
        regularization=0.1,
        movie_regularization=0.1,
        seed=1,
    )
    users, movies = np.arange(1, 9), np.arange(1, 7)

    scores = value_scorer(train, Vocabulary(movies), parameters)(without_ratings(users))

    predicted = RatingModel.from_surprise(fit(train, parameters)).score(users, movies)
    assert ((predicted > 0.5) & (predicted < 5)).all()  # nothing is clipped, so that the orders are one
    assert (scores.argsort(axis=1) == predicted.argsort(axis=1)).all()


def test_ease_scores_what_it_covers_and_leaves_the_rest_out() -> None:
    train = ratings_of(*((u, i, 5.0) for u in (1, 2, 3) for i in (1, 2)), (3, 3, 5.0))
    parameters = RankerParameters(
        regularization=1.0, fewest_ratings=2, most_movies=10, weights=100, popularity_damping=0.0
    )

    score = ease_scorer(train, Vocabulary(np.array([1, 2, 3])), parameters)
    scores = score(Histories(np.array([9]), [np.array([1])], [np.array([5.0])], [np.array([0])]))

    assert scores[0, 2] == -np.inf
    assert scores[0, 1] > scores[0, 0]  # a rating of movie 1 speaks for movie 2


def test_a_scorer_gets_the_number_of_newer_ratings_of_each_user() -> None:
    users, movies, at = np.array([1, 1, 1, 2, 2]), np.array([1, 2, 3, 1, 2]), np.array([30, 10, 30, 7, 8])
    train = Ratings.from_arrays(users, movies, np.full(5, 4.0), at)
    seen: list[list[int]] = []

    def score(some: Histories) -> NDArray[np.float32]:
        seen.extend(each.tolist() for each in some.newer)
        return np.zeros((2, len(MOVIES)), dtype=np.float32)

    measure_ranking(train, ratings_of((1, 7, 5.0)), VOCABULARY, score)

    assert seen == [[0, 2, 0], [1, 0]]
