"""Sites whose ratings leave a figure undefined, and trainings that diverge."""

import json
import re
from collections.abc import Iterable
from typing import Never

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import jobs, versions
from recsite.errors import TrainingDiverged
from recsite.extensions import db
from recsite.ml.descent import NotFinite
from recsite.storage.tables import ModelVersion, Movie, Rating, Run, User
from recsite.versions import evaluation, training
from tests.conftest import FIRST_RATED_AT, TrainedWorld
from tests.jobs.blocks_at_work import work_off
from tests.web.clients import Runner, log_in

QUICK = ("--factors", "2", "--epochs", "2", "--folds", "2")
Rows = Iterable[tuple[int, int, float]]
SITES: dict[str, Rows] = {
    "nobody has three": [(user, movie, 5.0) for user in range(1, 51) for movie in (1, 2)],
    "nobody gives four": [(user, movie, 3.0) for user in range(1, 6) for movie in range(1, 21)],
    "one person": [(1, movie, 2.0 + movie % 4) for movie in range(1, 101)],
    "everybody rated one movie": [(user, 1, 4.0) for user in range(1, 101)],
    "everybody rated another movie": [(user, user, 4.0) for user in range(1, 101)],
}
NO_RELEVANT = "no held-out rating has 4 stars or more, so no list can be judged"


@pytest.fixture
def site(app: Flask, request: pytest.FixtureRequest) -> str:
    """Insert the ratings of one of SITES and an admin, and return its name."""
    name: str = request.param
    rows = list(SITES[name])
    db.session.add_all(Movie(id=movie, title=f"Movie {movie}") for movie in {row[1] for row in rows})
    db.session.add_all(User(id=user, username=f"person{user}", is_admin=user == 1) for user in {row[0] for row in rows})
    db.session.flush()
    db.session.add_all(Rating(user_id=u, movie_id=i, value=value, timestamp=FIRST_RATED_AT) for u, i, value in rows)
    db.session.commit()
    return name


def refuse_constant(name: str) -> Never:
    """Fail: JSON has no NaN and no Infinity."""
    raise AssertionError(f"{name} is no JSON")


def strict(text: str) -> object:
    return json.loads(text, parse_constant=refuse_constant)


@pytest.mark.both_databases
@pytest.mark.parametrize("site", SITES, indirect=True)
def test_a_site_without_some_figures_gets_a_version_and_pages_without_nan(
    app: Flask, runner: Runner, site: str
) -> None:
    for _ in range(2):
        trained = runner.invoke(args=["train", "--activate", *QUICK])
        assert trained.exit_code == 0, trained.output
    (metrics,) = set(db.session.scalars(sa.select(sa.cast(ModelVersion.metrics, sa.Text))))
    evaluated = runner.invoke(args=["evaluate", "--folds", "2"])
    as_json = runner.invoke(args=["evaluate", "--folds", "2", "--json"])
    client = log_in(app, 1)
    names = [version.version_name for version in versions.list_versions()]
    paths = ("/admin/", "/admin/models/", "/admin/quality/", f"/admin/models/compare?old={names[0]}&new={names[1]}")

    assert (evaluated.exit_code, as_json.exit_code) == (0, 0), evaluated.output + as_json.output
    assert strict(metrics)
    assert strict(as_json.stdout)
    assert not re.search(r"\b(nan|inf)\b", evaluated.stdout)
    for path in (*paths, f"/admin/models/preview?version_name={names[0]}", "/", "/metrics"):
        response = client.get(path)
        assert response.status_code == 200, path
        assert not re.search(r"\bnan\b", response.text, re.IGNORECASE), path


@pytest.mark.parametrize("site", ("nobody has three", "nobody gives four"), indirect=True)
def test_lists_that_cannot_be_judged_say_why_everywhere(app: Flask, runner: Runner, site: str) -> None:
    trained = runner.invoke(args=["train", "--activate", *QUICK])
    quality = versions.list_versions()[0].metrics["ranking"]["time"]["version"]
    evaluated = runner.invoke(args=["evaluate", "--folds", "2"])
    client = log_in(app, 1)

    assert f"Its lists could not be measured: {NO_RELEVANT}." in trained.stdout
    assert (quality["ndcg_at_10"], quality["recall_at_10"]) == (None, None)
    assert quality["reasons"]["ndcg_at_10"] == NO_RELEVANT
    assert f"– {NO_RELEVANT}" in evaluated.stdout
    assert NO_RELEVANT in client.get("/admin/").text
    assert NO_RELEVANT in client.get("/admin/models/").text


@pytest.mark.both_databases
@pytest.mark.parametrize("site", ("nobody gives four", "one person"), indirect=True)
def test_the_queued_job_makes_the_version_too(app: Flask, site: str) -> None:
    run_id = jobs.start("train", "admin", factors=2, epochs=2, folds=2)

    work_off(run_id)

    assert db.session.get_one(Run, run_id).state == "finished"
    assert len(versions.list_versions()) == 1


def test_figures_that_an_older_version_recorded_as_nan_are_left_out(app: Flask, trained: TrainedWorld) -> None:
    version = versions.list_versions()[0]
    quality = {"ndcg_at_10": float("nan"), "popularity_lift": float("nan"), "distinct_movies": 3}
    version.metrics = {"folds": 2, "ranking": {"time": {"version": quality, "popularity": quality}}}
    db.session.get_one(User, trained.alice).is_admin = True
    db.session.commit()
    client = log_in(app, trained.alice)

    for path in ("/admin/", "/admin/models/"):
        response = client.get(path)
        assert response.status_code == 200
        assert not re.search(r"\bnan\b", response.text), path


@pytest.mark.both_databases
def test_a_training_that_diverges_fails_and_records_nothing(app: Flask, trained: TrainedWorld) -> None:
    app.config["TRAIN_LEARNING_RATE"] = 1.0
    before = {path.name for path in app.config["MEDIA_ROOT"].rglob("*")}

    with pytest.raises(TrainingDiverged, match=r"Lower TRAIN_LEARNING_RATE \(now 1\), or raise TRAIN_REGULARIZATION"):
        training.train(training.set_up_from_settings(factors=3, epochs=40, folds=2))

    assert [version.version_name for version in versions.list_versions()] == [trained.version_name]
    assert {path.name for path in app.config["MEDIA_ROOT"].rglob("*")} == before


def test_the_command_and_the_job_say_that_a_training_diverged(
    app: Flask, runner: Runner, trained: TrainedWorld
) -> None:
    app.config["TRAIN_LEARNING_RATE"] = 1.0
    result = runner.invoke(args=["train", "--factors", "3", "--folds", "2"])
    run_id = jobs.start("train", "admin", factors=3, folds=2)

    with pytest.raises(TrainingDiverged):
        work_off(run_id)

    run = db.session.get_one(Run, run_id)
    assert (result.exit_code, result.stderr.startswith("Error: The training diverged")) == (1, True)
    assert (run.state, run.error.startswith("The training diverged")) == ("failed", True)


def test_an_evaluation_that_diverges_names_the_parameters(app: Flask) -> None:
    set_up = training.set_up_from_settings()

    with pytest.raises(TrainingDiverged), evaluation.divergence_named(set_up.model):
        raise NotFinite
