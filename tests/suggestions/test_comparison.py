"""The preview before an activation, and the guard against a clearly worse version."""

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, movies, suggestions, versions
from recsite.extensions import db
from recsite.storage.tables import ModelVersion, Suggestion
from recsite.suggestions.quality import comparison
from recsite.suggestions.quality.comparison import Figure
from recsite.versions import training
from tests.conftest import TrainedWorld
from tests.web.clients import Client, Runner, new_client


def train(**changed: object) -> str:
    """Train one more version, change its recorded figures, and return its name."""
    version = training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=5))
    for name, value in changed.items():
        setattr(version, name, value)
    db.session.commit()
    return version.version_name


@pytest.fixture
def admin(app: Flask, trained: TrainedWorld) -> Client:
    return new_client(app, accounts.create_user("root", password="long enough 1", is_admin=True))


def active_name() -> str | None:
    return db.session.scalar(sa.select(ModelVersion.version_name).where(ModelVersion.is_active))


@pytest.mark.parametrize(
    ("active", "proposed", "tolerated", "objects"),
    (
        (1.0, 1.03, 0.02, True),
        (1.0, 1.01, 0.02, False),
        (1.0, 0.5, 0.02, False),
        (10, 6, -0.3, True),
        (0, 5, -0.3, False),
    ),
)
def test_a_figure_objects_beyond_what_it_tolerates(
    active: float, proposed: float, tolerated: float, objects: bool
) -> None:
    assert (Figure("RMSE", active, proposed, tolerated).objection is not None) == objects


def test_the_same_model_again_shows_the_same_lists(trained: TrainedWorld) -> None:
    again = training.train(training.set_up_from_settings(factors=3, epochs=10, folds=2))

    found = comparison.compare(again.version_name)

    assert found is not None
    assert (found.overlap, found.entering, found.leaving) == (1.0, (), ())
    assert not found.is_clearly_worse


@pytest.mark.both_databases
def test_a_preview_writes_nothing(trained: TrainedWorld) -> None:
    comparison.compare(train())

    assert active_name() == trained.version_name
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Suggestion)) == 0


def test_a_clearly_worse_version_is_not_activated_by_itself(trained: TrainedWorld) -> None:
    worse = comparison.activate_unless_worse(train(rmse=9.0), "the tests")

    assert worse is not None
    assert "RMSE is" in worse.objections[0]
    assert active_name() == trained.version_name


def test_the_first_version_is_always_activated(trained: TrainedWorld) -> None:
    db.session.execute(sa.update(ModelVersion).values(is_active=False))
    db.session.commit()
    name = train(rmse=9.0)

    assert comparison.activate_unless_worse(name, "the tests") is None
    assert active_name() == name


def test_the_command_refuses_a_worse_version_until_it_is_forced_with_a_reason(
    runner: Runner, trained: TrainedWorld
) -> None:
    name = train(rmse=9.0)

    refused = runner.invoke(args=["models", "activate", name])
    forced_silently = runner.invoke(args=["models", "activate", name, "--force"])

    assert refused.exit_code == forced_silently.exit_code == 1
    assert "clearly worse" in refused.output
    assert active_name() == trained.version_name
    assert runner.invoke(args=["models", "activate", name, "--force", "--reason", "a trial"]).exit_code == 0
    assert active_name() == name


def test_the_preview_command_prints_both_columns(runner: Runner, trained: TrainedWorld) -> None:
    name = train(rmse=9.0)

    output = runner.invoke(args=["models", "preview", name]).output

    assert trained.version_name in output
    assert "9.0000" in output
    assert f"{name} is clearly worse" in output


@pytest.mark.both_databases
def test_the_preview_page_compares_and_offers_to_activate(admin: Client, trained: TrainedWorld) -> None:
    name = train()

    response = admin.get(f"/admin/models/preview?version_name={name}")

    assert response.status_code == 200
    assert "/admin/models/activate" in response.text
    assert name in response.text


def test_the_form_takes_a_confirmation_and_a_reason_for_a_worse_version(admin: Client, trained: TrainedWorld) -> None:
    name = train(rmse=9.0)

    refused = admin.post("/admin/models/activate", data={"version_name": name, "reason": "a trial"})
    unexplained = admin.post("/admin/models/activate", data={"version_name": name, "confirmed": "true"})

    assert (refused.status_code, unexplained.status_code) == (409, 409)
    assert "RMSE is" in refused.text
    assert active_name() == trained.version_name
    confirmed = {"version_name": name, "confirmed": "true", "reason": "a trial"}
    assert admin.post("/admin/models/activate", data=confirmed).status_code == 303
    assert active_name() == name
    assert versions.list_activations()[0].reason == "a trial"


def test_a_hidden_movie_leaves_every_list_and_only_admins_see_its_page(
    app: Flask, admin: Client, client: Client, trained: TrainedWorld
) -> None:
    assert client.get("/movies/13/").status_code == 200
    assert 13 in [item["id"] for item in client.get("/api/suggestions/?user_id=2").json["suggestions"]]

    assert admin.post("/admin/movies/hide", data={"movie_id": "13"}).status_code == 303

    assert 13 not in [item["id"] for item in client.get("/api/suggestions/?user_id=2").json["suggestions"]]
    assert 13 not in [item["id"] for item in client.get("/api/movies").json["movies"]]
    assert 13 not in [item["id"] for item in client.get("/api/movies/550/similar").json["movies"]]
    assert (client.get("/movies/13/").status_code, admin.get("/movies/13/").status_code) == (404, 200)
    admin.post("/admin/movies/show", data={"movie_id": "13"})
    assert client.get("/movies/13/").status_code == 200


@pytest.mark.parametrize("path", ("/admin/movies/hide", "/admin/movies/show", "/admin/models/preview"))
def test_visitors_and_users_cannot_see_the_pages(app: Flask, client: Client, trained: TrainedWorld, path: str) -> None:
    bob = app.test_client(user=accounts.find_user("bob"))

    for each, status in ((client, 303), (bob, 403)):
        answer = each.get(path) if path.endswith("preview") else each.post(path, data={"movie_id": "13"})
        assert answer.status_code == status


def test_a_full_list_stays_full_when_one_of_its_movies_is_hidden(
    app: Flask, client: Client, trained: TrainedWorld
) -> None:
    app.config["SUGGESTIONS_PER_USER"] = 2
    suggestions.rescore([2])
    first, second = [item["id"] for item in client.get("/api/suggestions/?user_id=2&limit=2").json["suggestions"]]

    movies.hide(first)

    after = [item["id"] for item in client.get("/api/suggestions/?user_id=2&limit=2").json["suggestions"]]
    assert len(after) == 2
    assert after[0] == second
