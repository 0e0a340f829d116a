"""The ranker: EASE against the formula of its paper, the cut to the strongest weights, and exact shares."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from recsite.ml.descent import NotFinite
from recsite.ml.ease import ease_weights, fit_ranker, keep_strongest
from recsite.ml.ranker import Ranker, RankerParameters
from recsite.ml.rating_weights import RatingWeights
from recsite.ml.ratings import Ratings

PARAMETERS = RankerParameters(
    regularization=2.0, fewest_ratings=1, most_movies=100, weights=10_000, popularity_damping=0.0
)
"Nothing is cut and nothing damped."
MOVIES = np.array([13, 278, 550, 680, 862])
VALUES = np.array(
    [  # 13   278  550  680  862     0 = not rated
        [0.0, 4.5, 5.0, 5.0, 1.5],
        [4.0, 0.0, 4.5, 0.0, 4.0],
        [0.5, 5.0, 4.0, 4.5, 0.0],
        [3.0, 3.5, 0.0, 0.0, 5.0],
        [0.0, 2.0, 0.0, 4.0, 0.0],
        [5.0, 0.0, 2.5, 0.0, 4.5],
    ]
)
"Six people's stars, a row each."
DISLIKES = replace(PARAMETERS, lowest_weight=-0.3, recency_exponent=0.25)
"What is disliked speaks against its neighbours, and what is newer counts more."


def equally_old(values: Sequence[NDArray[np.float64]]) -> list[NDArray[np.int64]]:
    """Return the numbers of newer ratings of users who gave all ratings at one moment."""
    return [np.zeros(len(each), dtype=np.int64) for each in values]


def ratings_of(values: NDArray[np.float64] = VALUES) -> Ratings:
    """Return the table as ratings of the users 1, 2, 3 and so on."""
    u, i = np.nonzero(values)
    return Ratings.from_arrays(u + 1, MOVIES[i], values[u, i])


def textbook(values: NDArray[np.float64] = VALUES, parameters: RankerParameters = PARAMETERS) -> NDArray[np.float64]:
    """Return B of Steck (2019): P = (XᵀX + λI)⁻¹, B = I − P · diagMat(1 ⊘ diag(P)), by NumPy's own inverse."""
    x = np.where(values > 0, parameters.rating_weights.of_stars(values), 0.0)
    p = np.linalg.inv(x.T @ x + PARAMETERS.regularization * np.eye(x.shape[1]))
    return np.eye(len(p)) - p / np.diag(p)


def dense(ranker: Ranker) -> NDArray[np.float64]:
    """Return all weights of the ranker as one matrix, with the means in place of the weights that were cut."""
    n = len(ranker.movies)
    kept = sparse.csr_matrix((ranker.weights, ranker.targets, ranker.starts), shape=(n, n))
    weights: NDArray[np.float64] = kept.toarray() + ranker.rest
    return weights


def test_the_weights_are_those_of_the_textbook_with_dislikes_and_age_leaves_them_alone() -> None:
    ranker = fit_ranker(ratings_of(), DISLIKES)

    assert dense(ranker) == pytest.approx(textbook(parameters=DISLIKES), abs=1e-6)
    assert ranker.rating_weights == RatingWeights(2.5, -0.3, 0.25)


def test_a_share_of_the_diagonal_is_added_to_the_regularization_of_each_movie() -> None:
    ranker = fit_ranker(ratings_of(), replace(PARAMETERS, diagonal=0.5))

    x = np.where(VALUES > 0, PARAMETERS.rating_weights.of_stars(VALUES), 0.0)
    gram = x.T @ x
    p = np.linalg.inv(gram + np.diag(PARAMETERS.regularization + 0.5 * np.diag(gram)))
    assert dense(ranker) == pytest.approx(np.eye(len(p)) - p / np.diag(p), abs=1e-6)


def test_the_scores_are_the_weights_of_the_query_times_those_of_the_textbook() -> None:
    ranker = fit_ranker(ratings_of(), DISLIKES)
    newer = np.array([3, 0, 1, 2])

    (scores,) = ranker.scores([MOVIES[:4]], [np.array([5.0, 0.5, 4.0, 2.5])], [newer])

    q = np.array([1 / 4**0.25, -0.3, 0.6 / 2**0.25, 0.0, 0.0])
    assert scores == pytest.approx(q @ textbook(parameters=DISLIKES), abs=1e-6)


def test_the_weights_are_those_of_the_textbook() -> None:
    ranker = fit_ranker(ratings_of(), PARAMETERS)

    assert ranker.movies.ids.tolist() == MOVIES.tolist()
    assert dense(ranker) == pytest.approx(textbook(), abs=1e-6)
    assert (ranker.rest == 0).all()


def test_a_gram_matrix_that_is_not_positive_definite_is_an_error() -> None:
    with pytest.raises(NotFinite, match="no inverse"):
        ease_weights(np.array([[1.0, 2.0], [2.0, 1.0]]), 0.0, 0.0)


def test_no_movie_speaks_for_itself() -> None:
    assert (np.diag(dense(fit_ranker(ratings_of(), PARAMETERS))) == 0).all()


def test_the_scores_are_the_weighted_ratings_times_the_weights() -> None:
    ranker = fit_ranker(ratings_of(), PARAMETERS)

    stars = [row[row > 0] for row in VALUES]
    scores = ranker.scores([MOVIES[row > 0] for row in VALUES], stars, equally_old(stars))

    x = np.where(VALUES > 0, PARAMETERS.rating_weights.of_stars(VALUES), 0.0)
    assert scores == pytest.approx(x @ textbook(), abs=1e-6)


def test_a_hundred_users_at_once_score_as_each_alone() -> None:
    rng = np.random.default_rng(3)
    ranker = fit_ranker(ratings_of(), replace(DISLIKES, weights=10))
    movie_ids = [rng.permutation(MOVIES)[: rng.integers(0, 6)] for _ in range(100)]
    values = [rng.integers(1, 11, len(rated)) / 2 for rated in movie_ids]
    newer = [rng.permutation(len(rated)) for rated in movie_ids]

    together = ranker.scores(movie_ids, values, newer)

    for user, (rated, given, ages) in enumerate(zip(movie_ids, values, newer, strict=True)):
        (alone,) = ranker.scores([rated], [given], [ages])
        assert together[user] == pytest.approx(alone, abs=1e-7)


def test_the_cut_keeps_the_strongest_weights_and_the_mean_of_the_others() -> None:
    b, counts = textbook(), np.array([1, 2, 5, 10, 1000])

    ranker = keep_strongest(b.copy(), MOVIES, counts, neighbours=2)

    cut = dense(ranker)
    for column in range(len(MOVIES)):
        order = np.argsort(-np.abs(b[:, column]) * np.sqrt(np.sqrt(counts)))
        kept, others = order[:2], order[2:]
        mean = np.average(b[others, column], weights=counts[others])
        assert cut[kept, column] == pytest.approx(b[kept, column], abs=1e-6)
        assert cut[others, column] == pytest.approx(np.full(3, mean), abs=1e-6)


def test_the_cut_keeps_as_many_weights_as_were_asked_for() -> None:
    ranker = fit_ranker(ratings_of(), replace(PARAMETERS, weights=10))

    assert len(ranker.weights) == len(ranker.targets) == ranker.starts[-1] == 10


def test_damping_divides_the_weights_toward_what_many_rated() -> None:
    ranker = fit_ranker(ratings_of(), replace(PARAMETERS, popularity_damping=0.5))

    assert dense(ranker) == pytest.approx(textbook() / np.sqrt((VALUES > 0).sum(axis=0)), abs=1e-6)


def test_the_shares_of_a_movie_sum_to_its_score() -> None:
    ranker = fit_ranker(ratings_of(), replace(DISLIKES, weights=10))
    rated, values, newer = np.array([862, 278, 550]), np.array([4.0, 0.5, 5.0]), np.array([2, 0, 1])

    shares = ranker.shares(rated, values, newer, MOVIES)

    assert shares.shape == (3, 5)
    assert shares.sum(axis=0) == pytest.approx(ranker.scores([rated], [values], [newer])[0], abs=1e-6)


def test_movies_that_the_ranker_does_not_cover_are_ignored() -> None:
    ranker = fit_ranker(ratings_of(), PARAMETERS)
    known = ranker.scores([np.array([550])], [np.array([4.0])], [np.array([0])])

    with_another = ranker.scores([np.array([7, 550, 9999])], [np.array([5.0, 4.0, 5.0])], [np.zeros(3, np.int64)])
    shares = ranker.shares(np.array([7, 550]), np.array([5.0, 4.0]), np.array([0, 0]), np.array([9999, 278]))

    assert (with_another == known).all()
    assert shares[0].tolist() == [0, 0]
    assert shares[:, 0].tolist() == [0, 0]
    assert shares[1, 1] == pytest.approx(known[0, 1], abs=1e-7)


def test_a_user_who_rated_no_covered_movie_scores_zero() -> None:
    ranker = fit_ranker(ratings_of(), replace(PARAMETERS, weights=10))
    nothing = np.empty(0)

    values = [nothing, np.array([5.0])]
    scores = ranker.scores([nothing.astype(np.int64), np.array([7])], values, equally_old(values))

    assert scores.tolist() == [[0] * 5] * 2


def test_only_movies_with_enough_ratings_are_covered_and_the_most_rated_of_them() -> None:
    enough = fit_ranker(ratings_of(), replace(PARAMETERS, fewest_ratings=4))
    two = fit_ranker(ratings_of(), replace(PARAMETERS, most_movies=2))

    assert (VALUES > 0).sum(axis=0).tolist() == [4, 4, 4, 3, 4]
    assert enough.movies.ids.tolist() == [13, 278, 550, 862]
    assert two.movies.ids.tolist() == [13, 278]  # of equally rated ones the lower ids


def test_without_a_movie_of_enough_ratings_the_ranker_covers_none() -> None:
    ranker = fit_ranker(ratings_of(), replace(PARAMETERS, fewest_ratings=7))

    assert ranker.movies.ids.tolist() == []
    assert ranker.scores([MOVIES], [np.full(5, 4.0)], [np.arange(5)]).shape == (1, 0)
    assert ranker.shares(MOVIES, np.full(5, 4.0), np.arange(5), MOVIES).tolist() == [[0] * 5] * 5
    assert ranker.similar(550, 3).tolist() == []


def test_the_same_ratings_give_the_same_arrays() -> None:
    cut = replace(PARAMETERS, weights=10)
    first, second = (fit_ranker(ratings_of(), cut).as_arrays() for _ in range(2))

    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_the_arrays_make_the_same_ranker() -> None:
    ranker = fit_ranker(ratings_of(), replace(PARAMETERS, weights=10))

    again = Ranker.from_arrays(ranker.as_arrays(), ranker.rating_weights)

    assert (dense(again) == dense(ranker)).all()
    assert again.movies.ids.tolist() == ranker.movies.ids.tolist()


def test_similar_movies_are_those_of_the_largest_positive_weights() -> None:
    ranker = fit_ranker(ratings_of(), PARAMETERS)

    similar = ranker.similar(278, 10).tolist()

    row = textbook()[1]
    wanted = [int(MOVIES[i]) for i in np.argsort(-row) if row[i] > 0]
    assert similar == wanted
    assert similar
    assert ranker.similar(278, 1).tolist() == wanted[:1]


def test_nothing_is_similar_to_a_movie_that_the_ranker_does_not_cover() -> None:
    assert fit_ranker(ratings_of(), PARAMETERS).similar(9999, 3).tolist() == []


def test_the_mean_scores_of_all_users_are_added_and_shares_still_sum_to_the_score() -> None:
    ranker = fit_ranker(ratings_of(), replace(DISLIKES, newcomers=2.0))
    b = textbook(parameters=DISLIKES)
    x = np.where(VALUES > 0, DISLIKES.rating_weights.of_stars(VALUES), 0.0)
    mean = x.mean(axis=0) @ b
    newer = np.array([1, 0])
    for rated, values in ((np.array([13, 680]), np.array([4.0, 2.0])), (np.array([13, 9999]), np.array([4.0, 2.0]))):
        # A movie that is not covered counts for nothing, in the number of ratings too.
        n = np.isin(rated, MOVIES).sum()
        q = DISLIKES.rating_weights.of_query(values, newer)
        own = sum(q[k] * b[MOVIES.tolist().index(movie)] for k, movie in enumerate(rated) if movie in MOVIES)

        (scores,) = ranker.scores([rated], [values], [newer])

        assert scores == pytest.approx(own + 8 * mean / n**3, abs=1e-6)
        assert ranker.shares(rated, values, newer, MOVIES).sum(axis=0) == pytest.approx(scores, abs=1e-6)
    nothing = np.array([], dtype=np.int64)
    assert not ranker.scores([nothing], [nothing.astype(np.float64)], [nothing]).any()


def test_a_version_without_a_prior_adds_nothing() -> None:
    ranker = fit_ranker(ratings_of(), replace(DISLIKES, newcomers=2.0))
    arrays = {name: array for name, array in ranker.as_arrays().items() if name != "ranker_prior"}
    old = Ranker.from_arrays(arrays, ranker.rating_weights)
    plain = fit_ranker(ratings_of(), DISLIKES)
    given = [np.array([13])], [np.array([4.0])], [np.array([0])]
    assert old.scores(*given) == pytest.approx(plain.scores(*given), abs=1e-6)
