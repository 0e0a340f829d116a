"""`/api/movies` and `/api/ratings`: shapes, who may, and what a client cannot break."""

from typing import Any

import pytest
from flask import Flask

from recsite import accounts, movies, ratings
from recsite.extensions import db
from recsite.storage.tables import Movie, User
from tests.conftest import World
from tests.ratings.changes import rate
from tests.web.clients import Client, token_headers

Headers = dict[str, str]


@pytest.fixture
def carols(world: World) -> Headers:
    """The header that acts as Carol."""
    return token_headers(world.carol)


def error_of(response: Any) -> str:
    """Return the error; fail if the response holds anything else."""
    assert list(response.json) == ["error"]
    message: str = response.json["error"]
    return message


@pytest.mark.parametrize("path", ("/api/movies/550", "/api/movies/550/"))
def test_a_movie_has_these_keys(client: Client, world: World, path: str) -> None:
    movies.refresh_averages([550])
    db.session.commit()

    response = client.get(path)

    answer = response.json
    assert response.status_code == 200
    assert 4 < answer.pop("score") <= 5
    assert answer == {
        "id": 550,
        "title": "Fight Club",
        "overview": "An insomniac and a soap maker found a club.",
        "release_date": "1999-10-15",
        "genres": ["Drama"],
        "poster_path": None,
        "rating_count": 1,
        "rating_avg": 5.0,
    }


def test_a_movie_that_nobody_rated_has_null_for_its_figures(client: Client, world: World) -> None:
    db.session.add(Movie(id=7, title="New"))
    db.session.commit()

    answer = client.get("/api/movies/7").json

    assert (answer["rating_avg"], answer["score"], answer["release_date"], answer["genres"]) == (None, None, None, [])


@pytest.mark.parametrize("movie_id", ("551", "0", "2147483648", "9" * 5000, "x"))
def test_a_movie_that_does_not_exist_is_a_404(client: Client, world: World, movie_id: str) -> None:
    response = client.get(f"/api/movies/{movie_id}")

    assert response.status_code == 404
    assert error_of(response)


@pytest.mark.both_databases
@pytest.mark.parametrize("path", ("/api/movies", "/api/movies/"))
def test_movies_are_searched_ordered_and_paged(client: Client, world: World, path: str) -> None:
    response = client.get(f"{path}?genre=Crime&sort=old&page=2&per_page=2")

    assert response.status_code == 200
    answer = response.json
    assert [movie["title"] for movie in answer.pop("movies")] == ["Heat"]
    assert answer == {"page": 2, "per_page": 2, "total": 3}


def test_a_bad_option_is_a_400_that_names_it(client: Client, world: World, subtests: pytest.Subtests) -> None:
    for query, named in (
        ("sort=best", "sort must be one of"),
        ("page=0", "page must be a whole number"),
        ("page=", "page must be a whole number"),
        ("per_page=101", "per_page must be a whole number from 1 to 100"),
        ("per_page=+5", "per_page must be a whole number"),
        ("per_page=1_0", "per_page must be a whole number"),
        ("per_page=５", "per_page must be a whole number"),
        ("page=99999999999999999999", "page must be a whole number"),
        ("page=" + "9" * 200, "page must be a whole number"),
        ("q=%00", "q must be text of at most 200 characters, without NUL"),
        (
            "genre=%00",
            "genre must be a list of at most 10, joined by commas, each a name of 1 to 100 characters, without commas",
        ),
        ("q=" + "x" * 201, "q must be text of at most 200 characters"),
        ("q=a&q=b", "q is given more than once"),
        ("limit=3", "Unknown option 'limit'"),
        ("%00=3", "Unknown option"),
    ):
        with subtests.test(query=query):
            response = client.get(f"/api/movies?{query}")

            assert response.status_code == 400
            assert named in error_of(response)


@pytest.mark.both_databases
def test_an_odd_search_is_answered(client: Client, world: World, subtests: pytest.Subtests) -> None:
    for query in ("q=%ff%fe", "q=%F0%9F%8E%AC", "q='%3B--", "q=%5C", "genre=%7C", "q=", "genre="):
        with subtests.test(query=query):
            assert client.get(f"/api/movies?{query}").status_code == 200


@pytest.mark.both_databases
@pytest.mark.parametrize("path", ("/api/ratings", "/api/ratings/"))
def test_the_first_rating_of_a_movie_is_a_201_and_the_next_a_200(
    client: Client, world: World, carols: Headers, path: str
) -> None:
    first = client.post(path, json={"movie_id": 550, "value": 4.5}, headers=carols)
    second = client.post(path, json={"movie_id": 550, "value": 3}, headers=carols)

    assert (first.status_code, first.json) == (201, {"user_id": world.carol, "movie_id": 550, "value": 4.5})
    assert (second.status_code, second.json) == (200, {"user_id": world.carol, "movie_id": 550, "value": 3.0})
    assert ratings.rating_of(world.carol, 550) == 3.0


@pytest.mark.both_databases
def test_a_rating_is_taken_back_once(client: Client, world: World, carols: Headers) -> None:
    rate(world.carol, 550, 4.5)

    first = client.delete("/api/ratings/550", headers=carols)
    second = client.delete("/api/ratings/550/", headers=carols)

    assert (first.status_code, first.data) == (204, b"")
    assert (second.status_code, error_of(second)) == (404, "Rating not found")
    assert ratings.rating_of(world.carol, 550) is None


def test_a_bad_body_is_a_400_that_names_what_is_wrong(
    client: Client, world: World, carols: Headers, subtests: pytest.Subtests
) -> None:
    for body, named in (
        ('{"movie_id": "550", "value": 4.5}', "movie_id must be a whole number"),
        ('{"movie_id": true, "value": 4.5}', "movie_id must be a whole number"),
        ('{"movie_id": null, "value": 4.5}', "movie_id must be a whole number"),
        ('{"movie_id": 550.5, "value": 4.5}', "movie_id must be a whole number"),
        ('{"movie_id": 0, "value": 4.5}', "movie_id must be a whole number"),
        ('{"movie_id": 2147483648, "value": 4.5}', "movie_id must be a whole number"),
        ('{"movie_id": 1e400, "value": 4.5}', "not valid JSON"),
        ('{"movie_id": 1e300, "value": 4.5}', "movie_id must be a whole number"),
        ('{"movie_id": 550, "value": "4.5"}', "value must be a number"),
        ('{"movie_id": 550, "value": true}', "value must be a number"),
        ('{"movie_id": 550, "value": [4.5]}', "value must be a number"),
        ('{"movie_id": 550, "value": NaN}', "not valid JSON"),
        ('{"movie_id": 550, "value": 1e400}', "not valid JSON"),
        ('{"movie_id": 550, "value": 1' + "0" * 400 + "}", "value must be a number"),
        ('{"movie_id": 550, "value": 1' + "0" * 5000 + "}", "not valid JSON"),
        ('{"movie_id": 550, "value": 4.7}', "value must be a number from 0.5 to 5 in steps of 0.5"),
        ('{"movie_id": 550, "value": 0}', "value must be a number from 0.5 to 5 in steps of 0.5"),
        ('{"movie_id": 550}', "value is missing"),
        ('{"value": 4.5}', "movie_id is missing"),
        ('{"movie_id": 550, "value": 4.5, "user_ids": 1}', "Unknown key 'user_ids'"),
        ('{"movie_id": 550, "value": 4.5, "\\ud800": 1}', "not valid JSON"),
        ("[550, 4.5]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("[" * 10_000, "not valid JSON"),
        (b"\xff\xfe\xff", "not valid JSON"),
    ):
        with subtests.test(body=body):
            response = client.post("/api/ratings", data=body, content_type="application/json", headers=carols)

            assert response.status_code == 400
            assert named in error_of(response)


def test_a_whole_number_may_be_written_with_a_point(client: Client, world: World, carols: Headers) -> None:
    response = client.post(
        "/api/ratings", data='{"movie_id": 550.0, "value": 4}', content_type="application/json", headers=carols
    )

    assert response.status_code == 201


def test_a_body_of_another_content_type_is_a_415(client: Client, world: World, carols: Headers) -> None:
    response = client.post("/api/ratings", data={"movie_id": 550, "value": 4.5}, headers=carols)

    assert response.status_code == 415
    assert error_of(response)


def test_rating_a_movie_that_does_not_exist_is_a_404(client: Client, world: World, carols: Headers) -> None:
    response = client.post("/api/ratings", json={"movie_id": 551, "value": 4.5}, headers=carols)

    assert (response.status_code, error_of(response)) == (404, "Movie not found")


def test_options_where_there_are_none_are_refused(client: Client, world: World, carols: Headers) -> None:
    response = client.post("/api/ratings?user_id=1", json={"movie_id": 550, "value": 4.5}, headers=carols)

    assert response.status_code == 400
    assert "Unknown option 'user_id'; there are none here" in error_of(response)


@pytest.mark.parametrize("method", ("PUT", "PATCH", "DELETE"))
def test_a_method_that_is_not_there_is_a_405_that_names_those_that_are(
    client: Client, world: World, method: str
) -> None:
    response = client.open("/api/ratings", method=method)

    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert error_of(response)


@pytest.mark.both_databases
@pytest.mark.parametrize("path", ("/api/ratings", "/api/ratings/"))
def test_the_ratings_of_a_user_are_listed_newest_first(program: Client, world: World, path: str) -> None:
    response = program.get(f"{path}?user_id={world.bob}&per_page=1")

    assert response.status_code == 200
    assert response.json == {
        "user_id": world.bob,
        "ratings": [{"movie_id": 680, "title": "Pulp Fiction", "value": 4.0, "timestamp": "2024-01-08T00:00:00+00:00"}],
        "page": 1,
        "per_page": 1,
        "total": 2,
    }


def test_a_bad_user_id_is_a_400_that_names_it(client: Client, world: World, subtests: pytest.Subtests) -> None:
    for user_id in ("", "abc", "0", "-1", "+5", "1_0", "１２", "1.0", " 1", "2147483648", "%00"):
        with subtests.test(user_id=user_id):
            response = client.get("/api/ratings", query_string={"user_id": user_id.replace("%00", "\0")})

            assert response.status_code == 400
            assert error_of(response).startswith("user_id ")


@pytest.mark.parametrize("query", ("", "user_id=1&user_id=1"))
def test_a_missing_or_repeated_user_id_is_a_400_that_names_it(client: Client, world: World, query: str) -> None:
    response = client.get(f"/api/ratings?{query}")

    assert response.status_code == 400
    assert error_of(response).startswith("user_id is ")


def test_the_ratings_of_nobody_are_a_404(program: Client, world: World) -> None:
    response = program.get("/api/ratings?user_id=99")

    assert (response.status_code, error_of(response)) == (404, "User not found")


def test_a_rating_counts_at_once_in_the_suggestions(app: Flask, client: Client, trained: Any) -> None:
    token = accounts.create_token(db.session.get_one(User, trained.dave))

    client.post("/api/ratings", json={"movie_id": 550, "value": 5}, headers={"Authorization": f"Bearer {token}"})

    response = client.get(f"/api/suggestions?user_id={trained.dave}")
    assert response.headers["X-Suggestion-Source"] == "fold-in"
    assert 550 not in [movie["id"] for movie in response.json["suggestions"]]
