"""Signed user tokens of widgets: which are believed, and that each reads and changes what is its user's alone."""

import time
from typing import Any

import jwt
import pytest
from flask import Flask

from recsite import ratings
from recsite.accounts import site_ids, site_tokens, widget_tokens
from recsite.extensions import db
from recsite.storage.tables import User
from recsite.web.api.operations import Found, find_operations
from tests.conftest import TrainedWorld, World
from tests.web.api.test_scopes import call, dump
from tests.web.clients import Client, log_in, token_headers

KEY, OLD_KEY = "k" * 32, "o" * 32
LIST = "/api/suggestions"
READ, BOTH = "suggestions:read", "suggestions:read ratings:write"
HEAT = 949


@pytest.fixture(autouse=True)
def keys(app: Flask) -> None:
    """A site that needs a login or a token, and has a new and an old key."""
    app.config.update(API_AUTH="required", WIDGET_KEY=(KEY, OLD_KEY))


def token(seconds: int = 3600, key: str = KEY, **claims: Any) -> str:
    """Return a token with these claims; scope is READ unless given."""
    return widget_tokens.make(key, {"scope": READ} | claims, seconds)


def read(client: Client, user_token: str, **more: Any) -> Any:
    """Ask for a list with this token."""
    return client.get(LIST, query_string={"user_token": user_token, **more})


def with_site_id(user_id: int, site_id: str) -> None:
    """Give the user an id of the site."""
    db.session.get_one(User, user_id).site_id = site_id
    db.session.commit()


def test_a_token_reads_the_list_of_its_user(client: Client, scored: TrainedWorld) -> None:
    with_site_id(scored.bob, "cust-42")
    own = client.get(f"{LIST}?user_id={scored.bob}", headers=token_headers(scored.bob)).json
    for signed in (token(sub="cust-42"), token(user_id=scored.bob), token(sub="cust-42", key=OLD_KEY)):
        assert read(client, signed).json == own
        assert read(client, signed, user="cust-42").json == own
        assert read(client, signed, user_id=scored.bob).json == own
        for other in ({"user": "cust-43"}, {"user_id": scored.alice}):
            refused = read(client, signed, **other)
            assert (refused.status_code, refused.json) == (403, {"error": "This token is for another user."})


def test_somebody_who_is_not_stored_gets_popular_movies(client: Client, scored: TrainedWorld) -> None:
    answer = read(client, token(sub="cust-new"))
    assert (answer.status_code, answer.headers["X-Suggestion-Source"]) == (200, "popular")
    assert read(client, token(sub="cust-new"), user="cust-other").status_code == 403
    assert read(client, token(user_id=987_654)).status_code == 404


def test_a_token_that_is_not_as_the_site_makes_it_is_refused(app: Flask, client: Client, scored: TrainedWorld) -> None:
    now = int(time.time())
    whole = {"user_id": scored.bob, "scope": READ, "exp": now + 600}
    wrong = {
        "expired": (token(-61, user_id=scored.bob), "user_token is expired; the site's server makes a new one."),
        "far ahead": (token(25 * 3600, user_id=scored.bob), "user_token must expire within 24 hours (exp)."),
        "without end": (
            jwt.encode({"user_id": 2, "scope": READ}, KEY),
            "user_token must expire within 24 hours (exp).",
        ),
        "forged": (token(key="f" * 32, user_id=scored.bob), "is not valid"),
        "unsigned": (jwt.encode(whole, "", algorithm="none"), "is not valid"),
        "another algorithm": (jwt.encode(whole, KEY * 2, algorithm="HS384"), "is not valid"),
        "not before": (jwt.encode(whole | {"nbf": now + 600}, KEY), "is not valid"),
        "text": ("nonsense", "is not valid"),
        "empty": ("", "is not valid"),
        "long": (token(user_id=scored.bob, more="x" * 5000), "is not valid"),
        "no scope": (token(user_id=scored.bob, scope=""), "must have the claim scope"),
        "another scope": (token(user_id=scored.bob, scope="users:write"), "must have the claim scope"),
        "a list of scopes": (token(user_id=scored.bob, scope=[READ]), "must have the claim scope"),
        "nobody": (token(), "must have one claim for the user"),
        "two users": (token(sub="cust-42", user_id=scored.bob), "must have one claim for the user"),
        "a text as number": (token(user_id=str(scored.bob)), "must have one claim for the user"),
        "true": (token(user_id=True), "must have one claim for the user"),
        "no site's id": (token(sub="a b"), "must have one claim for the user"),
        "a number as sub": (jwt.encode(whole | {"sub": 2}, KEY), "is not valid"),
    }
    for name, (signed, message) in wrong.items():
        answer = read(client, signed)
        assert (answer.status_code, message in answer.json["error"]) == (401, True), (name, answer.text)
    app.config["WIDGET_KEY"] = ()
    answer = read(client, token(user_id=scored.bob))
    assert (answer.status_code, answer.json["error"]) == (
        401,
        "user_token is not accepted here, because WIDGET_KEY is not set.",
    )


def test_a_forged_token_is_refused_on_an_open_site_too(app: Flask, client: Client, scored: TrainedWorld) -> None:
    app.config["API_AUTH"] = "open"
    assert read(client, token(key="f" * 32, user_id=scored.bob)).status_code == 401


@pytest.mark.both_databases
def test_with_the_second_scope_it_rates_and_dismisses_for_its_user(client: Client, scored: TrainedWorld) -> None:
    query = {"user_token": token(sub="cust-1", scope=BOTH)}
    assert client.post("/api/ratings", json={"movie_id": 551, "value": 4}, query_string=query).status_code == 404
    assert site_ids.find_user_id("cust-1") is None
    rated = client.post("/api/ratings", json={"movie_id": HEAT, "value": 4}, query_string=query)
    user_id = site_ids.find_user_id("cust-1")
    assert (rated.status_code, rated.json) == (201, {"user_id": user_id, "movie_id": HEAT, "value": 4})
    dismissed = client.post("/api/dismissals", json={"movie_id": 680}, query_string=query)
    assert dismissed.json == {"user_id": user_id, "movie_id": 680}
    listed = [each["id"] for each in read(client, query["user_token"]).json["suggestions"]]
    assert not {HEAT, 680} & set(listed)
    assert client.delete("/api/dismissals/680", query_string=query).status_code == 204
    assert client.delete(f"/api/ratings/{HEAT}", query_string=query).status_code == 204
    assert ratings.rating_of(user_id or 0, HEAT) is None


def test_it_changes_nothing_of_others(client: Client, scored: TrainedWorld) -> None:
    before = dump()
    query = {"user_token": token(user_id=scored.bob, scope=BOTH)}
    for named in ({"user_id": scored.alice}, {"user": "cust-9"}):
        for path in ("/api/ratings", "/api/dismissals"):
            body = {"movie_id": HEAT, **named} | ({"value": 4} if path == "/api/ratings" else {})
            assert client.post(path, json=body, query_string=query).status_code == 403
        for path in (f"/api/ratings/{HEAT}", f"/api/dismissals/{HEAT}"):
            assert client.delete(path, query_string=query | named).status_code == 403
    only_read = {"user_token": token(user_id=scored.bob)}
    refused = client.post("/api/ratings", json={"movie_id": HEAT, "value": 4}, query_string=only_read)
    assert (refused.status_code, refused.json) == (403, {"error": "This token lacks the scope ratings:write."})
    only_write = token(user_id=scored.bob, scope="ratings:write")
    assert read(client, only_write).json == {"error": "This token lacks the scope suggestions:read."}
    assert dump() == before


def test_it_reads_nothing_else(app: Flask, client: Client, scored: TrainedWorld) -> None:
    signed = token(user_id=scored.bob, scope=BOTH)
    taken: list[Found] = []
    for found in find_operations(app):
        if found.operation.takes_user_token:
            taken.append(found)
            continue
        answer = call(client, found, {}, user_token=signed)
        # An unknown option, or nobody who calls.
        assert answer.status_code in (400, 401), (found.path, answer.text)
    assert sorted({(each.method, each.path) for each in taken}) == [
        ("DELETE", "/api/dismissals/<id:movie_id>"),
        ("DELETE", "/api/ratings/<id:movie_id>"),
        ("GET", "/api/suggestions"),
        ("POST", "/api/dismissals"),
        ("POST", "/api/ratings"),
    ]
    assert read(client, signed, together_with=str(scored.alice)).status_code == 403


def test_every_bad_token_calls_nothing(app: Flask, client: Client, scored: TrainedWorld) -> None:
    whole = {"user_id": scored.bob, "scope": BOTH, "exp": int(time.time()) + 600}
    bad = (
        token(user_id=scored.alice, scope=BOTH),
        token(-61, user_id=scored.bob, scope=BOTH),
        token(key="f" * 32, user_id=scored.bob, scope=BOTH),
        jwt.encode(whole, "", algorithm="none"),
    )
    before = dump()
    for found in find_operations(app):
        for signed in bad:
            answer = call(client, found, {}, user_token=signed)
            assert answer.status_code in (400, 401, 403), (found.path, answer.text)
    assert dump() == before


def test_a_page_with_a_token_does_not_act_for_who_is_logged_in(app: Flask, scored: TrainedWorld) -> None:
    alice = log_in(app, scored.alice)
    app.config["WTF_CSRF_ENABLED"] = True
    body = {"movie_id": 13, "value": 4}
    query = {"user_token": token(user_id=scored.bob, scope=BOTH)}
    assert alice.post("/api/ratings", json=body, query_string=query).json["user_id"] == scored.bob
    forged = {"user_token": token(key="f" * 32, user_id=scored.bob, scope=BOTH)}
    assert alice.post("/api/ratings", json=body, query_string=forged).status_code == 401
    assert ratings.rating_of(scored.alice, 13) is None


def test_an_api_token_counts_before_a_user_token(client: Client, world: World) -> None:
    headers = {"Authorization": f"Bearer {site_tokens.create('shop', [READ], None, 'tests')}"}
    answer = client.get(LIST, query_string={"user_id": world.bob, "user_token": "nonsense"}, headers=headers)
    assert answer.status_code == 200


def test_a_token_is_given_once(client: Client, world: World) -> None:
    signed = token(user_id=world.bob)
    answer = client.get(f"{LIST}?user_token={signed}&user_token={signed}")
    assert (answer.status_code, answer.json) == (400, {"error": "user_token is given more than once."})
