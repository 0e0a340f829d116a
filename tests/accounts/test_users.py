"""Accounts, passwords and tokens."""

import hashlib

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.security import check_password_hash

from recsite.accounts import authenticate, create_token, create_user, find_bearer, find_user, passwords
from recsite.errors import InvalidInput, UserNotFound
from recsite.extensions import db
from recsite.storage.tables import ApiToken, User
from tests.conftest import World

PASSWORD = "correct horse battery"


@pytest.mark.both_databases
def test_a_new_account_is_in_the_database(app: Flask) -> None:
    user_id = create_user("erin", password=PASSWORD, email=" erin@example.org ", is_admin=True).id

    db.session.rollback()
    user = db.session.get_one(User, user_id)
    assert (user.username, user.email, user.is_admin) == ("erin", "erin@example.org", True)


def test_a_password_is_kept_as_a_salted_hash(app: Flask) -> None:
    first, second = (create_user(name, password=PASSWORD).password_hash for name in ("erin", "frank"))

    assert first is not None
    assert second is not None
    assert first.startswith("scrypt:")
    assert PASSWORD not in first
    assert first.rpartition("$")[2] != second.rpartition("$")[2]


def test_a_name_that_cannot_be_used_is_refused(app: Flask, subtests: pytest.Subtests) -> None:
    for name, problem in (
        ("", "1 to 150 characters"),
        ("e" * 151, "1 to 150 characters"),
        ("erin smith", "no spaces"),
        ("erin\N{NO-BREAK SPACE}smith", "no spaces"),
        ("erin\tsmith", "no spaces"),
        ("erin\x00", "no spaces, no slashes and no invisible characters"),
        ("erin\N{RIGHT-TO-LEFT OVERRIDE}", "invisible"),
        ("erin\ud800", "invisible"),
        ("erin/admin", "no slashes"),
        ("erin\\admin", "no slashes"),
        ("user-7", "kept for imported users"),
        ("USER-7", "kept for imported users"),
    ):
        with subtests.test(name=name):
            with pytest.raises(InvalidInput, match=problem):
                create_user(name, password=PASSWORD)

            assert db.session.scalar(sa.select(sa.func.count()).select_from(User)) == 0


@pytest.mark.parametrize("name", ("e", "e" * 150, "Zoë", "user-seven", "erin@example.org"))
def test_a_name_may_be_short_long_or_foreign(app: Flask, name: str) -> None:
    assert find_user(create_user(name).username).username == name


@pytest.mark.both_databases
def test_a_name_is_given_once(world: World) -> None:
    with pytest.raises(InvalidInput, match="'alice' is taken"):
        create_user("alice", password=PASSWORD)

    assert find_user("alice").password_hash is None


@pytest.mark.parametrize("password", ("", "nine char", "x" * 1001, "ten chars \ud800"))
def test_a_password_has_ten_to_a_thousand_valid_characters(app: Flask, password: str) -> None:
    with pytest.raises(InvalidInput, match="A password has 10 to 1000 characters"):
        create_user("erin", password=password)


@pytest.mark.parametrize("email", ("erin", "erin@", "@example.org", "erin @example.org", "e@" + "x" * 253))
def test_an_email_that_is_none_is_refused(app: Flask, email: str) -> None:
    with pytest.raises(InvalidInput, match="not an e-mail address"):
        create_user("erin", email=email)


def test_name_and_password_together_are_the_user(app: Flask) -> None:
    create_user("erin", password=PASSWORD)

    user = authenticate("erin", PASSWORD)
    assert user is not None
    assert user.username == "erin"


@pytest.mark.parametrize(
    ("name", "password"),
    (
        ("erin", PASSWORD + "!"),
        ("erin", ""),
        ("erin", PASSWORD + "\ud800"),
        ("nobody", PASSWORD),
        ("erin\x00", PASSWORD),
        ("\ud800", PASSWORD),
        ("e" * 10_000, PASSWORD),
    ),
)
def test_anything_else_is_nobody(app: Flask, name: str, password: str) -> None:
    create_user("erin", password=PASSWORD)

    assert authenticate(name, password) is None


@pytest.mark.parametrize("password", ("", "None", PASSWORD))
def test_an_account_without_a_password_cannot_log_in(world: World, password: str) -> None:
    assert authenticate("alice", password) is None


def test_an_unknown_name_takes_as_long_as_a_wrong_password(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    create_user("erin", password=PASSWORD)
    compared: list[str] = []

    def compare(password_hash: str, password: str) -> bool:
        compared.append(password_hash.partition("$")[0])
        return check_password_hash(password_hash, password)

    monkeypatch.setattr(passwords, "check_password_hash", compare)
    passwords.dummy_hash.cache_clear()
    for name in ("erin", "nobody"):
        assert authenticate(name, "a wrong password") is None

    known, unknown = compared
    assert unknown == known == passwords.HASH_METHOD


def test_a_token_is_its_user(world: World) -> None:
    token = create_token(find_user("bob"))
    create_token(find_user("alice"))

    user = find_bearer(token)
    assert isinstance(user, User)
    assert user.username == "bob"


def test_only_the_hash_of_a_token_is_kept(world: World) -> None:
    token = create_token(find_user("bob"))

    db.session.rollback()
    assert db.session.scalar(sa.select(ApiToken.token_sha256)) == hashlib.sha256(token.encode()).hexdigest()


def test_two_tokens_of_a_user_differ_and_both_work(world: World) -> None:
    first, second = create_token(find_user("bob")), create_token(find_user("bob"))

    assert first != second
    assert find_bearer(first) is find_bearer(second)


@pytest.mark.parametrize("token", ("", "guess", "\x00", "\ud800"))
def test_a_guessed_token_is_nobody(world: World, token: str) -> None:
    create_token(find_user("bob"))

    assert find_bearer(token) is None


@pytest.mark.both_databases
def test_a_token_goes_with_its_user(world: World) -> None:
    user = find_user("bob")
    token = create_token(user)

    db.session.execute(sa.delete(User).where(User.id == user.id))
    db.session.commit()

    assert find_bearer(token) is None


def test_a_user_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(UserNotFound, match="User not found"):
        find_user("nobody")
