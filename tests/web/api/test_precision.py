"""Stars in answers: two decimals, or all on request."""

import pytest

from recsite import movies, suggestions
from recsite.extensions import db
from recsite.storage.tables import Movie
from tests.conftest import TrainedWorld
from tests.web.clients import Client, token_headers

LIKES = [{"movie_id": 680, "value": 5}]


@pytest.fixture
def values(scored: TrainedWorld) -> list[float]:
    """The predicted ratings of bob's list, with all their decimals."""
    found = [item.value for item in suggestions.best_for(scored.bob).items]
    assert any(value != round(value, 2) for value in found if value is not None)
    return [value for value in found if value is not None]


def test_values_of_lists_have_two_decimals(client: Client, values: list[float]) -> None:
    path = "/api/suggestions?user_id=2&include=value"

    for query, expected in ((path, [round(value, 2) for value in values]), (f"{path}&precision=full", values)):
        items = client.get(query).json["suggestions"]
        assert [item["value"] for item in items] == pytest.approx(expected, abs=1e-9)


def test_values_of_batches_have_two_decimals(client: Client, values: list[float]) -> None:
    body = {"user_ids": [2], "include": ["value"]}

    for more, expected in (({}, [round(value, 2) for value in values]), ({"precision": "full"}, values)):
        (result,) = client.post("/api/suggestions/batch", json=body | more).json["results"]
        assert [item["value"] for item in result["suggestions"]] == pytest.approx(expected, abs=1e-9)


def test_values_of_newcomers_have_two_decimals(client: Client, values: list[float]) -> None:
    body = {"ratings": LIKES, "include": ["value"]}

    short, long = (
        [item["value"] for item in client.post("/api/suggestions", json=body | more).json["suggestions"]]
        for more in ({}, {"precision": "full"})
    )

    assert short == [round(value, 2) for value in long]
    assert short != long


@pytest.mark.parametrize("path", ("/api/movies/680", "/api/movies?q=pulp", "/api/movies/trending?days=365"))
def test_figures_of_movies_have_two_decimals(client: Client, scored: TrainedWorld, path: str) -> None:
    suggestions.rate(scored.dave, 680, 3.5)
    movies.refresh_averages([680])
    db.session.commit()
    movie = db.session.get_one(Movie, 680)
    figures = (movie.rating_avg, movie.score)

    for more, expected in (("", tuple(round(each or 0, 2) for each in figures)), ("precision=full", figures)):
        answer = client.get(f"{path}{'&' if '?' in path else '?'}{more}" if more else path).json
        found = answer["movies"][0] if "movies" in answer else answer
        assert (found["rating_avg"], found["score"]) == expected


def test_an_explained_prediction_has_two_decimals(client: Client, scored: TrainedWorld) -> None:
    path = "/api/explain?user_id=2&movie_id=550"

    short, full = (
        client.get(f"{path}{more}", headers=token_headers(scored.bob)).json["prediction"]["value"]
        for more in ("", "&precision=full")
    )

    assert short == round(full, 2) != full


def test_a_precision_that_does_not_exist_is_refused(client: Client, scored: TrainedWorld) -> None:
    response = client.get("/api/suggestions?user_id=2&precision=3")

    assert (response.status_code, response.json["error"]) == (400, "precision must be one of: full.")
