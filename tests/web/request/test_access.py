"""Who may read and change what: visitors, people, admins, tokens."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from recsite import ratings
from recsite.extensions import db
from recsite.storage.tables import User
from tests.conftest import World
from tests.web.clients import Client, log_in, token_headers

RATING = {"movie_id": 550, "value": 4.5}
Headers = dict[str, str]


@pytest.fixture
def closed(app: Flask, world: World) -> World:
    """The world, read by whom it belongs to."""
    app.config["API_AUTH"] = "required"
    return world


@pytest.fixture
def guarded(app: Flask, world: World) -> World:
    """The world, with forged forms refused as on a real site."""
    app.config["WTF_CSRF_ENABLED"] = True
    return world


def make_admin(user_id: int) -> None:
    db.session.get_one(User, user_id).is_admin = True
    db.session.commit()


def csrf_token(client: Client) -> str:
    """Return the CSRF token of a page that this browser opens."""
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/movies/").text)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("path", "status"),
    (
        ("/api/suggestions?user_id=1", 200),
        ("/api/movies", 200),
        ("/api/movies/550", 200),
        ("/api/movies/550/similar", 200),
        ("/api/ratings?user_id=1", 401),
        ("/api/explain?user_id=1&movie_id=13", 401),
        ("/metrics", 401),
    ),
)
def test_a_stranger_reads_lists_and_movies_of_an_open_api_and_nothing_that_a_user_did(
    app: Flask, client: Client, world: World, path: str, status: int
) -> None:
    app.config["API_AUTH"] = "open"

    assert client.get(path).status_code == status


def test_a_user_of_an_open_api_does_not_read_what_others_did(app: Flask, world: World) -> None:
    app.config["API_AUTH"] = "open"
    bob = log_in(app, world.bob)

    for path in ("/api/ratings?", "/api/explain?movie_id=13&"):
        assert bob.get(f"{path}user_id={world.bob}").status_code == 200
        assert bob.get(f"{path}user_id={world.alice}").status_code == 403


def test_a_visitor_reads_nothing_of_a_closed_api(client: Client, closed: World) -> None:
    response = client.get("/api/ratings?user_id=1")

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_visitor_cannot_ask_a_closed_api_which_users_exist(client: Client, closed: World) -> None:
    assert client.get("/api/ratings?user_id=99").status_code == 401


def test_people_read_their_own(app: Flask, closed: World) -> None:
    alice = log_in(app, closed.alice)

    assert alice.get(f"/api/ratings?user_id={closed.alice}").status_code == 200


def test_people_do_not_read_what_belongs_to_others(app: Flask, closed: World) -> None:
    alice = log_in(app, closed.alice)

    response = alice.get(f"/api/ratings?user_id={closed.bob}")

    assert (response.status_code, response.json) == (403, {"error": "This belongs to another user."})


def test_admins_read_everything(app: Flask, closed: World) -> None:
    make_admin(closed.alice)

    assert log_in(app, closed.alice).get(f"/api/ratings?user_id={closed.bob}").status_code == 200


def test_a_token_reads_everything(client: Client, closed: World) -> None:
    assert client.get(f"/api/ratings?user_id={closed.bob}", headers=token_headers(closed.alice)).status_code == 200


def test_an_unknown_token_is_a_401_whoever_is_logged_in(app: Flask, world: World, subtests: pytest.Subtests) -> None:
    for sent in ("Bearer wrong", "Bearer ", "Bearer", "bearer x=y", "BEARER wrong", "Bearer é"):
        for mode in ("open", "required"):
            with subtests.test(sent=sent, mode=mode):
                app.config["API_AUTH"] = mode
                alice = log_in(app, world.alice)

                response = alice.get(f"/api/ratings?user_id={world.alice}", headers={"Authorization": sent})

                assert response.status_code == 401
                assert response.json == {"error": "This token is not known; 'flask tokens create' makes one."}


def test_the_password_of_a_proxy_in_front_is_no_token(app: Flask, closed: World) -> None:
    alice = log_in(app, closed.alice)

    response = alice.get(f"/api/ratings?user_id={closed.alice}", headers={"Authorization": "Basic YTpi"})

    assert response.status_code == 200


def rate(client: Client, headers: Headers) -> int:
    """Rate Fight Club and return the status of the response."""
    return int(client.post("/api/ratings", json=RATING, headers=headers).status_code)


def unrate(client: Client, headers: Headers) -> int:
    """Delete the rating of Pulp Fiction and return the status of the response."""
    return int(client.delete("/api/ratings/680", headers=headers).status_code)


Change = Callable[[Client, Headers], int]
CHANGES = ((rate, 201), (unrate, 204))
"With the status of success."


@pytest.mark.parametrize("change", (rate, unrate))
@pytest.mark.parametrize("mode", ("open", "required"))
def test_a_visitor_changes_nothing(app: Flask, client: Client, guarded: World, mode: str, change: Change) -> None:
    app.config["API_AUTH"] = mode

    assert change(client, {}) == 401


@pytest.mark.parametrize("change", (rate, unrate))
def test_a_log_in_alone_changes_nothing(app: Flask, guarded: World, change: Change) -> None:
    bob = log_in(app, guarded.bob)

    assert change(bob, {}) == 400
    assert change(bob, {"X-CSRFToken": "forged"}) == 400
    assert (ratings.rating_of(guarded.bob, 550), ratings.rating_of(guarded.bob, 680)) == (None, 4.0)


@pytest.mark.parametrize(("change", "status"), CHANGES)
def test_a_log_in_with_the_csrf_token_changes_what_is_its_own(
    app: Flask, guarded: World, change: Change, status: int
) -> None:
    bob = log_in(app, guarded.bob)

    assert change(bob, {"X-CSRFToken": csrf_token(bob)}) == status


@pytest.mark.parametrize(("change", "status"), CHANGES)
def test_a_token_needs_no_csrf_token(client: Client, guarded: World, change: Change, status: int) -> None:
    assert change(client, token_headers(guarded.bob)) == status


def test_a_token_acts_as_its_user_whoever_is_logged_in(app: Flask, guarded: World) -> None:
    alice = log_in(app, guarded.alice)

    alice.post("/api/ratings", json={"movie_id": 13, "value": 1}, headers=token_headers(guarded.bob))

    assert ratings.rating_of(guarded.bob, 13) == 1.0
    assert ratings.rating_of(guarded.alice, 13) is None


@pytest.mark.parametrize("sent", ("Bearer ", "Bearer wrong"))
def test_the_mere_header_of_a_token_does_not_stand_in_for_the_csrf_token(app: Flask, guarded: World, sent: str) -> None:
    bob = log_in(app, guarded.bob)

    response = bob.post("/api/ratings", json=RATING, headers={"Authorization": sent})

    assert response.status_code == 401
    assert ratings.rating_of(guarded.bob, 550) is None


def test_every_form_needs_the_csrf_token(app: Flask, guarded: World, subtests: pytest.Subtests) -> None:
    for path in (
        "/movies/550/rate",
        "/movies/550/unrate",
        "/movies/550/skip",
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/logout/",
        "/admin/jobs/start",
        "/admin/models/rollback",
        "/admin/models/activate",
    ):
        with subtests.test(path=path):
            make_admin(guarded.alice)

            response = log_in(app, guarded.alice).post(path, data={"value": "4.5"})

            assert response.status_code == 400
            assert "CSRF" in response.text
