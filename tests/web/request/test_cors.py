"""Pages of other sites: which of them may read the API, and what they never may."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from recsite import create_app
from tests.conftest import World

FRIEND = {"Origin": "https://friend.example"}
STRANGER = {"Origin": "https://stranger.example"}
PATH = "/api/suggestions/?user_id=1"


@pytest.fixture(params=("https://friend.example", "https://friend.example,https://other.example"))
def visitor(request: pytest.FixtureRequest, app: Flask, world: World) -> Iterator[FlaskClient]:
    """Asks the site of `app` with one and with two origins configured."""
    settings = {name: app.config[name] for name in ("DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL", "MEDIA_ROOT")}
    origins = tuple(request.param.split(","))
    site = create_app({"TESTING": True, "SECRET_KEY": "test", "CORS_ORIGINS": origins} | settings)
    yield site.test_client()
    with site.app_context():
        site.extensions["sqlalchemy"].engine.dispose()


def test_a_page_of_a_configured_origin_reads_the_api(visitor: FlaskClient) -> None:
    response = visitor.get(PATH, headers=FRIEND)

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "https://friend.example"
    assert "X-Suggestion-Source" in response.headers["Access-Control-Expose-Headers"]


def test_such_a_page_reads_what_is_wrong_as_well(visitor: FlaskClient) -> None:
    response = visitor.get("/api/suggestions/?user_id=x", headers=FRIEND)

    assert response.status_code == 400
    assert response.headers["Access-Control-Allow-Origin"] == "https://friend.example"


def test_cookies_never_count_on_such_a_page(visitor: FlaskClient) -> None:
    assert "Access-Control-Allow-Credentials" not in visitor.get(PATH, headers=FRIEND).headers


def test_a_page_of_any_other_origin_does_not(visitor: FlaskClient, subtests: pytest.Subtests) -> None:
    for origin in (
        "https://stranger.example",
        "http://friend.example",
        "https://friend.example:444",
        "https://friend.example.evil.example",
        "https://friendxexample",
        "null",
    ):
        with subtests.test(origin=origin):
            response = visitor.get(PATH, headers={"Origin": origin})

            assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("headers", ({}, FRIEND, STRANGER))
def test_what_is_kept_for_one_site_is_not_taken_for_another(visitor: FlaskClient, headers: dict[str, str]) -> None:
    assert "Origin" in visitor.get(PATH, headers=headers).vary


def test_what_htmx_sends_passes_the_preflight(visitor: FlaskClient) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "hx-current-url,hx-request"}

    response = visitor.options(PATH, headers=FRIEND | asked)

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "https://friend.example"
    assert response.headers["Access-Control-Allow-Headers"] == "hx-current-url, hx-request"
    assert int(response.headers["Access-Control-Max-Age"]) > 0


@pytest.mark.parametrize("header", ("authorization", "x-csrftoken", "content-type"))
def test_what_acts_as_somebody_does_not(visitor: FlaskClient, header: str) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": header}

    response = visitor.options(PATH, headers=FRIEND | asked)

    assert "Access-Control-Allow-Headers" not in response.headers


@pytest.mark.parametrize(("method", "path"), (("POST", "/api/ratings"), ("DELETE", "/api/ratings/550")))
def test_such_a_page_changes_nothing(visitor: FlaskClient, method: str, path: str) -> None:
    response = visitor.options(path, headers=FRIEND | {"Access-Control-Request-Method": method})

    assert "Access-Control-Allow-Methods" not in response.headers


def test_what_is_not_the_api_is_for_this_site_alone(visitor: FlaskClient, subtests: pytest.Subtests) -> None:
    for path in ("/", "/movies/", "/accounts/login/", "/healthz", "/apix"):
        with subtests.test(path=path):
            assert "Access-Control-Allow-Origin" not in visitor.get(path, headers=FRIEND).headers


def test_with_no_origin_configured_nobody_elsewhere_reads_anything(app: Flask, world: World) -> None:
    response = app.test_client().get(PATH, headers=FRIEND)

    assert "Access-Control-Allow-Origin" not in response.headers


def test_with_a_widget_key_such_a_page_changes_what_its_user_token_allows(app: Flask, world: World) -> None:
    settings = {name: app.config[name] for name in ("DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL", "MEDIA_ROOT")}
    more = {"CORS_ORIGINS": ("https://friend.example",), "WIDGET_KEY": ("k" * 32,), "SECRET_KEY": "test"}
    site = create_app({"TESTING": True} | more | settings)
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}

    allowed = site.test_client().options("/api/ratings", headers=FRIEND | asked)
    refused = site.test_client().options("/api/ratings", headers=STRANGER | asked)

    assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
    assert allowed.headers["Access-Control-Allow-Headers"] == "content-type"
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    assert "Access-Control-Allow-Origin" not in refused.headers
    with site.app_context():
        site.extensions["sqlalchemy"].engine.dispose()
