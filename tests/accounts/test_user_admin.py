"""What admins do to people, and the log of it."""

import re
import threading

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, ratings, suggestions
from recsite.accounts import user_admin
from recsite.errors import InvalidInput, RecsiteError
from recsite.extensions import db
from recsite.storage import audit
from recsite.storage.tables import FIRST_ACCOUNT_ID, ApiToken, AuditEntry, User
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import rate
from tests.web.clients import Client, Runner


@pytest.fixture
def chief(admin: Client, world: World) -> Client:
    """Alice, the one admin, who can log in."""
    user_admin.draw_password(world.alice, "the tests")
    db.session.execute(sa.delete(AuditEntry))
    db.session.commit()
    client: Client = admin.application.test_client(user=db.session.get_one(User, world.alice))
    return client


def actions() -> list[str]:
    """Return the log's actions on users, oldest first."""
    return [entry.action for entry in reversed(audit.entries(1, 50, kind="user").items)]


@pytest.mark.both_databases
def test_users_are_found_by_name_address_and_id(chief: Client, world: World, subtests: pytest.Subtests) -> None:
    db.session.get_one(User, world.carol).email = "c@example.org"
    db.session.add(User(id=FIRST_ACCOUNT_ID, username="erin"))
    db.session.commit()

    for query, names in (
        ("", ["alice", "bob", "carol", "dave", "erin"]),
        ("?q=AL", ["alice"]),
        ("?q=2", ["bob"]),
        ("?q=example.org", ["carol"]),
        ("?who=admins", ["alice"]),
        ("?who=with+a+login", ["alice"]),
        ("?q=nobody", []),
        ("?q=1000000000", ["erin"]),
        ("?q=9999999999", []),
    ):
        with subtests.test(query=query):
            page = chief.get(f"/admin/users/{query}")

            assert page.status_code == 200
            assert [name for name in ("alice", "bob", "carol", "dave", "erin") if f">{name}</a>" in page.text] == names


def test_a_user_becomes_an_admin_and_is_none_again(chief: Client, world: World) -> None:
    chief.post("/admin/users/2/admin", data={"is_admin": "true"})
    assert db.session.get_one(User, world.bob).is_admin

    response = chief.post("/admin/users/2/admin", data={"is_admin": "false"})

    assert (response.status_code, response.location) == (303, "/admin/users/2/")
    assert not db.session.get_one(User, world.bob).is_admin
    assert actions() == ["make admin", "take admin away"]


@pytest.mark.parametrize("path", ("admin", "login/stop"))
def test_the_last_admin_who_can_log_in_stays(chief: Client, world: World, path: str) -> None:
    # Bob is an admin too, and yet could not look after the site.
    user_admin.set_admin(world.bob, True, "the tests")

    page = chief.post(f"/admin/users/1/{path}", follow_redirects=True)

    assert "the last admin who can log in" in page.text
    assert db.session.get_one(User, world.alice).is_admin
    assert actions() == ["make admin"]


@pytest.mark.both_databases
def test_two_admins_who_take_each_other_away_at_once_leave_one(app: Flask, chief: Client, world: World) -> None:
    user_admin.set_admin(world.bob, True, "the tests")
    user_admin.draw_password(world.bob, "the tests")
    barrier, refused = threading.Barrier(2), []

    def take_away(user_id: int) -> None:
        with app.app_context():
            barrier.wait()
            try:
                user_admin.set_admin(user_id, False, "the other")
            except RecsiteError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=take_away, args=(user_id,)) for user_id in (world.alice, world.bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    db.session.expire_all()
    assert len(refused) == 1
    assert db.session.query(User).filter(User.is_admin).count() == 1


def test_a_revoked_token_acts_as_nobody(chief: Client, world: World) -> None:
    token = accounts.create_token(db.session.get_one(User, world.bob))

    page = chief.post("/admin/users/2/tokens/revoke", follow_redirects=True)

    assert "Tokens revoked: 1." in page.text
    assert accounts.find_bearer(token) is None
    assert db.session.query(ApiToken).count() == 0
    assert actions() == ["revoke tokens"]


def test_a_drawn_password_is_shown_once_and_works(chief: Client, world: World) -> None:
    answer = chief.post("/admin/users/2/login/password", follow_redirects=True)

    page = answer.text
    assert answer.request.method == "GET"
    assert answer.headers["Cache-Control"] == "no-store"
    shown = re.search(r'class="secret">([^<]+)<', page)
    assert shown is not None
    assert accounts.authenticate("bob", shown[1]) is not None
    assert shown[1] not in chief.get("/admin/users/2/").text
    assert shown[1] not in chief.get("/admin/audit/").text
    assert chief.get("/admin/users/2/").headers["Cache-Control"] != "no-store"
    assert actions() == ["draw password"]


def test_a_drawn_password_is_not_shown_on_the_page_of_another_user(chief: Client, world: World) -> None:
    chief.post("/admin/users/2/login/password")

    assert 'class="secret"' not in chief.get("/admin/users/3/").text


def test_who_is_stopped_cannot_log_in_and_is_logged_out(app: Flask, chief: Client, world: World) -> None:
    password = user_admin.draw_password(world.bob, "the tests")
    bob = app.test_client()
    bob.post("/accounts/login/", data={"username": "bob", "password": password})
    assert bob.get("/accounts/ratings/").status_code == 200

    chief.post("/admin/users/2/login/stop")

    assert accounts.authenticate("bob", password) is None
    assert bob.get("/accounts/ratings/").status_code == 303
    assert actions() == ["draw password", "stop log-in"]


@pytest.mark.both_databases
def test_a_removed_rating_is_gone_logged_and_out_of_the_averages(chief: Client, trained: TrainedWorld) -> None:
    response = chief.post("/admin/users/2/ratings/remove", data={"movie_id": "680"})

    (entry,) = audit.entries(1, 10, kind="user").items
    assert (response.status_code, response.location) == (303, "/admin/users/2/")
    assert ratings.rating_of(trained.bob, 680) is None
    assert (entry.action, entry.label, entry.before["movie"], entry.before["stars"]) == (
        "remove rating",
        "bob",
        "Pulp Fiction",
        4.0,
    )
    assert 680 in [item.movie_id for item in suggestions.best_for(trained.bob).items]


def test_a_rating_that_is_not_there_is_not_removed_and_not_logged(chief: Client, world: World) -> None:
    assert chief.post("/admin/users/2/ratings/remove", data={"movie_id": "550"}).status_code == 404
    assert actions() == []


@pytest.mark.parametrize("path", ("/admin/users/99/", "/admin/users/99/suggestions/", "/admin/users/0/"))
def test_a_user_who_does_not_exist_has_no_page(chief: Client, path: str) -> None:
    assert chief.get(path).status_code == 404


@pytest.mark.parametrize("path", ("admin", "tokens/revoke", "login/stop", "login/password", "ratings/remove"))
def test_nothing_is_done_to_a_user_who_does_not_exist(chief: Client, path: str) -> None:
    assert chief.post(f"/admin/users/99/{path}", data={"movie_id": "550"}).status_code == 404
    assert actions() == []


@pytest.mark.both_databases
def test_the_suggestions_of_a_user_are_shown_with_what_became_of_them(chief: Client, trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])
    rate(trained.bob, 550, 4.5)
    suggestions.refresh(trained.bob)

    page = chief.get("/admin/users/2/suggestions/").text

    first, last = page.index("in the list"), page.index("Fight Club")
    assert first < last
    assert ">rated<" in page
    assert "4.5" in page
    assert trained.version_name in page


def test_what_commands_change_is_logged_too(runner: Runner, world: World) -> None:
    runner.invoke(args=["users", "create", "erin", "--admin"])
    runner.invoke(args=["tokens", "create", "erin"])

    created, token = reversed(audit.entries(1, 10).items)
    assert (created.action, created.label, created.after) == (
        "create user",
        "erin",
        {"admin": True, "can log in": False},
    )
    assert token.action == "create token"
    assert created.by.endswith("(command line)")


@pytest.mark.both_databases
def test_a_change_that_fails_is_not_logged(world: World) -> None:
    with pytest.raises(InvalidInput, match="is taken"):
        user_admin.create("bob", "the tests", password=None, email=None, is_admin=True)

    assert actions() == []
