"""The site under a path, as https://www.example.org/films, behind a proxy that takes the path off."""

import re
from html import unescape

import pytest
from flask import Flask

from recsite.web import trust_proxies
from tests.conftest import PASSWORD, TrainedWorld, World
from tests.web.clients import Client
from tests.web.request.test_htmx import pages_of

FILMS = {"X-Forwarded-Prefix": "/films"}
HTMX = {"HX-Request": "true"}
ADDRESS = re.compile(r"""(?:href|src|action|hx-[a-z]+|data-suggestions|name="next" value)=["'](/[^"']*)""")


@pytest.fixture
def proxied(app: Flask) -> None:
    """Trust one proxy."""
    trust_proxies(app, 1)


def test_every_address_on_a_page_is_below_the_prefix(app: Flask, admin: Client, world: World, proxied: None) -> None:
    outside: dict[str, str] = {}
    for path in pages_of(app):
        for headers in (FILMS, FILMS | HTMX):
            response = admin.get(path, headers=headers)
            found = ADDRESS.findall(unescape(response.text)) if response.mimetype == "text/html" else []
            found += [response.headers[name] for name in ("Location", "HX-Redirect") if name in response.headers]
            outside |= {f"{path}: {each}": each for each in found if not each.startswith("/films/")}

    assert list(outside) == []


@pytest.mark.parametrize("path", ("/movies/99/", "/no/such/page"))
def test_an_error_leads_back_to_the_site(client: Client, world: World, proxied: None, path: str) -> None:
    assert '<a href="/films/">Back to the start</a>' in client.get(path, headers=FILMS).text


def test_logging_in_leads_back_to_the_page_below_the_prefix(client: Client, erin: object, proxied: None) -> None:
    asked = client.get("/accounts/import/?page=2", headers=FILMS)
    assert asked.headers["Location"] == "/films/accounts/login/?next=/films/accounts/import/?page%3D2"

    data = {"username": "erin", "password": PASSWORD, "next": "/films/accounts/import/?page=2"}
    response = client.post("/accounts/login/", data=data, headers=FILMS)

    assert response.headers["Location"] == "/films/accounts/import/?page=2"


@pytest.mark.parametrize("path", ("/movies/", "/filmsy/movies/", "//films/", "/shop/films/"))
def test_nobody_is_led_to_another_site_on_the_same_host(client: Client, erin: object, proxied: None, path: str) -> None:
    data = {"username": "erin", "password": PASSWORD, "next": path}

    response = client.post("/accounts/login/", data=data, headers=FILMS)

    assert response.headers["Location"] == "/films/"


def test_the_lines_of_the_widgets_ask_the_site_below_the_prefix(alice: Client, proxied: None) -> None:
    page = unescape(alice.get("/widgets/", headers=FILMS).text)

    assert 'hx-get="http://localhost/films/api/suggestions/?user_id=1&limit=5"' in page
    assert '<script src="http://localhost/films/assets/htmx.min.js' in page
    assert 'data-suggestions="http://localhost/films/api/suggestions/?user_id=1&limit=5"' in page


def test_the_examples_of_the_api_ask_the_site_below_the_prefix(client: Client, proxied: None) -> None:
    page = unescape(client.get("/api/", headers=FILMS).text)

    assert "http://localhost/films/api/movies" in page
    assert "http://localhost/api/" not in page


@pytest.mark.parametrize("prefix", ("//evil.example", "/films/../..", "https://evil.example", "/a b", "/<b>", "films"))
def test_a_prefix_that_is_no_path_is_ignored(client: Client, world: World, proxied: None, prefix: str) -> None:
    page = client.get("/", headers={"X-Forwarded-Prefix": prefix}).text

    assert '<a href="/movies/"' in page
    assert "evil" not in page


def test_without_a_proxy_no_header_moves_the_site(client: Client, world: World) -> None:
    headers = {"X-Forwarded-Prefix": "/evil", "Script-Name": "/evil", "X-Script-Name": "/evil"}

    assert "/evil" not in client.get("/", headers=headers).text


def test_a_cached_list_links_to_the_prefix_of_who_asks(client: Client, scored: TrainedWorld, proxied: None) -> None:
    path = f"/api/suggestions/?user_id={scored.bob}"

    pages = [client.get(path, headers=HTMX | {"X-Forwarded-Prefix": each}).text for each in ("/evil", "/films", "/x")]

    assert ["http://localhost/films/movies/" in page for page in pages] == [False, True, False]
    assert ["/evil" in page for page in pages] == [True, False, False]
