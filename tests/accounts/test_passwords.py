"""A new password, and what it does to sessions."""

import pytest
from flask import Flask
from werkzeug.security import generate_password_hash

from recsite import accounts
from recsite.accounts.passwords import hash_password
from recsite.extensions import db
from recsite.storage.tables import User
from tests.conftest import PASSWORD
from tests.web.clients import Client, new_client

OLD, NEW = PASSWORD, "battery-staple-2"


def logged_in(app: Flask, password: str = OLD, **more: str) -> Client:
    client = new_client(app)
    client.post("/accounts/login/", data={"username": "erin", "password": password} | more)
    return client


def is_logged_in(client: Client) -> bool:
    return bool(client.get("/accounts/").status_code == 200)


def change(client: Client, old: str = OLD, new: str = NEW, again: str | None = None) -> tuple[int, str]:
    sent = {"old": old, "new": new, "again": new if again is None else again}
    response = client.post("/accounts/password/", data=sent)
    return response.status_code, response.text


def test_the_new_password_logs_in_and_the_old_one_does_not(app: Flask, erin: User) -> None:
    status, _ = change(logged_in(app))

    assert status == 303
    assert accounts.authenticate("erin", NEW) is not None
    assert accounts.authenticate("erin", OLD) is None


def test_a_new_password_ends_every_other_session_and_not_this_one(app: Flask, erin: User) -> None:
    here, elsewhere = logged_in(app), logged_in(app)

    change(here)

    assert is_logged_in(here)
    assert not is_logged_in(elsewhere)


def test_a_new_password_ends_also_sessions_that_wanted_to_be_remembered(app: Flask, erin: User) -> None:
    here, elsewhere = logged_in(app, remember="on"), logged_in(app, remember="on")
    elsewhere.delete_cookie("session")

    change(here)

    assert not is_logged_in(elsewhere)
    here.delete_cookie("session")
    assert is_logged_in(here)


def test_nobody_is_remembered_by_a_new_password_who_did_not_ask(app: Flask, erin: User) -> None:
    here = logged_in(app)

    change(here)

    assert here.get_cookie("remember_token") is None


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    (
        ("wrong-horse-1", NEW, NEW, "That is not your password."),
        ("", NEW, NEW, "That is not your password."),
        (OLD, "short", "short", "A password has 10 to 1000 characters"),
        (OLD, NEW, "battery-staple-3", "not typed the same twice"),
        (OLD, OLD, OLD, "The new password is the old one"),
        (OLD, "x" * 1002, "x" * 1002, "longer than"),
    ),
)
def test_a_refused_change_says_why_and_changes_nothing(
    app: Flask, erin: User, old: str, new: str, again: str, said: str
) -> None:
    elsewhere = logged_in(app)

    status, page = change(logged_in(app), old, new, again)

    assert status == 400
    assert said in page
    assert is_logged_in(elsewhere)
    assert accounts.authenticate("erin", OLD) is not None


@pytest.mark.parametrize("name", ("1", "1.", "1.0123456789abcdef01234567", "x.y", "", "99.x"))
def test_a_session_without_the_mark_of_the_password_is_nobodys(app: Flask, erin: User, name: str) -> None:
    assert accounts.find_session_user(name) is None
    assert accounts.find_session_user(erin.get_id()) is erin


def test_a_password_costs_its_guesser_what_owasp_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the cheap hashes of the tests

    assert hash_password("a password").startswith("scrypt:32768:8:3$")


def test_a_password_of_a_cheaper_kind_still_logs_in(app: Flask, erin: User) -> None:
    erin.password_hash = generate_password_hash(OLD, "scrypt:16384:8:1")
    db.session.commit()

    assert accounts.authenticate("erin", OLD) is erin


@pytest.mark.parametrize("path", ("/accounts/", "/accounts/password/"))
def test_a_visitor_is_asked_to_log_in(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 303
    assert response.location.startswith("/accounts/login/?next=")
