"""The search for better settings of the ranker: it improves, it can be stopped, and it prints an environment."""

from dataclasses import replace

import numpy as np
import pytest
from flask import Flask

from recsite.config import SETTINGS
from recsite.errors import NotEnoughRatings
from recsite.jobs import demo
from recsite.ml.ranker import RankerParameters
from recsite.ml.ratings import Ratings
from recsite.ratings.importers import sample
from recsite.versions import training, tuning
from tests.conftest import World
from tests.web.clients import Runner

POOR = RankerParameters(
    regularization=1e5, fewest_ratings=5, most_movies=100, weights=10_000, popularity_damping=2.0, recency_exponent=2.0
)


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    """The simulated ratings of the first 80 users of the sample, by user and movie."""
    rows = np.array([(u, i, value, at.timestamp()) for u, i, value, at in sample.simulated_ratings(1, users=80)])
    return Ratings.from_arrays(*rows[np.lexsort((rows[:, 1], rows[:, 0]))].T)


def test_better_parameters_than_poor_ones_are_found_within_the_time(ratings: Ratings) -> None:
    seen: list[tuple[int, float]] = []

    found = tuning.tune(ratings, POOR, seed=1, seconds=1.0, on_trial=lambda *each: seen.append(each))

    assert found.tried == len(seen) >= 3
    assert found.inner["best"] == seen[-1][1] > found.inner["now"] == seen[0][1]
    assert found.inner["best"] == tuning.mean_ndcg(tuning.make_inner_splits(ratings), found.best)
    kept = {name: getattr(POOR, name) for name in ("fewest_ratings", "most_movies", "weights")}
    assert replace(found.best, **kept) == found.best
    assert {split: [*figures] for split, figures in found.outer.items()} == {
        "time": ["popularity", "now", "best"],
        "random": ["popularity", "now", "best"],
    }


def test_an_interrupted_search_gives_the_best_so_far(ratings: Ratings) -> None:
    def stop(tried: int, best: float) -> None:
        if tried == 3:
            raise KeyboardInterrupt

    found, again = (tuning.tune(ratings, POOR, seed=1, seconds=60, on_trial=stop) for _ in range(2))

    assert found.tried == 3
    assert (found.best, found.inner) == (again.best, again.inner)


def test_the_search_never_sees_the_latest_fifth(ratings: Ratings) -> None:
    for train, held_out in tuning.make_inner_splits(ratings):
        for user_id in (1, 40, 80):
            own = np.sort(ratings.timestamps[ratings.user_ids == user_id])
            latest = held_out.timestamps[held_out.user_ids == user_id].max()
            assert train.timestamps[train.user_ids == user_id].max() <= latest
            assert latest <= own[len(own) - int(np.rint(len(own) / 5)) - 1]


@pytest.mark.parametrize(
    ("few", "message"),
    (
        (Ratings.from_arrays(np.arange(99), np.arange(99), np.full(99, 5.0)), "There are 99 ratings"),
        (Ratings.from_arrays(np.arange(300), np.arange(300), np.full(300, 5.0)), "the same time"),
        (
            Ratings.from_arrays(np.arange(300) // 30, np.arange(300) % 30, np.full(300, 1.0), np.arange(300)),
            "no held-out rating has 4 stars",
        ),
    ),
)
def test_ratings_that_cannot_judge_are_named(few: Ratings, message: str) -> None:
    with pytest.raises(NotEnoughRatings, match=message):
        tuning.tune(few, POOR, seed=1, seconds=1)


def test_the_command_prints_lines_for_the_environment(app: Flask, runner: Runner) -> None:
    demo.load_sample(lambda done, total: None)

    result = runner.invoke(args=["tune", "--minutes", "0.0001", "--seed", "1"])

    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if not line.startswith("#")]
    names = [line.partition("=")[0] for line in lines]
    assert names == [training.ranker_setting(name) for name in tuning.TUNED]
    by_name = {setting.name: setting for setting in SETTINGS}
    for name, _, value in (line.partition("=") for line in lines):
        by_name[name].parse(name, value)
    assert "# On each user's latest fifth, which was not searched:" in result.stdout
    assert "tried, best NDCG@10" in result.stderr


def test_the_command_says_that_there_are_too_few_ratings(runner: Runner, world: World) -> None:
    result = runner.invoke(args=["tune", "--minutes", "0.1"])

    assert result.exit_code == 1
    assert "tuning takes at least 100" in result.output
