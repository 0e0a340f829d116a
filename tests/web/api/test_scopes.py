"""Which token of the site may call what: a missing scope is a 403 that names it."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import ratings
from recsite.accounts import SCOPES, site_ids
from recsite.extensions import db
from recsite.storage.tables import ApiToken, Rating, User, now
from recsite.web.api.openapi import body_example, describe_parameters
from recsite.web.api.operations import Found, find_operations
from recsite.web.api.schema import pairs_of, properties
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client, log_in, new_client, site_headers, token_headers

Headers = dict[str, str]


def call(client: Client, found: Found, headers: Headers, **more: str) -> Any:
    """Send the operation's example, about bob where it names a user, with more parameters."""
    operation = found.operation
    path = found.path
    for name, schema in properties(operation.path).items():
        path = path.replace(f"<id:{name}>", "2" if name == "user_id" else str(schema["examples"][0]))
    named = {first for first, _ in pairs_of(operation.query)}
    query = {
        each["name"]: each["example"]
        for each in describe_parameters(operation.query, "query")
        if each["required"] or each["name"] in named
    }
    if "user_id" in query:
        query["user_id"] = 2
    body = body_example(operation) if operation.body else None
    if operation.who == "author" and not body:
        query["user_id"] = 2
    if body and "user" in properties(operation.body or operation.query):
        body = {key: value for key, value in body.items() if key != "user"} | {"user_id": 2}
    return client.open(path, method=found.method, query_string=query | more, json=body, headers=headers)


@pytest.fixture
def closed(app: Flask, trained: TrainedWorld) -> list[Found]:
    """The operations of a site with API_AUTH=required, except those that anyone may call."""
    app.config["API_AUTH"] = "required"
    return [found for found in find_operations(app) if found.operation.who != "anyone"]


def test_a_token_without_the_scope_gets_a_403_that_names_it(client: Client, closed: list[Found]) -> None:
    for found in closed:
        scope = found.operation.scope
        headers = site_headers(*(each for each in SCOPES if each != scope))

        response = call(client, found, headers)

        assert (response.status_code, response.json) == (403, {"error": f"This token lacks the scope {scope}."}), found


def test_a_token_with_the_scope_alone_may_call(client: Client, closed: list[Found]) -> None:
    for found in closed:
        response = call(client, found, site_headers(found.operation.scope))

        assert response.status_code not in (400, 401, 403), (found, response.text)


def test_nobody_calls_without_a_token_or_with_one_that_ended(client: Client, closed: list[Found]) -> None:
    expired, revoked = (site_headers(*SCOPES, days=1) for _ in range(2))
    first, second = db.session.scalars(sa.select(ApiToken).order_by(ApiToken.id))
    first.expires_at = now() - timedelta(minutes=1)
    db.session.delete(second)
    db.session.commit()

    for found in closed:
        for headers in ({}, expired, revoked, {"Authorization": "Bearer forged"}):
            response = call(client, found, headers)

            assert response.status_code == 401, found
            assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_another_user_calls_nothing_about_bob(app: Flask, closed: list[Found]) -> None:
    carol = log_in(app, TrainedWorld.carol)
    about_bob = [found for found in closed if found.operation.who != "client"]

    for found in about_bob:
        response = call(carol, found, {})

        assert response.status_code == 403, (found, response.text)


def test_nothing_is_changed_by_those_who_may_not(app: Flask, client: Client, closed: list[Found]) -> None:
    before = dump()
    carols = token_headers(TrainedWorld.carol)

    for found in closed:
        if found.method != "GET":
            for headers in ({}, carols, site_headers("suggestions:read")):
                call(client, found, headers)

    assert dump() == before


def dump() -> list[tuple[Any, ...]]:
    """Return all stored ratings and users."""
    ratings_of = sa.select(Rating.user_id, Rating.movie_id, Rating.value).order_by(Rating.user_id, Rating.movie_id)
    return [tuple(row) for row in (*db.session.execute(ratings_of), *db.session.execute(sa.select(User.id)))]


def test_the_site_rates_for_a_user_and_creates_one_it_names_first(client: Client, world: World) -> None:
    headers = site_headers("ratings:write")
    at = {"timestamp": 1_700_000_000}

    first = client.post("/api/ratings", json={"user": "cust-42", "movie_id": 550, "value": 4.5} | at, headers=headers)
    second = client.post("/api/ratings", json={"user": "cust-42", "movie": "tmdb:550", "value": 3}, headers=headers)

    user_id = site_ids.find_user_id("cust-42")
    assert user_id is not None
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json == {"user_id": user_id, "movie_id": 550, "value": 4.5}
    assert ratings.rating_of(user_id, 550) == 3.0


def test_a_rating_keeps_the_time_that_the_site_gives(client: Client, world: World) -> None:
    body = {"user_id": world.carol, "movie_id": 550, "value": 4.5, "timestamp": 1_700_000_000}

    client.post("/api/ratings", json=body, headers=site_headers("ratings:write"))

    rated = ratings.find_rated(world.carol, 550)
    assert rated is not None
    assert rated.timestamp.timestamp() == 1_700_000_000


def test_a_token_of_the_site_has_to_name_the_user(client: Client, world: World) -> None:
    headers = site_headers("ratings:write")

    rated = client.post("/api/ratings", json={"movie_id": 550, "value": 4.5}, headers=headers)
    removed = client.delete("/api/ratings/680", headers=headers)

    assert (rated.status_code, removed.status_code) == (403, 403)
    assert rated.json == {"error": "A token of the site has to name the user, by user or user_id."}


def test_a_rating_that_cannot_be_saved_creates_nobody(client: Client, world: World) -> None:
    headers = site_headers("ratings:write")

    unknown = client.post("/api/ratings", json={"user": "cust-42", "movie_id": 551, "value": 4.5}, headers=headers)

    assert unknown.status_code == 404
    assert site_ids.find_user_id("cust-42") is None


def test_the_site_takes_a_rating_back(client: Client, world: World) -> None:
    headers = site_headers("ratings:write")

    assert client.delete(f"/api/ratings/680?user_id={world.bob}", headers=headers).status_code == 204
    assert client.delete(f"/api/ratings/680?user_id={world.bob}", headers=headers).status_code == 404
    assert client.delete("/api/ratings/680?user=cust-99", headers=headers).status_code == 404


def test_a_user_rates_only_as_themselves(app: Flask, client: Client, world: World) -> None:
    bobs = token_headers(world.bob)

    own = client.post("/api/ratings", json={"user_id": world.bob, "movie_id": 550, "value": 4}, headers=bobs)
    others = client.post("/api/ratings", json={"user_id": world.carol, "movie_id": 550, "value": 4}, headers=bobs)
    unknown = client.post("/api/ratings", json={"user": "cust-42", "movie_id": 550, "value": 4}, headers=bobs)

    assert (own.status_code, others.status_code, unknown.status_code) == (201, 403, 403)
    assert others.json == {"error": "This takes an admin, or a token of the site with the scope ratings:write."}
    assert ratings.rating_of(world.carol, 550) is None
    assert site_ids.find_user_id("cust-42") is None


def test_a_token_of_the_site_sees_the_pages_as_a_visitor(app: Flask, world: World) -> None:
    headers = site_headers(*SCOPES)

    for path in ("/", "/movies/", "/movies/550/"):
        assert new_client(app).get(path, headers=headers).status_code == 200
    assert new_client(app).get("/metrics", headers=headers).status_code == 403
    assert new_client(app).get("/admin/", headers=headers).status_code == 303
