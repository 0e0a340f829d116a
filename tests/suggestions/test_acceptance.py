"""Online quality: what became of suggestions, by the version that made them."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import versions
from recsite.extensions import db
from recsite.storage.tables import Movie, Suggestion, User, now
from recsite.suggestions.quality import acceptance
from recsite.suggestions.quality.acceptance import OnlineQuality
from tests.conftest import TrainedWorld
from tests.web.clients import Client


def suggest_and_rate(version_id: int, pairs: list[tuple[float, float]], **columns: object) -> None:
    """One rated suggestion for each pair of prediction and rating, each of a movie of its own."""
    first = 10_000 + db.session.query(Movie).count()
    for number in range(len(pairs)):
        db.session.add(Movie(id=first + number, title=f"Film {first + number}"))
    db.session.flush()
    for number, (value, given) in enumerate(pairs):
        row = {
            "user_id": 3,
            "movie_id": first + number,
            "value": value,
            "rank": 1,
            "active": False,
            "did_rate": True,
            "rating_value": given,
            "timestamp": now() - timedelta(days=2),
            "did_rate_timestamp": now() - timedelta(days=1),
            "model_version_id": version_id,
        }
        db.session.add(Suggestion(**row | columns))
    db.session.commit()


def version_id_of(trained: TrainedWorld) -> int:
    return versions.find(trained.version_name).id


@pytest.mark.both_databases
def test_acceptance_is_the_share_of_rated_suggestions_with_four_stars_or_more(trained: TrainedWorld) -> None:
    suggest_and_rate(version_id_of(trained), [(4.5, 4.0)] * 40 + [(3.5, 3.5)] * 10)

    (found,) = acceptance.measure_versions(days=30)

    assert (found.version_name, found.rated, found.liked) == (trained.version_name, 50, 40)
    assert found.acceptance == 0.8


@pytest.mark.both_databases
def test_predictions_are_compared_with_the_ratings_that_followed(trained: TrainedWorld) -> None:
    suggest_and_rate(version_id_of(trained), [(4.0, 5.0)] * 25 + [(4.0, 2.0)] * 25)

    found = acceptance.measure_version(versions.find(trained.version_name), days=30)

    assert (found.mean_predicted, found.mean_given, found.mae) == (4.0, 3.5, 1.5)
    assert found.bias == 0.5


def test_with_fewer_than_fifty_rated_suggestions_acceptance_is_unknown(trained: TrainedWorld) -> None:
    suggest_and_rate(version_id_of(trained), [(4.0, 5.0)] * 49)

    found = acceptance.measure_version(versions.find(trained.version_name), days=30)

    assert (found.rated, found.acceptance, found.interval) == (49, None, None)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "columns",
    (
        {"did_rate_timestamp": now() - timedelta(days=31)},
        {"did_rate_timestamp": now() - timedelta(days=3), "timestamp": now() - timedelta(days=2)},
        {"did_rate": False, "rating_value": None, "did_rate_timestamp": None},
    ),
    ids=("long ago", "before it was suggested, as imported ratings are", "not rated"),
)
def test_ratings_that_say_nothing_about_the_version_are_not_counted(
    trained: TrainedWorld, columns: dict[str, object]
) -> None:
    suggest_and_rate(version_id_of(trained), [(4.0, 5.0)] * 3, **columns)

    assert acceptance.measure_version(versions.find(trained.version_name), days=30).rated == 0


@pytest.mark.parametrize(("liked", "low", "high"), ((25, 0.366, 0.634), (50, 0.929, 1.0), (0, 0.0, 0.071)))
def test_the_interval_is_that_of_wilson(liked: int, low: float, high: float) -> None:
    interval = OnlineQuality(1, "model-1", 0.7, rated=50, liked=liked).interval

    assert interval == pytest.approx((low, high), abs=0.001)


@pytest.mark.both_databases
def test_deciles_go_from_the_lowest_predictions_to_the_highest(trained: TrainedWorld) -> None:
    suggest_and_rate(version_id_of(trained), [(1 + number / 25, 4.0) for number in range(100)])

    found = acceptance.deciles(version_id_of(trained), days=30)

    assert [(each.number, each.rated) for each in found] == [(number, 10) for number in range(1, 11)]
    assert found[0].mean_predicted == pytest.approx(1.18)
    assert found[9].mean_predicted == pytest.approx(4.78)
    assert {each.mean_given for each in found} == {4.0}


def test_with_fewer_than_a_hundred_rated_suggestions_there_are_no_deciles(trained: TrainedWorld) -> None:
    suggest_and_rate(version_id_of(trained), [(4.0, 4.0)] * 99)

    assert acceptance.deciles(version_id_of(trained), days=30) == []


@pytest.mark.parametrize(
    ("rated", "says"),
    ((0, "No rated suggestions so far"), (1, "1 rated suggestion so far"), (12, "12 rated suggestions so far")),
)
def test_the_page_says_how_much_is_missing(admin: Client, trained: TrainedWorld, rated: int, says: str) -> None:
    suggest_and_rate(version_id_of(trained), [(4.0, 4.0)] * rated)

    page = admin.get("/admin/quality/")

    assert page.status_code == 200
    assert f"{says}; from 50 on" in page.text
    assert f"{says}; from 100 on" in page.text


@pytest.mark.both_databases
def test_the_page_shows_acceptance_bias_and_calibration(admin: Client, trained: TrainedWorld) -> None:
    suggest_and_rate(version_id_of(trained), [(4.0, 5.0)] * 50 + [(4.0, 2.0)] * 50)

    page = admin.get("/admin/quality/?days=7").text

    for shown in ("50%", "40–60% with 95% certainty", "+0.50", "1.50", "4.00 predicted, ", "<svg"):
        assert shown in page


@pytest.mark.parametrize(
    ("query", "status"), (("?days=8", 400), ("?days=x", 400), ("?version=model-99", 200), ("?version=%00", 400))
)
def test_the_page_refuses_or_explains_what_it_cannot_show(
    admin: Client, trained: TrainedWorld, query: str, status: int
) -> None:
    response = admin.get(f"/admin/quality/{query}")

    assert response.status_code == status
    assert status == 400 or "No version of that name is here" in response.text


def test_a_site_without_a_version_says_so(admin: Client) -> None:
    assert "No version yet, so nothing was suggested" in admin.get("/admin/quality/").text


def test_only_rated_suggestions_are_read(app: Flask, trained: TrainedWorld) -> None:
    statement = "SELECT model_version_id, value, rating_value FROM suggestions WHERE did_rate = 1"
    statement += " AND did_rate_timestamp >= '2026' AND did_rate_timestamp >= timestamp"

    plan = db.session.execute(sa.text(f"EXPLAIN QUERY PLAN {statement}")).all()

    assert "USING INDEX ix_suggestions_rated" in plan[0].detail
    assert db.session.get(User, 3) is not None
