"""Names that look alike, and texts that keyboards write in several ways."""

import unicodedata

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.security import generate_password_hash

from recsite.accounts import authenticate, change_password, create_user, find_user
from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.storage.tables import User
from tests.conftest import PASSWORD
from tests.web.clients import Client

ACCENTED = "contraseña-ﬁna"
"A password with a letter and a ligature that have several forms."


@pytest.mark.both_databases
def test_a_name_that_looks_like_another_is_taken(app: Flask, subtests: pytest.Subtests) -> None:
    for taken, name in (
        ("erin", "Erin"),
        ("Admin", "admin"),
        ("Zoë", unicodedata.normalize("NFD", "Zoë")),
        ("erin", "ｅｒｉｎ"),
        ("Straße", "STRASSE"),
        ("copy", "сору"),  # Cyrillic only
        ("BOB", "ВОВ"),  # Cyrillic only
    ):
        with subtests.test(taken=taken):
            create_user(taken, password=PASSWORD)

            with pytest.raises(InvalidInput, match="is taken, or looks like one that is"):
                create_user(name, password=PASSWORD)

            assert db.session.scalar(sa.select(sa.func.count()).select_from(User)) == 1
        db.session.execute(sa.delete(User))
        db.session.commit()


def test_a_name_that_deceives_is_refused(app: Flask, subtests: pytest.Subtests) -> None:
    for name, problem in (
        ("аdmin", "does not mix letters of different alphabets"),  # Cyrillic, then Latin
        ("αlice", "does not mix letters of different alphabets"),  # Greek, then Latin
        ("er\N{HANGUL FILLER}in", "no invisible characters"),
        ("er\N{BRAILLE PATTERN BLANK}in", "no invisible characters"),
        ("er\N{COMBINING GRAPHEME JOINER}in", "no invisible characters"),
        ("erin\N{VARIATION SELECTOR-16}", "no invisible characters"),
        ("er\N{ZERO WIDTH SPACE}in", "no invisible characters"),
        ("ｕｓｅｒ-7", "kept for imported users"),
    ):
        with subtests.test(name=name), pytest.raises(InvalidInput, match=problem):
            create_user(name, password=PASSWORD)


@pytest.mark.parametrize("name", ("Zoë", "Дмитрий", "Ελένη", "山田たろうX", "김민수", "מרים", "erin.smith-2"))
def test_names_of_any_one_language_are_accepted(app: Flask, name: str) -> None:
    assert find_user(create_user(name).username).username == unicodedata.normalize("NFKC", name)


@pytest.mark.both_databases
def test_a_log_in_finds_the_name_however_it_is_typed(client: Client, erin: User, subtests: pytest.Subtests) -> None:
    for typed in ("erin", "Erin", " erin ", "ｅｒｉｎ"):
        with subtests.test(typed=typed):
            response = client.post("/accounts/login/", data={"username": typed, "password": PASSWORD})

            assert response.status_code == 303


def test_of_two_older_accounts_that_look_alike_each_logs_in_by_its_own_name(app: Flask) -> None:
    first = create_user("erin", password=PASSWORD)
    second = create_user("other", password="another password")
    db.session.execute(sa.update(User).where(User.id == second.id).values(username="Erin", name_key=None))
    db.session.commit()

    assert authenticate("erin", PASSWORD) == first
    assert authenticate("Erin", "another password") == second
    assert authenticate("Erin", PASSWORD) is None


@pytest.mark.parametrize("form", ("NFC", "NFD", "NFKC", "NFKD"))
def test_a_password_is_the_same_in_each_form_of_unicode(app: Flask, form: str) -> None:
    create_user("erin", password=ACCENTED)

    assert authenticate("erin", unicodedata.normalize(form, ACCENTED)) is not None  # type: ignore[arg-type]
    assert authenticate("erin", f" {ACCENTED} ") is not None
    assert authenticate("erin", "contrasena-fina") is None


@pytest.mark.parametrize("password", (unicodedata.normalize("NFD", ACCENTED), " spaces around "))
def test_a_password_that_an_older_version_hashed_as_typed_still_logs_in(app: Flask, password: str) -> None:
    user = create_user("erin")
    user.password_hash = generate_password_hash(password, "scrypt:1024:8:1")
    db.session.commit()

    assert authenticate("erin", password) is user


def test_a_password_that_is_guessed_first_is_refused(app: Flask, subtests: pytest.Subtests) -> None:
    for password, problem in (
        ("1234567890", "among the first that are guessed"),
        ("Password123", "among the first that are guessed"),
        ("１２３４５６７８９０", "among the first that are guessed"),
        ("abababababab", "among the first that are guessed"),
        (" " * 10, "A password has 10 to 1000 characters"),
        ("nine char ", "A password has 10 to 1000 characters"),
        ("Erin-The-Great", "not your user name"),
        ("ERIN.great@example.org", "not your user name or your e-mail address"),
        ("erin.great", "not your user name or your e-mail address"),
    ):
        with subtests.test(password=password), pytest.raises(InvalidInput, match=problem):
            create_user("erin-the-great", password=password, email="erin.great@example.org")


def test_a_new_password_follows_the_same_rules(app: Flask, erin: User) -> None:
    with pytest.raises(InvalidInput, match="among the first that are guessed"):
        change_password(erin, PASSWORD, "qwertyuiop")

    assert authenticate("erin", PASSWORD) is not None
