"""Failures as answers: their status, and their three shapes."""

import logging
from typing import NoReturn

import pytest
import sqlalchemy as sa
from flask import Flask, Response, abort
from flask_wtf import CSRFProtect

from recsite import errors
from recsite.extensions import db
from recsite.web.request.errors import status_of
from tests.web.clients import Client

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def fail_at(app: Flask, path: str, error: BaseException) -> None:
    """Let this path fail with the error."""

    def view() -> Response:
        raise error

    app.add_url_rule(path, path, view)


def kinds_of(kind: type[errors.RecsiteError]) -> set[type[errors.RecsiteError]]:
    """Return the class and all classes below it that recsite.errors defines."""
    found = {kind}.union(*map(kinds_of, kind.__subclasses__()))
    return {each for each in found if each.__module__ == errors.__name__}


def test_every_error_has_a_status_that_a_client_understands() -> None:
    for kind in kinds_of(errors.RecsiteError) - {errors.RecsiteError}:
        assert status_of(kind.__new__(kind)) in (400, 401, 404, 409, 503), kind


def test_what_does_not_exist_is_a_404_and_what_makes_no_sense_a_400(app: Flask, client: Client) -> None:
    cases = {
        "/api/fails/1": (errors.MovieNotFound(), 404),
        "/api/fails/2": (errors.InvalidInput("limit is 5"), 400),
        "/api/fails/3": (errors.NothingToRollBackTo("there is no version before"), 409),
    }
    for path, (error, _) in cases.items():
        fail_at(app, path, error)

    for path, (error, status) in cases.items():
        response = client.get(path)

        assert (response.status_code, response.json) == (status, {"error": str(error)})
        assert "Retry-After" not in response.headers


def test_without_a_queue_the_answer_says_so_without_naming_a_command(app: Flask, client: Client) -> None:
    fail_at(app, "/api/fails", errors.QueueUnavailable())

    response = client.get("/api/fails")

    message = "Redis does not answer, so nothing was queued. Start it and try again."
    assert (response.status_code, response.json) == (503, {"error": message})
    assert response.headers["Retry-After"] == "5"


def test_a_browser_gets_a_page_that_says_what_to_do(app: Flask, client: Client) -> None:
    fail_at(app, "/fails", errors.InvalidInput("limit is <b>5</b>"))

    response = client.get("/fails", headers=BROWSER)

    assert response.status_code == 400
    assert response.mimetype == "text/html"
    assert "limit is &lt;b&gt;5&lt;/b&gt;" in response.text
    assert "<title>Bad Request" in response.text


@pytest.mark.parametrize("path", ("/fails", "/api/fails"))
def test_htmx_gets_a_snippet(app: Flask, client: Client, path: str) -> None:
    fail_at(app, path, errors.InvalidInput("limit is 5"))

    response = client.get(path, headers=HTMX)

    assert response.status_code == 400
    assert response.text.strip() == '<p class="error" role="alert">limit is 5</p>'
    assert set(response.vary) >= {"HX-Request", "Accept"}


def test_a_path_that_is_not_there_is_answered_in_the_shape_that_is_asked_for(
    client: Client, subtests: pytest.Subtests
) -> None:
    for path, headers, mimetype in (
        ("/nowhere", {}, "text/html"),
        ("/nowhere", {"Accept": "*/*"}, "text/html"),
        ("/nowhere", {"Accept": "image/png"}, "text/html"),
        ("/nowhere", BROWSER, "text/html"),
        ("/nowhere", JSON, "application/json"),
        ("/nowhere", HTMX, "text/html"),
        ("/api/nowhere", {}, "application/json"),
        ("/api/nowhere", BROWSER, "application/json"),
    ):
        with subtests.test(path=path):
            response = client.get(path, headers=headers)

            assert response.status_code == 404
            assert response.mimetype == mimetype


def test_a_method_that_is_not_allowed_names_those_that_are(client: Client) -> None:
    response = client.delete("/healthz", headers=JSON)

    assert response.status_code == 405
    assert set(response.allow) == {"GET", "HEAD", "OPTIONS"}
    assert set(response.json) == {"error"}


def test_headers_of_the_error_are_kept(app: Flask, client: Client) -> None:
    @app.get("/api/limited")
    def limited() -> NoReturn:
        abort(429, "Slow down.", retry_after=30)

    response = client.get("/api/limited")

    assert (response.status_code, response.json) == (429, {"error": "Slow down."})
    assert response.headers["Retry-After"] == "30"


def test_an_answer_that_a_view_made_itself_is_left_alone(app: Flask, client: Client) -> None:
    @app.get("/api/own")
    def own() -> NoReturn:
        abort(Response("as it is", 418))

    response = client.get("/api/own")

    assert (response.status_code, response.text) == (418, "as it is")


def test_a_redirect_is_no_error(app: Flask, client: Client) -> None:
    @app.get("/folder/")
    def folder() -> str:
        return ""

    assert client.get("/folder").status_code == 308


def test_a_form_without_its_csrf_token_is_a_bad_request(app: Flask, client: Client) -> None:
    @app.post("/form")
    def form() -> str:
        return ""

    app.config["WTF_CSRF_ENABLED"] = True
    CSRFProtect(app)

    response = client.post("/form", headers=JSON)

    assert (response.status_code, response.json) == (400, {"error": "The CSRF token is missing."})


@pytest.mark.parametrize(
    "error",
    (sa.exc.OperationalError("SELECT 1", {}, Exception("secret detail")), sa.exc.TimeoutError("pool is full")),
)
@pytest.mark.parametrize("headers", (JSON, HTMX, BROWSER))
def test_a_database_that_does_not_answer_is_unavailable_and_not_a_fault(
    app: Flask, client: Client, error: Exception, headers: dict[str, str]
) -> None:
    fail_at(app, "/fails", error)

    response = client.get("/fails", headers=headers)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "The database does not answer" in response.text
    assert "secret detail" not in response.text


@pytest.mark.parametrize("kind", (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError))
def test_what_a_sound_database_refuses_is_a_fault_of_ours(
    app: Flask, client: Client, kind: type[sa.exc.DatabaseError]
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    fail_at(app, "/fails", kind("SELECT 1", {}, Exception("secret detail")))

    assert client.get("/fails").status_code == 500


def test_the_page_about_an_outage_needs_no_database(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    @app.get("/fails")
    def fails() -> str:
        return str(db.session.scalar(db.text("SELECT 1")))

    def refuse(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("connection refused"))

    client = app.test_client()
    with client.session_transaction() as session:
        # Whoever is logged in is looked up in the database for the links at the top of a page.
        session["_user_id"] = "1"
    monkeypatch.setattr(db.session, "execute", refuse)
    monkeypatch.setattr(db.session, "get", refuse)
    monkeypatch.setattr(db.session, "scalar", refuse)

    response = client.get("/fails", headers=BROWSER)

    assert response.status_code == 503
    assert "The database does not answer" in response.text


@pytest.mark.parametrize(
    ("headers", "mimetype"), ((JSON, "application/json"), (HTMX, "text/html"), (BROWSER, "text/html"))
)
def test_what_nobody_foresaw_is_logged_and_says_nothing_of_itself(
    app: Flask, client: Client, caplog: pytest.LogCaptureFixture, headers: dict[str, str], mimetype: str
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    fail_at(app, "/fails", ZeroDivisionError("secret detail"))

    with caplog.at_level(logging.ERROR):
        response = client.get("/fails", headers=headers)

    assert (response.status_code, response.mimetype) == (500, mimetype)
    assert "secret detail" not in response.text
    assert "ZeroDivisionError: secret detail" in caplog.text
