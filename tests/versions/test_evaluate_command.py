"""`flask evaluate`, and the quality of lists that is recorded with each version."""

import json
from typing import Any, Never

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import versions
from recsite.errors import NotEnoughRatings
from recsite.extensions import db
from recsite.ratings.importers import sample
from recsite.storage.tables import Movie, Rating, User
from recsite.suggestions.quality import comparison
from recsite.versions import evaluation, training
from tests.conftest import TrainedWorld
from tests.web.clients import Runner

SMALL = {"factors": 3, "epochs": 5, "folds": 2}


@pytest.fixture
def simulated(app: Flask) -> int:
    """Insert the ratings of thirty simulated users and return their number."""
    rows = sample.simulated_ratings(seed=1, users=30)
    db.session.add_all(Movie(id=film.movie_id, title=film.title) for film in sample.sample_movies())
    db.session.add_all(User(id=user_id, username=f"person{user_id}") for user_id in range(1, 31))
    db.session.flush()
    db.session.execute(
        sa.insert(Rating),
        [{"user_id": u, "movie_id": i, "value": value, "timestamp": at} for u, i, value, at in rows],
    )
    db.session.commit()
    return len(rows)


def test_too_few_ratings_cannot_be_evaluated(trained: TrainedWorld) -> None:
    set_up = training.set_up_from_settings(folds=2)
    _, ratings = training.read_ratings()

    with pytest.raises(NotEnoughRatings, match="There are 47 ratings; evaluating lists of 10 takes at least 100"):
        evaluation.evaluate(ratings, set_up.model, set_up.ranker, 2)


def test_the_command_says_that_there_are_too_few_ratings(runner: Runner, trained: TrainedWorld) -> None:
    result = runner.invoke(args=["evaluate"])

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: There are 47 ratings")


def refuse_constant(name: str) -> Never:
    """Fail: JSON has no NaN and no Infinity."""
    raise AssertionError(f"{name} is no JSON")


def test_the_command_prints_json_with_every_set_up(app: Flask, runner: Runner, simulated: int) -> None:
    app.config.update(TRAIN_FACTORS=3, TRAIN_EPOCHS=5)

    result = runner.invoke(args=["evaluate", "--folds", "2", "--json"])

    found = json.loads(result.stdout, parse_constant=refuse_constant)
    ranked = {(each["split"], each["setup"]) for each in found["ranking"]}
    assert ranked >= {(split, name) for split in ("time", "random") for name in ("popularity", "value", "ease")}
    assert [each["setup"] for each in found["rating"]] == ["configured", "Surprise defaults"]
    plain, mixed = found["diversity"]
    assert (plain["diversity"], mixed["diversity"]) == (0.0, 0.3)
    (ease,) = (each for each in found["ranking"] if (each["split"], each["setup"]) == ("time", "ease"))
    assert plain["ndcg_at_10"] == pytest.approx(ease["quality"]["ndcg_at_10"])
    assert mixed["intra_list_similarity"] < plain["intra_list_similarity"]
    for each in found["ranking"]:
        assert all(0 <= each["quality"][name] <= 1 for name in ("ndcg_at_10", "recall_at_10", "mean_overlap"))


def test_the_command_prints_the_same_as_a_table(app: Flask, runner: Runner, simulated: int) -> None:
    app.config.update(TRAIN_FACTORS=3, TRAIN_EPOCHS=5)

    lines = runner.invoke(args=["evaluate", "--folds", "2", "--seed", "4"]).stdout.splitlines()

    assert lines[0].split() == [
        "split",
        "set-up",
        "NDCG@10",
        "±",
        "recall@10",
        "distinct",
        "overlap",
        "lift",
        "seconds",
    ]
    assert any(line.startswith("time    ease ") for line in lines)
    assert lines[lines.index("diversity NDCG@10  similarity within a list (split by time)") + 2].split()[0] == "0.3"
    assert any("(2 folds, seed 4)" in line for line in lines)


def test_progress_counts_set_ups(simulated: int) -> None:
    set_up = training.set_up_from_settings(**SMALL)
    _, ratings = training.read_ratings()
    seen: list[tuple[int, int]] = []

    found = evaluation.evaluate(ratings, set_up.model, set_up.ranker, 2, lambda done, total: seen.append((done, total)))

    # The lists with and without diversity are measured in one step.
    total = len(found.ranking) + len(found.rating) + 1
    assert seen == [(done, total) for done in range(total + 1)]


@pytest.mark.both_databases
def test_a_version_records_the_quality_of_its_lists_beside_popularity(simulated: int) -> None:
    name = training.train(training.set_up_from_settings(**SMALL)).version_name
    db.session.expire_all()

    recorded = versions.find(name).metrics["ranking"]

    assert simulated >= evaluation.FEWEST_RATINGS
    assert {(split, setup) for split in recorded for setup in recorded[split]} == {
        (split, setup) for split in ("time", "random") for setup in ("version", "popularity")
    }
    assert recorded["random"]["version"].keys() == recorded["time"]["popularity"].keys()
    assert 0 < recorded["random"]["version"]["ndcg_at_10"] < 1
    assert recorded["random"]["popularity"]["mean_overlap"] > recorded["random"]["version"]["mean_overlap"]


def test_the_lists_of_a_version_are_measured_in_its_own_order(app: Flask, simulated: int) -> None:
    by_ease = training.train(training.set_up_from_settings(**SMALL)).metrics["ranking"]
    app.config["RANKING"] = "value"

    by_value = training.train(training.set_up_from_settings(**SMALL)).metrics["ranking"]

    assert by_ease["random"]["version"] != by_value["random"]["version"]
    assert by_ease["random"]["popularity"] == by_value["random"]["popularity"]


def test_a_version_of_few_ratings_records_nothing_of_lists(trained: TrainedWorld) -> None:
    assert versions.find(trained.version_name).metrics["ranking"] == {}


def test_a_much_lower_ndcg_speaks_against_a_version(simulated: int) -> None:
    first, second = (training.train(training.set_up_from_settings(**SMALL)) for _ in range(2))
    versions.activate(first.version_name, "the tests")
    metrics: dict[str, Any] = json.loads(json.dumps(second.metrics))
    metrics["ranking"]["time"]["version"]["ndcg_at_10"] *= 0.5
    second.metrics = metrics
    db.session.commit()

    found = comparison.compare(second.version_name)

    assert found is not None
    (objection,) = found.objections
    assert objection.startswith("NDCG@10 by time is 50.0% lower")
