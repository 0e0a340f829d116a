"""The predicted rating on a movie's page, which HTMX reloads after each rating."""

from flask import Flask

from recsite import movies
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client, log_in


def test_after_a_rating_a_movies_page_asks_for_its_prediction_alone(app: Flask, trained: TrainedWorld) -> None:
    client = log_in(app, trained.bob)
    page = client.get("/movies/550/").text

    part = client.get("/movies/550/outlook", headers={"HX-Request": "true"})

    assert 'hx-get="/movies/550/outlook"' in page
    assert '<section id="outlook"' in part.text
    assert "You would give it" in part.text
    assert "<html" not in part.text


def test_a_hidden_movie_has_no_prediction(client: Client, world: World) -> None:
    movies.hide(550)

    assert client.get("/movies/550/outlook").status_code == 404
