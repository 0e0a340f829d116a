"""GET /api/movies/<id>/similar: the movies most similar to one, the most similar first."""

import pytest

from recsite import movies, suggestions
from recsite.extensions import db
from recsite.storage.tables import Movie
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client


def similar(client: Client, query: str = "") -> list[int]:
    """Return the ids of the movies similar to Fight Club."""
    response = client.get(f"/api/movies/550/similar{query}")
    assert response.status_code == 200, response.text
    return [movie["id"] for movie in response.json["movies"]]


@pytest.mark.parametrize("path", ("/api/movies/550/similar", "/api/movies/550/similar/"))
def test_a_similar_movie_has_the_keys_of_any_movie(client: Client, trained: TrainedWorld, path: str) -> None:
    answer = client.get(path).json

    assert [*answer] == ["movies"]
    assert answer["movies"]
    for movie in answer["movies"]:
        assert movie == client.get(f"/api/movies/{movie['id']}").json


def test_the_closest_comes_first_and_never_the_movie_itself(client: Client, trained: TrainedWorld) -> None:
    assert similar(client) == [movie.id for movie in suggestions.similar_to(550, 10)]
    assert 550 not in similar(client)
    assert similar(client, "?limit=2") == similar(client)[:2]


@pytest.mark.both_databases
def test_a_hidden_movie_gives_its_place_to_the_next(client: Client, trained: TrainedWorld) -> None:
    first, second, third, *_ = similar(client)

    movies.hide(first)
    movies.hide(second)

    assert similar(client, "?limit=1") == [third]


def test_without_a_model_nothing_is_similar(client: Client, world: World) -> None:
    assert similar(client) == []


def test_a_movie_that_the_model_does_not_know_has_no_similar_ones(client: Client, trained: TrainedWorld) -> None:
    db.session.add(Movie(id=1, title="New"))
    movies.bump_catalog()
    db.session.commit()

    assert client.get("/api/movies/1/similar").json == {"movies": []}


@pytest.mark.parametrize("movie_id", ("551", "13", "0", "2147483648", "x"))
def test_similar_movies_of_a_hidden_or_unknown_movie_are_a_404(
    client: Client, trained: TrainedWorld, movie_id: str
) -> None:
    movies.hide(13)

    response = client.get(f"/api/movies/{movie_id}/similar")

    assert response.status_code == 404
    assert [*response.json] == ["error"]


@pytest.mark.parametrize(
    ("query", "named"),
    (
        ("limit=0", "limit must be a whole number from 1 to 50"),
        ("limit=51", "limit must be a whole number from 1 to 50"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit is given more than once"),
        ("page=2", "Unknown option 'page'"),
    ),
)
def test_a_bad_option_is_a_400_that_names_it(client: Client, trained: TrainedWorld, query: str, named: str) -> None:
    response = client.get(f"/api/movies/550/similar?{query}")

    assert response.status_code == 400
    assert named in response.json["error"]


def test_changing_methods_are_refused(client: Client, trained: TrainedWorld) -> None:
    assert client.post("/api/movies/550/similar").status_code == 405
