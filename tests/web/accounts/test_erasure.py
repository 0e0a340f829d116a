"""Deleting an account on its page and by the command, with the receipt."""

from pathlib import Path

import pytest
from flask import Flask

from recsite import accounts
from recsite.accounts import erasure
from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.ratings import exports
from recsite.storage import audit
from recsite.storage.tables import User
from tests.conftest import PASSWORD
from tests.processes.servers import RedisServer, running_command
from tests.ratings.changes import rate
from tests.web.clients import Client, Runner, new_client


@pytest.fixture
def erin(erin: User) -> User:
    """A user with a password and three ratings."""
    for movie_id in (550, 949, 862):
        rate(erin.id, movie_id, 2.0)
    return erin


@pytest.fixture
def browser(app: Flask, erin: User) -> Client:
    """A browser in which Erin is logged in."""
    return new_client(app, erin)


def users_in(path: Path) -> set[str]:
    """Whose ratings stand in a file of the exports."""
    return {line.partition(",")[0] for line in path.read_text().splitlines()[1:]}


def test_deleting_takes_the_password(browser: Client, erin: User) -> None:
    response = browser.post("/accounts/delete/", data={"password": "wrong-horse-1"})

    assert response.status_code == 400
    assert "That is not your password." in response.text
    assert db.session.get(User, erin.id) is not None


def test_deleting_logs_out_everywhere_and_shows_the_receipt(app: Flask, browser: Client, erin: User) -> None:
    elsewhere = app.test_client(user=erin)

    response = browser.post("/accounts/delete/", data={"password": PASSWORD})

    page = browser.get(response.location).text
    text = browser.get(f"{response.location}.txt")
    assert response.status_code == 303
    assert "Your account is deleted" in page
    assert "ratings (3)" in text.text
    assert "attachment" in text.headers["Content-Disposition"]
    assert [client.get("/accounts/").status_code for client in (browser, elsewhere)] == [303, 303]
    assert elsewhere.get("/").status_code == 200


@pytest.mark.parametrize("key", ("x", "x" * 500, "%00", "%C3%A9", "x.txt"))
def test_a_receipt_that_is_none_is_not_found(client: Client, key: str) -> None:
    assert client.get(f"/accounts/receipts/{key}").status_code == 404


def test_the_last_admin_is_told_what_to_do_first(app: Flask, erin: User) -> None:
    erin.is_admin = True
    db.session.commit()

    response = app.test_client(user=erin).post("/accounts/delete/", data={"password": PASSWORD})

    assert response.status_code == 400
    assert "make another one first" in response.text


def test_large_exports_are_rewritten_by_a_worker(
    app: Flask, browser: Client, erin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, user_id = exports.export_ratings(), erin.id
    monkeypatch.setattr(erasure, "AT_ONCE_BYTES", 0)

    response = browser.post("/accounts/delete/", data={"password": PASSWORD})
    before = browser.get(response.location).text
    with running_command(app, "worker", "--burst") as worker:
        worker.communicate(timeout=60)

    assert "are being rewritten" in before
    assert "have no row of this account" in browser.get(response.location).text
    assert str(user_id) not in users_in(path)


def test_without_a_queue_large_exports_are_rewritten_at_once(
    own_redis: RedisServer, browser: Client, erin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "AT_ONCE_BYTES", -1)
    own_redis.stop()

    response = browser.post("/accounts/delete/", data={"password": PASSWORD})

    assert "have no row of this account" in browser.get(response.location).text


def test_a_rating_in_another_tab_comes_too_late(erin: User) -> None:
    user_id = erin.id
    erasure.erase(user_id)

    with pytest.raises(UserNotFound, match="User not found"):
        rate(user_id, 550, 5.0)


@pytest.mark.both_databases
def test_the_command_deletes_and_prints_the_receipt(runner: Runner, erin: User) -> None:
    asked = runner.invoke(args=["users", "delete", "erin"], input="n\n")
    done = runner.invoke(args=["users", "delete", "erin", "--yes"])

    assert asked.exit_code == 1
    assert done.exit_code == 0
    assert "ratings (3)" in done.output
    assert accounts.find_user_or_none("erin") is None
    assert audit.entries(1, 10, kind="user").items[0].action == "delete user"
