"""Parsers of requests: any text gives a right value, or a sentence with a status below 500."""

import re
from datetime import date
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recsite.errors import InvalidInput
from recsite.web.request import forms, headers, limits, query_string
from tests.conftest import World
from tests.web.clients import Client

quick = settings(max_examples=100, deadline=None)
on_a_site = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
NUMBERLIKE = st.text("0123456789.eE+-_ \u0663\x00", max_size=25)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)
PART = st.text("abcXYZ019-_=.", max_size=30)
JWT_LIKE = st.lists(PART, max_size=5).map(".".join) | st.builds("{}.{}.".format, PART, ANY_TEXT)
PATHS = st.sampled_from(
    (
        *("/", "/movies/", "/movies/550/", "/movies/popular/", "/accounts/login/", "/static/site.css", "/healthz"),
        *("/api/suggestions", "/api/movies", "/api/movies/550", "/api/ratings", "/api/explain", "/widgets/"),
    )
)


@pytest.fixture
def visitor(app: Flask, client: Client, world: World) -> Client:
    """A browser without limits, and a site that anybody may read."""
    limits_of_site = [name for name in app.config if name.endswith("_PER_MINUTE")]
    app.config.update(dict.fromkeys(limits_of_site, 0), API_AUTH="open")
    return client


@quick
@given(NUMBERLIKE | ANY_TEXT)
@example("1_0")
@example("+5")
def test_a_number_is_its_digits_or_refused(sent: str) -> None:
    is_number = re.fullmatch("[0-9]{1,19}", sent) is not None and int(sent) <= 100
    try:
        found = query_string.parse_number("limit", sent, 0, 100)
    except InvalidInput:
        found = None

    assert found == (int(sent) if is_number else None)


@quick
@given(NUMBERLIKE | ANY_TEXT)
def test_a_form_reads_numbers_dates_and_paths_or_refuses_them(sent: str) -> None:
    class DateForm(forms.Form):
        day = forms.DateField()

    with Flask(__name__).test_request_context("/", method="POST", data={"value": sent, "day": sent, "next": sent}):
        try:
            found = forms.number_field("value")
        except InvalidInput:
            found = -1.0
        try:
            day = DateForm.read().day.data
        except InvalidInput:
            day = None
        path = forms.next_path("/default")

    assert found == -1.0 or (found == float(sent) and re.fullmatch("[0-9.]+", sent))
    assert day is None or day == date.fromisoformat(sent.strip())
    assert re.fullmatch(r"/([^/\\].*)?", path)


@quick
@given(HEADER | st.ip_addresses().map(str) | st.ip_addresses(v=6).map("[{}]:80".format))
def test_an_address_makes_one_short_name(sent: str) -> None:
    name = limits.normalize(sent)

    assert len(name) <= limits.LONGEST_NAME
    assert limits.normalize(f" {sent} ") == name


@quick
@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_a_port_and_a_mapping_to_ipv6_do_not_change_a_client(address: object, port: int) -> None:
    assert {limits.normalize(f"{address}:{port}"), limits.normalize(f"::ffff:{address}")} == {str(address)}


@quick
@given(HEADER, HEADER, HEADER | NUMBERLIKE)
def test_any_headers_are_cleaned(host: str, day: str, length: str) -> None:
    environ = {"HTTP_HOST": host, "HTTP_IF_MODIFIED_SINCE": day, "CONTENT_LENGTH": length, "wsgi.url_scheme": host}

    headers.clean(environ)

    assert environ["HTTP_HOST"] in (host, "")
    assert environ["wsgi.url_scheme"] in headers.SCHEMES
    assert len(environ["CONTENT_LENGTH"]) <= headers.MOST_DIGITS


@on_a_site
@given(path=PATHS, query=st.dictionaries(st.sampled_from(("user_id", "limit", "q", "page", "x")), ANY_TEXT, max_size=3))
def test_any_query_string_gets_an_answer(visitor: Client, path: str, query: dict[str, str]) -> None:
    response = visitor.get(path, query_string="&".join(f"{name}={quote(text)}" for name, text in query.items()))

    assert response.status_code < 500


@on_a_site
@given(path=PATHS, session=JWT_LIKE | HEADER, remember=JWT_LIKE | HEADER)
@example("/", "e30.aaaa.bbbb", "1|x")
def test_any_cookies_get_an_answer(visitor: Client, path: str, session: str, remember: str) -> None:
    cookies = f"session={session}; remember_token={remember}"

    assert visitor.get(path, environ_overrides={"HTTP_COOKIE": cookies}).status_code < 500


@on_a_site
@given(token=JWT_LIKE | HEADER, scheme=st.sampled_from(("Bearer", "bearer", "Basic", "Digest", "")))
def test_any_token_is_unknown_or_no_token(visitor: Client, token: str, scheme: str) -> None:
    environ = {"HTTP_AUTHORIZATION": f"{scheme} {token}"}
    rating = {"movie_id": 550, "value": 4}

    assert visitor.get("/api/movies/550", environ_overrides=environ).status_code in (200, 401)
    assert visitor.post("/api/ratings", json=rating, environ_overrides=environ).status_code == 401


@on_a_site
@given(body=st.binary(max_size=80) | st.text(st.sampled_from('{}[]",:0123456789eE-.movie_idvalue\\ud'), max_size=60))
def test_any_body_gets_an_answer(visitor: Client, body: str | bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        for path in ("/api/ratings", "/movies/550/rate", "/accounts/login/", "/accounts/signup/"):
            assert visitor.post(path, data=body, content_type=kind).status_code < 500, path
