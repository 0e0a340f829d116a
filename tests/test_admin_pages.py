"""The admin pages: who may, the versions, activating, rolling back, training."""

import pytest
from flask import Flask

from recsite import runs, training, versions
from recsite.extensions import db, queueing
from recsite.models import User

from .conftest import Client, TrainedWorld, World
from .servers import RedisServer

TRAINING = {"epochs": "3", "factors": "2", "folds": "2", "seed": "7"}


def train_another() -> str:
    """The name of one more version, not active."""
    return training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=1)).version_name


def active_name() -> str | None:
    version = versions.find_active()
    return version.version_name if version else None


def test_only_admins_see_the_way_to_the_admin_pages(app: Flask, admin: Client, world: World) -> None:
    bob = app.test_client(user=db.session.get_one(User, world.bob))

    assert 'href="/admin/"' in admin.get("/").text
    assert 'href="/admin/"' not in bob.get("/").text


def test_a_site_without_a_version_says_what_to_do(admin: Client) -> None:
    response = admin.get("/admin/models/")

    assert response.status_code == 200
    assert "No version yet. Train one below" in response.text


def test_the_versions_are_listed_with_their_figures(admin: Client, trained: TrainedWorld) -> None:
    page = admin.get("/admin/models/").text

    version = versions.find(trained.version_name)
    for shown in (version.version_name, f"{version.rmse:.4f}", f"{version.mae:.4f}", ">47<", "the tests"):
        assert shown in page
    assert page.count('<span class="badge">active</span>') == 1


def test_a_version_is_activated_with_who_and_why(admin: Client, trained: TrainedWorld) -> None:
    name = train_another()

    response = admin.post("/admin/models/activate", data={"version_name": name, "reason": "it is better"})

    move = versions.list_activations()[0]
    assert (response.status_code, response.location) == (303, "/admin/models/")
    assert active_name() == name
    assert (move.activated_by, move.reason, move.is_rollback) == ("alice", "it is better", False)
    assert "it is better" in admin.get("/admin/models/").text


def test_rolling_back_activates_the_version_before(admin: Client, trained: TrainedWorld) -> None:
    versions.activate(train_another(), "the tests")

    admin.post("/admin/models/rollback", data={"reason": "it is worse"})

    move = versions.list_activations()[0]
    assert active_name() == trained.version_name
    assert (move.activated_by, move.reason, move.is_rollback) == ("alice", "it is worse", True)


def test_rolling_back_the_first_version_says_that_there_is_none_before(admin: Client, trained: TrainedWorld) -> None:
    page = admin.post("/admin/models/rollback", follow_redirects=True)

    assert page.status_code == 200
    assert "There is no earlier active version" in page.text
    assert active_name() == trained.version_name


def test_a_damaged_version_is_not_activated_and_the_page_says_why(
    app: Flask, admin: Client, trained: TrainedWorld
) -> None:
    name = train_another()
    (app.config["MEDIA_ROOT"] / "ml" / "models" / "surprise" / f"{name}.pkl").write_bytes(b"damaged")

    page = admin.post("/admin/models/activate", data={"version_name": name}, follow_redirects=True)

    assert page.status_code == 200
    assert f"{name} is not activated" in page.text
    assert active_name() == trained.version_name


@pytest.mark.parametrize(
    ("name", "status"), (("model-99", 404), ("..", 404), ("latest", 404), ("", 404), ("\0", 400), ("x" * 201, 400))
)
def test_a_version_that_does_not_exist_is_not_activated(admin: Client, name: str, status: int) -> None:
    assert admin.post("/admin/models/activate", data={"version_name": name}).status_code == status


@pytest.mark.parametrize(("ticked", "activate"), (({}, False), ({"activate": "on"}, True)))
def test_a_training_is_queued_as_the_form_says(
    admin: Client, world: World, ticked: dict[str, str], activate: bool
) -> None:
    response = admin.post("/admin/models/train", data=TRAINING | ticked)

    (run,) = runs.list_latest(10)
    assert (response.status_code, response.location) == (303, "/admin/models/")
    assert (run.kind, run.asked_by, run.state) == ("train", "alice", "queued")
    assert run.parameters == {"epochs": 3, "factors": 2, "folds": 2, "seed": 7, "activate": activate}
    assert queueing.queue.count == 1


def test_a_second_training_is_refused_and_the_first_is_named(admin: Client, world: World) -> None:
    admin.post("/admin/models/train", data=TRAINING)

    response = admin.post("/admin/models/train", data=TRAINING)

    assert response.status_code == 409
    assert "Run 1 (train, queued, asked for by alice) is in the way" in response.text


@pytest.mark.parametrize(
    ("field", "value"),
    (("epochs", "0"), ("epochs", "x"), ("factors", "2001"), ("folds", "1"), ("seed", "4294967296"), ("seed", "")),
)
def test_a_training_that_cannot_be_is_refused_and_the_field_is_named(
    admin: Client, world: World, field: str, value: str
) -> None:
    response = admin.post("/admin/models/train", data=TRAINING | {field: value})

    assert response.status_code == 400
    assert f"{field} must be a whole number" in response.text
    assert queueing.queue.count == 0


def test_without_redis_the_page_says_that_no_training_was_queued(admin: Client, own_redis: RedisServer) -> None:
    own_redis.stop()

    response = admin.post("/admin/models/train", data=TRAINING)

    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "no training was queued" in response.text
