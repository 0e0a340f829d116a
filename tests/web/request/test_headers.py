"""Headers, paths and lengths that no sensible client sends: ignored, or refused, and never a fault."""

import pytest
from flask import Flask

from recsite.web import trust_proxies
from recsite.web.request import headers
from tests.conftest import World
from tests.web.clients import Client, new_client

PAGES = ("/", "/movies/550/", "/static/site.css", "/assets/htmx.min.js", "/api/suggestions?user_id=1", "/widgets/")
LATE = "Thu, 99 Feb 99999999999 99:99:99 GMT"


@pytest.fixture
def behind_proxy(app: Flask, world: World) -> Client:
    """A browser whose requests pass a proxy that hands on whatever it gets."""
    app.config["API_AUTH"] = "open"
    trust_proxies(app, 1)
    return new_client(app)


def test_a_date_that_cannot_be_one_is_ignored(behind_proxy: Client, subtests: pytest.Subtests) -> None:
    for name in ("If-Modified-Since", "If-Unmodified-Since", "If-Range", "Date"):
        for sent in (LATE, "Thu, 01 Jan 1970 00:00:00 +9999999999999", "yesterday", ""):
            with subtests.test(name=name, sent=sent):
                for path in PAGES:
                    assert behind_proxy.get(path, headers={name: sent}).status_code == 200, path


def test_a_host_that_cannot_be_one_is_ignored(behind_proxy: Client, subtests: pytest.Subtests) -> None:
    for name in ("HTTP_HOST", "HTTP_X_FORWARDED_HOST"):
        for sent in ("a..b", ".", "x" * 64, "1" * 5000, "a:" + "9" * 4500, "xn--a", "a.xn--zzzz9999999.b"):
            with subtests.test(name=name, sent=sent):
                if name == "HTTP_HOST" and "xn--" in sent:
                    pytest.skip("Werkzeug's test client decodes this name itself")
                for path in PAGES:
                    assert behind_proxy.get(path, environ_overrides={name: sent}).status_code == 200, path


@pytest.mark.parametrize(
    "host", ("example.org", "example.org:8080", "[::1]:8080", "xn--bcher-kva.example", "127.0.0.1")
)
def test_a_usual_host_is_kept(host: str) -> None:
    assert headers.is_host(host)


@pytest.mark.parametrize("sent", ("http://[", "javascript", "https,http", ""))
def test_a_scheme_other_than_http_is_ignored(behind_proxy: Client, sent: str) -> None:
    for path in PAGES:
        assert behind_proxy.get(path, headers={"X-Forwarded-Proto": sent}).status_code == 200, path


@pytest.mark.parametrize(("sent", "status"), (("9" * 5000, 413), ("\u0663", 400), ("-1", 400), ("x" * 5000, 400)))
def test_a_length_that_cannot_be_one_is_refused(behind_proxy: Client, sent: str, status: int) -> None:
    response = behind_proxy.post("/accounts/login/", environ_overrides={"CONTENT_LENGTH": sent})

    assert response.status_code == status


@pytest.mark.both_databases
def test_a_path_with_a_nul_is_not_found(client: Client, subtests: pytest.Subtests) -> None:
    for path in ("/accounts/receipts/%00", "/accounts/receipts/a%00.txt", "/static/%00", "/%00"):
        with subtests.test(path=path):
            assert client.get(path).status_code == 404


@pytest.mark.parametrize("sent", ("Basic \x80", "Basic \xff\xfe", "Digest \x80=\x80", "Basic x", "Basic"))
def test_credentials_that_cannot_be_parsed_are_none(behind_proxy: Client, sent: str) -> None:
    response = behind_proxy.get("/api/suggestions?user_id=1", environ_overrides={"HTTP_AUTHORIZATION": sent})

    assert response.status_code == 200
