"""Forms behind proxies: over HTTPS without a Referer, at another port, and over plain HTTP with secure cookies."""

import re
from typing import cast

import pytest
from flask import Flask
from flask_wtf import CSRFProtect

from recsite.web import trust_proxies
from tests.conftest import PASSWORD
from tests.web.clients import Client, new_client

HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "films.example"}


@pytest.fixture
def browser(app: Flask) -> Client:
    """A browser of a site that checks tokens, has secure cookies and stands behind one proxy."""
    app.config.update(WTF_CSRF_ENABLED=True, SESSION_COOKIE_SECURE=True)
    CSRFProtect(app)
    trust_proxies(app, 1)
    return new_client(app)


def log_in(browser: Client, address: str, headers: dict[str, str], **changed: str) -> tuple[int, str]:
    """Open the log-in page, send its form and return the status and the text."""
    page = browser.get("/accounts/login/", headers=headers, base_url=address).text
    (token,) = set(re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', page))
    data = {"username": "erin", "password": PASSWORD, "csrf_token": token} | changed
    sent = browser.post("/accounts/login/", data=data, headers=headers, base_url=address)
    return sent.status_code, sent.text


@pytest.mark.parametrize(
    "more",
    (
        {},
        {"Origin": "https://films.example"},
        {"Referer": "https://films.example:8443/accounts/login/", "Origin": "https://films.example:8443"},
    ),
)
def test_over_https_the_token_of_a_form_suffices(browser: Client, erin: object, more: dict[str, str]) -> None:
    assert log_in(browser, "https://films.example", HTTPS | more)[0] == 303


def test_over_https_a_form_of_another_site_is_refused(browser: Client, erin: object) -> None:
    headers = HTTPS | {"Referer": "https://films.example/"}

    status, text = log_in(browser, "https://films.example", headers, csrf_token="forged")

    assert (status, "The CSRF token is invalid." in text) == (400, True)


def test_over_plain_http_a_form_says_that_it_needs_https(app: Flask, browser: Client, erin: object) -> None:
    # As browsers do over plain HTTP, this one sends no secure cookie.
    status, text = log_in(cast(Client, app.test_client(use_cookies=False)), "http://films.example", {})

    assert status == 400
    assert "Open the site by its https address" in text
    assert "COOKIES_SECURE" in text
