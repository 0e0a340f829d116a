"""POST /api/suggestions: a list for somebody who is not stored, of which nothing is kept."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import suggestions, versions
from recsite.extensions import db
from recsite.storage.tables import Dismissal, Movie, Rating, Suggestion, User
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import rate
from tests.web.clients import Client, ids, token_headers

PATH = "/api/suggestions"
LIKES: list[dict[str, Any]] = [{"movie_id": 680, "value": 5}, {"movie_id": 13, "value": 1.0}]


def count_rows() -> dict[str, int]:
    """Return how many rows the tables of users and their movies have."""
    return {
        table.__tablename__: db.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for table in (User, Rating, Suggestion, Dismissal)
    }


@pytest.mark.both_databases
@pytest.mark.parametrize("path", (PATH, f"{PATH}/"))
def test_somebody_who_is_not_stored_gets_a_list_and_stays_unknown(
    client: Client, scored: TrainedWorld, path: str
) -> None:
    before = count_rows()

    response = client.post(path, json={"ratings": LIKES})

    assert set(ids(response)) == {550, 278, 949, 862}
    assert [item.keys() for item in response.json["suggestions"]] == [{"id", "title", "overview"}] * 4
    assert response.headers["X-Suggestion-Source"] == "fold-in"
    assert response.headers["X-Model-Version"] == scored.version_name
    assert count_rows() == before


@pytest.mark.both_databases
def test_the_list_is_that_of_a_user_with_the_same_ratings(app: Flask, client: Client, scored: TrainedWorld) -> None:
    app.config["RANKER_FLOOR"] = 0
    for rating in LIKES:
        rate(scored.dave, rating["movie_id"], rating["value"])
    options = {"include": ["value", "reason", "genres"], "limit": 3, "sort": "value"}

    stored = client.get(f"{PATH}?user_id={scored.dave}&include=value,reason,genres&limit=3&sort=value")
    sent = client.post(PATH, json={"ratings": LIKES, **options})

    assert sent.json == stored.json
    assert sent.json["suggestions"][0]["reason"].startswith("Because you rated ")


@pytest.mark.both_databases
def test_the_movies_are_named_by_any_of_their_ids(client: Client, scored: TrainedWorld) -> None:
    movie = db.session.get_one(Movie, 680)
    movie.imdb_id, movie.site_id, movie.movielens_id = "tt0110912", "SKU-7", 296
    db.session.commit()
    expected = client.post(PATH, json={"ratings": LIKES[:1], "include": ["value"]}).json

    for name in ("imdb:tt0110912", "site:SKU-7", "movielens:296", "tmdb:680"):
        found = client.post(PATH, json={"ratings": [{"movie": name, "value": 5}], "include": ["value"]})
        assert (name, found.json) == (name, expected)


def test_the_filters_of_a_list_are_keys_of_the_body(client: Client, scored: TrainedWorld) -> None:
    body = {"ratings": LIKES, "years": "1994-1995", "genre": ["drama"], "exclude": [949]}

    assert ids(client.post(PATH, json=body)) == [278]


def test_somebody_without_ratings_gets_popular_movies(client: Client, scored: TrainedWorld) -> None:
    response = client.post(PATH, json={"ratings": []})

    assert response.headers["X-Suggestion-Source"] == "popular"
    assert ids(response) == ids(client.get(f"{PATH}?user_id={scored.carol}"))


def test_without_a_version_the_popular_movies_leave_out_what_was_rated(client: Client, world: World) -> None:
    response = client.post(PATH, json={"ratings": LIKES, "limit": 10})

    assert versions.list_versions() == []
    assert response.headers["X-Suggestion-Source"] == "popular"
    assert set(ids(response)) == {550, 278, 949, 862}


def test_the_last_rating_of_a_movie_counts(client: Client, scored: TrainedWorld) -> None:
    twice = [{"movie_id": 680, "value": 0.5}, {"movie_id": 680, "value": 5}]
    body: dict[str, Any] = {"include": ["value"]}

    once = client.post(PATH, json=body | {"ratings": twice[1:]})

    assert client.post(PATH, json=body | {"ratings": twice}).json == once.json
    assert client.post(PATH, json=body | {"ratings": twice[::-1]}).json != once.json


def test_a_body_that_makes_no_sense_is_refused_with_the_place(
    client: Client, scored: TrainedWorld, subtests: pytest.Subtests
) -> None:
    for body, status, message in (
        (
            {},
            400,
            "ratings is missing; it must be a list of at most 1000, each an object with value and",
        ),
        (
            {"ratings": 5},
            400,
            "ratings must be a list of at most 1000, each an object with value and movie_id",
        ),
        ({"ratings": [7]}, 400, "ratings[0] must be an object with value and movie_id or movie."),
        (
            {"ratings": [*LIKES, {"movie_id": 550}]},
            400,
            "ratings[2].value is missing; ratings[2] must be an object with value and movie_id or movie.",
        ),
        (
            {"ratings": [LIKES[0] | {"stars": 5}]},
            400,
            "ratings[0].stars is unknown; ratings[0] must be an object with value and movie_id or movie.",
        ),
        (
            {"ratings": [*LIKES, {"movie_id": 550, "value": 6}]},
            400,
            "ratings[2].value must be a number from 0.5 to 5 in steps of 0.5.",
        ),
        ({"ratings": [{"value": 5}]}, 400, "ratings[0] must be an object with value and movie_id or movie."),
        (
            {"ratings": [LIKES[0] | {"movie": "tmdb:680"}]},
            400,
            "ratings[0] must be an object with value and movie_id or",
        ),
        ({"ratings": [{"movie": "SKU-1", "value": 4}]}, 400, "ratings[0].movie must be a movie's id with its kind"),
        ({"ratings": [{"movie": "site:SKU-1", "value": 4}]}, 404, "Movie site:SKU-1 not found"),
        ({"ratings": [{"movie_id": 551, "value": 4}]}, 404, "Movie 551 not found"),
        ({"ratings": LIKES * 501}, 400, "ratings must be a list of at most 1000"),
        ({"ratings": LIKES, "genre": "Drama"}, 400, "genre must be a list of at most 10, each a name of 1 to 100"),
        ({"ratings": LIKES, "include": ["value", "value"]}, 400, "include must be a list without repetition, each one"),
        ({"ratings": LIKES, "limit": 101}, 400, "limit must be a whole number from 1 to 100."),
        ({"ratings": LIKES, "user_id": 1}, 400, "Unknown key 'user_id' in the body"),
    ):
        with subtests.test(body=body):
            response = client.post(PATH, json=body)

            assert response.status_code == status
            assert message in response.json["error"]


def test_a_body_that_is_too_long_is_refused(client: Client, scored: TrainedWorld) -> None:
    response = client.post(PATH, data=b" " * 600_000, content_type="application/json")

    assert (response.status_code, response.json["error"]) == (413, "What is sent may have at most 0.5 MB.")


def test_where_a_login_is_required_a_newcomers_list_takes_one_or_a_token(
    app: Flask, client: Client, scored: TrainedWorld
) -> None:
    app.config["API_AUTH"] = "required"
    headers = token_headers(scored.bob)

    assert client.post(PATH, json={"ratings": LIKES}).status_code == 401
    assert client.post(PATH, json={"ratings": LIKES}, headers=headers).status_code == 200


def test_lists_made_for_a_request_are_limited(app: Flask, client: Client, scored: TrainedWorld) -> None:
    app.config["SEARCHES_PER_MINUTE"] = 1
    suggestions.warm_up()

    assert client.post(PATH, json={"ratings": LIKES}).status_code == 200
    assert client.post(f"{PATH}/batch", json={"user_ids": [1]}).status_code == 429
