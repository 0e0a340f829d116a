"""Lists of a large catalogue, scored in blocks on threads, against lists that are sorted one by one."""

import numpy as np
import pytest

from recsite.ml.candidates import Candidates
from recsite.ml.files import OpenedVersion
from recsite.ml.ranker import Ranker
from recsite.ml.rating import RatingModel
from recsite.ml.vocabulary import FloatArray, IntArray, Vocabulary
from recsite.suggestions.ranking import UserRatings, make_scored_lists
from recsite.versions.active import LoadedVersion

USERS, MOVIES, FACTORS, N = 300, 4_000, 4, 100


def make_version() -> LoadedVersion:
    """Return a model with a handful of values, so that many movies tie, and a ranker of the last 1,000 movies."""
    rng = np.random.default_rng(5)
    model = RatingModel(
        mu=3.0,
        scale=(0.5, 5.0),
        users=Vocabulary(np.arange(1, USERS + 1)),
        movies=Vocabulary(np.arange(1, MOVIES + 1)),
        bu=np.zeros(USERS),
        bi=rng.integers(-2, 3, MOVIES) / 4,
        pu=rng.integers(-1, 2, (USERS, FACTORS)) / 2,
        qi=rng.integers(-1, 2, (MOVIES, FACTORS)) / 2,
    )
    covered = np.arange(3_001, MOVIES + 1)
    targets = rng.integers(0, 1_000, 20_000).astype(np.int32)
    weights = (rng.integers(-2, 3, 20_000) / 8).astype(np.float32)
    ranker = Ranker(Vocabulary(covered), np.arange(0, 20_001, 20), targets, weights, *np.zeros((2, 1_000), np.float32))
    return LoadedVersion(1, "made up", OpenedVersion(model, ranker, np.zeros(USERS, np.int64), {}))


def sorted_one_by_one(scores: FloatArray, columns: IntArray, left_out: set[int], movie_ids: IntArray) -> list[int]:
    """Return the ids of these columns' movies, the best first, ties to the earlier column."""
    ranked = [movie_ids[c] for c in columns[np.lexsort((columns, -scores))].tolist()]
    return [int(movie_id) for movie_id in ranked if movie_id not in left_out]


def make_people() -> list[UserRatings]:
    """Return everybody with 30 ratings of four stars each."""
    rng = np.random.default_rng(6)
    return [
        UserRatings(
            user_id=u,
            rating_generation=0,
            movie_ids=np.sort(rng.choice(MOVIES, 30, replace=False) + 1),
            values=np.full(30, 4.0),
            newer=np.zeros(30, dtype=np.int64),
            unwanted=rng.integers(1, 99, 5),
        )
        for u in range(1, USERS + 1)
    ]


@pytest.mark.parametrize("n_ranked", (0, 1_000))
def test_lists_scored_in_blocks_are_those_sorted_one_by_one(n_ranked: int) -> None:
    version, people = make_version(), make_people()
    model, ranker = version.opened.model, version.opened.ranker
    best_first = np.random.default_rng(7).permutation(model.movies.ids)
    candidates = Candidates.arrange(model, ranker.movies.ids[:n_ranked], best_first)

    found = make_scored_lists(version, candidates, people, N, threads=2)

    value = model.mu + candidates.bi + model.pu @ candidates.qi.T
    for u, (user, scored) in enumerate(zip(people, found, strict=True)):
        left_out = {*user.movie_ids.tolist(), *user.unwanted.tolist()}
        scores, columns = value[u], np.arange(MOVIES)
        if n_ranked:
            columns = candidates.ranker_columns
            scores = ranker.scores([user.movie_ids], [user.values], [user.newer])[0].astype(np.float64)
        expected = sorted_one_by_one(scores, columns, left_out, candidates.movies.ids)[:N]
        assert scored.movie_ids.tolist() == expected


@pytest.mark.parametrize("floor", (2.0, 3.0, 3.5, 4.75))
@pytest.mark.parametrize("n", (1, N, MOVIES))
def test_movies_under_the_floor_stand_behind_all_others(floor: float, n: int) -> None:
    version, people = make_version(), make_people()
    model, ranker = version.opened.model, version.opened.ranker
    best_first = np.random.default_rng(7).permutation(model.movies.ids)
    without = Candidates.arrange(model, ranker.movies.ids, best_first)
    candidates = Candidates.arrange(model, ranker.movies.ids, best_first, floor)

    found = make_scored_lists(version, candidates, people, n, threads=2)

    whole = make_scored_lists(version, without, people, MOVIES)
    for ordered, scored in zip(whole, found, strict=True):
        expected = ordered.movie_ids[np.argsort(ordered.values < floor, kind="stable")][:n]
        assert scored.movie_ids.tolist() == expected.tolist()
        by_movie = dict(zip(ordered.movie_ids.tolist(), ordered.values.tolist(), strict=True))
        assert scored.values.tolist() == [by_movie[movie_id] for movie_id in expected.tolist()]


def test_a_list_ordered_by_predicted_ratings_has_no_floor() -> None:
    version = make_version()
    model = version.opened.model

    assert Candidates.arrange(model, np.empty(0, dtype=np.int64), model.movies.ids, 3.0).floor == 0
