"""The floor: a movie that the viewer would probably not like stands behind all others, and says so."""

import numpy as np
import pytest
from flask import Flask

from recsite import movies, suggestions
from recsite.extensions import db
from recsite.storage.tables import Movie
from recsite.suggestions import ListOptions
from tests.conftest import TrainedWorld
from tests.ratings.changes import rate
from tests.web.clients import Client, Runner, log_in


@pytest.fixture
def low(app: Flask, trained: TrainedWorld) -> int:
    """The first movie of bob's list without a floor; with the one that is set now, it is the only one under it."""
    app.config["RANKER_FLOOR"] = 0
    items = suggestions.best_for(trained.bob).items
    values = {item.movie_id: item.value or 0.0 for item in items}
    lowest = min(values, key=lambda movie_id: values[movie_id])
    # Nothing but a change of the catalogue lets the process read the setting again.
    app.config["RANKER_FLOOR"] = sorted(values.values())[1]
    movies.bump_catalog()
    db.session.commit()
    return lowest


@pytest.mark.both_databases
def test_a_movie_under_the_floor_is_the_last_of_a_live_list_a_stored_one_and_a_filtered_one(
    trained: TrainedWorld, low: int
) -> None:
    live = suggestions.best_for(trained.bob)
    suggestions.rescore([trained.bob])
    stored = suggestions.best_for(trained.bob)
    diverse = suggestions.best_for(trained.bob, ListOptions(diversity=1.0))

    assert [found.items[-1].movie_id for found in (live, stored, diverse)] == [low] * 3
    assert [item[:3] for item in live.items] == [item[:3] for item in stored.items]


def test_a_low_place_has_its_reason_on_the_list_and_in_why(
    app: Flask, runner: Runner, trained: TrainedWorld, low: int
) -> None:
    app.config["SUGGESTIONS_PER_USER"] = 3
    floor = app.config["RANKER_FLOOR"]

    items = suggestions.best_for(trained.bob, ListOptions(limit=4)).items
    explained = suggestions.explain(trained.bob, low)
    said = runner.invoke(args=["why", str(trained.bob), str(low)]).output

    assert items[-1].reason == f"Last in the list: you would give it less than {floor:g} stars"
    assert all(item.reason is None or item.reason.startswith("Because") for item in items[:-1])
    assert explained.kept_out_by is not None
    assert explained.kept_out_by.endswith("stars, so that it stands behind all others, at rank 4")
    assert "stars, so that the movie stands behind all others" in said


def test_the_page_of_a_movie_says_that_it_stands_low(app: Flask, trained: TrainedWorld, low: int) -> None:
    page = log_in(app, trained.bob).get(f"/movies/{low}/").text

    assert "so that it stands behind the other suggestions" in page


def test_no_value_is_stated_of_a_movie_that_the_version_does_not_know(
    app: Flask, client: Client, runner: Runner, trained: TrainedWorld
) -> None:
    db.session.add(Movie(id=1, title="New"))
    movies.bump_catalog()
    db.session.commit()

    sent = client.get(f"/api/suggestions?user_id={trained.bob}&include=value").json["suggestions"]
    page = log_in(app, trained.bob).get("/movies/1/").text
    said = runner.invoke(args=["why", str(trained.bob), "1"]).output

    values = {item["id"]: item["value"] for item in sent}
    assert values[1] is None
    assert all(value is not None for movie_id, value in values.items() if movie_id != 1)
    assert "You would give it" not in page
    assert "Predicted rating: none, because the version was trained without ratings of this movie" in said


def test_a_stored_value_of_an_unknown_movie_is_not_stated_either(trained: TrainedWorld) -> None:
    db.session.add(Movie(id=1, title="New"))
    movies.bump_catalog()
    db.session.commit()
    suggestions.rescore([trained.bob])

    alone = suggestions.best_for(trained.bob).items
    (batch,) = suggestions.lists_for([trained.bob], 100)

    for items in (alone, batch.items):
        assert [item.movie_id for item in items if item.value is None] == [1]


def test_the_floor_leaves_an_order_by_predicted_rating_alone(app: Flask, trained: TrainedWorld) -> None:
    app.config.update(RANKING="value", RANKER_FLOOR=5)
    rate(trained.dave, 550, 5.0)

    items = suggestions.best_for(trained.dave).items

    values = np.array([item.value for item in items])
    assert (np.diff(values) <= 0).all()
    assert not any((item.reason or "").startswith("Last") for item in items)
