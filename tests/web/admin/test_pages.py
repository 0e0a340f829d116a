"""The admin pages: the overview, the versions, comparing, activating and rolling back."""

import re

import pytest
from flask import Flask

from recsite import versions
from recsite.extensions import db
from recsite.storage import audit
from recsite.storage.tables import ModelVersion, User
from recsite.suggestions.quality import overview
from recsite.versions import training
from tests.conftest import TrainedWorld, World
from tests.processes.servers import RedisServer
from tests.ratings.changes import rate
from tests.web.clients import Client


def train_another() -> str:
    """Train one more version, without activating it, and return its name."""
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
    assert "No version yet." in response.text


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


def test_the_overview_says_which_version_serves_since_when_and_by_whom(admin: Client, trained: TrainedWorld) -> None:
    page = admin.get("/admin/").text

    version = versions.find(trained.version_name)
    for shown in (version.version_name, f"{version.rmse:.3f}", "activated by the tests", "0 rated suggestions of 50"):
        assert shown in page


@pytest.mark.both_databases
def test_the_overview_counts_what_there_is(admin: Client, trained: TrainedWorld) -> None:
    rate(trained.carol, 550, 4.0)

    page = re.sub(r"<[^>]+>|\s+", " ", admin.get("/admin/").text)

    for shown in ("Users +12 ", "Movies +6 ", "Ratings +48 ", "Ratings, 7 days +1 ", "Ratings, 30 days +1 "):
        assert re.search(shown, page), shown


def test_the_overview_of_an_empty_site_says_what_to_do(admin: Client) -> None:
    page = admin.get("/admin/").text

    assert "No version serves yet" in page
    assert "Train a version and activate it" in page
    assert "No admin changed anything yet" in page


def test_the_overview_goes_on_without_redis(admin: Client, own_redis: RedisServer) -> None:
    own_redis.stop()

    response = admin.get("/admin/")

    assert response.status_code == 200
    assert "no answer from" in response.text


@pytest.mark.parametrize(
    ("rmse", "is_good", "says"),
    ((0.99, True, "1.0% less than"), (1.01, True, "1.0% more than"), (1.05, False, "5.0% more")),
)
def test_a_version_is_held_against_the_one_that_it_replaced(rmse: float, is_good: bool, says: str) -> None:
    before = ModelVersion(version_name="model-100", rmse=1.0)

    finding = overview.compare_with_previous(ModelVersion(version_name="model-1", rmse=rmse), before)

    assert finding is not None
    assert says in finding.text
    assert finding.is_good == is_good


@pytest.mark.parametrize(("ndcg", "is_good"), ((0.2, True), (0.1, False), (0.05, False)))
def test_a_version_whose_lists_are_no_better_than_popular_ones_needs_a_look(ndcg: float, is_good: bool) -> None:
    recorded = {"version": {"ndcg_at_10": ndcg}, "popularity": {"ndcg_at_10": 0.1}}

    finding = overview.compare_with_popularity(ModelVersion(metrics={"ranking": {"time": recorded}}))

    assert finding is not None
    assert finding.is_good == is_good


def test_figures_over_time_are_drawn_from_the_second_version_on(admin: Client, trained: TrainedWorld) -> None:
    assert "<svg" not in admin.get("/admin/models/").text
    name = train_another()

    page = admin.get("/admin/models/").text

    assert "RMSE, stars, the oldest first</title>" in page
    assert f"{name}: {versions.find(name).rmse:.4f}</title>" in page


@pytest.mark.both_databases
def test_any_two_versions_stand_side_by_side(admin: Client, trained: TrainedWorld) -> None:
    second, third = train_another(), train_another()

    page = admin.get(f"/admin/models/compare?old={third}&new={second}").text

    for shown in (
        f"{versions.find(second).rmse:.4f}",
        "Coming in",
        "Rated suggestions",
        "factors",
        "Preview and activate",
    ):
        assert shown in page


def test_a_version_without_files_is_compared_by_what_was_recorded(admin: Client, trained: TrainedWorld) -> None:
    second = train_another()
    train_another()
    versions.prune(keep=1, by="the tests")

    page = admin.get(f"/admin/models/compare?old={second}&new={trained.version_name}").text

    assert "Only what was recorded is compared" in page
    assert "RMSE" in page
    assert "Coming in" not in page


@pytest.mark.parametrize(
    ("query", "status"), (("", 200), ("?old=model-99&new=model-99", 404), ("?old=&new=x", 200), ("?old=%00&new=x", 400))
)
def test_what_cannot_be_compared_is_refused(admin: Client, trained: TrainedWorld, query: str, status: int) -> None:
    assert admin.get(f"/admin/models/compare{query}").status_code == status


def test_a_version_is_not_compared_with_itself(admin: Client, trained: TrainedWorld) -> None:
    name = trained.version_name

    assert "choose two" in admin.get(f"/admin/models/compare?old={name}&new={name}").text


def test_activations_are_in_the_audit_log(admin: Client, trained: TrainedWorld) -> None:
    name = train_another()

    admin.post("/admin/models/activate", data={"version_name": name, "reason": "it is better"})

    entry = audit.entries(1, 1).items[0]
    assert (entry.by, entry.action, entry.subject, entry.reason) == ("alice", "activate", name, "it is better")
    assert (entry.before, entry.after) == ({"active": trained.version_name}, {"active": name})


def test_a_better_version_that_waits_is_offered_for_preview(admin: Client, trained: TrainedWorld) -> None:
    name = train_another()
    version = versions.find(name)
    version.rmse = versions.find(trained.version_name).rmse + 0.1
    db.session.commit()
    assert "is ready and better" not in admin.get("/admin/").text

    version.rmse = versions.find(trained.version_name).rmse - 0.1
    db.session.commit()
    page = admin.get("/admin/").text
    assert f"{name} is ready and better. RMSE: " in page
    assert f'href="/admin/models/preview?version_name={name}"' in page

    versions.activate(name, "the tests")
    assert "is ready and better" not in admin.get("/admin/").text


def test_a_version_with_better_lists_and_a_clearly_worse_rmse_is_not_offered(
    admin: Client, trained: TrainedWorld
) -> None:
    active, waiting = versions.find(trained.version_name), versions.find(train_another())
    for version, ndcg in ((active, 0.3), (waiting, 0.31)):
        lists = {"ndcg_at_10": ndcg, "distinct_movies": 5}
        version.metrics = {"folds": 2, "ranking": {"time": {"version": lists, "popularity": lists}}}
    waiting.rmse = active.rmse
    db.session.commit()
    assert "is ready and better" in admin.get("/admin/").text

    waiting.rmse = 2 * active.rmse
    db.session.commit()
    assert "is ready and better" not in admin.get("/admin/").text
