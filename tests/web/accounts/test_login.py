"""Signing up, logging in and out, and my ratings."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import create_app, ratings
from recsite.extensions import db
from recsite.storage.tables import Movie, User, now
from tests.conftest import PASSWORD, World
from tests.web.clients import Client, new_client

MOST_STATEMENTS = 15
"Of one log-in, however many ratings the visitor brings along."


def log_in(client: Client, **more: str) -> str | None:
    """Where logging in as Erin leads."""
    response = client.post("/accounts/login/", data={"username": "erin", "password": PASSWORD} | more)
    return str(response.location) if response.location else None


def is_logged_in(client: Client) -> bool:
    return bool(client.get("/accounts/ratings/").status_code == 200)


def find_user(name: str) -> User | None:
    return db.session.scalar(sa.select(User).where(User.username == name))


def test_signing_up_makes_an_account_and_logs_in(client: Client, world: World) -> None:
    response = client.post(
        "/accounts/signup/", data={"username": "frank", "password": PASSWORD, "email": "frank@example.org"}
    )

    user = find_user("frank")
    assert (response.status_code, response.location) == (303, "/movies/popular/")
    assert user is not None
    assert (user.email, user.is_admin) == ("frank@example.org", False)
    assert is_logged_in(client)


def test_a_refused_sign_up_says_why_and_keeps_what_was_typed(
    client: Client, world: World, subtests: pytest.Subtests
) -> None:
    for sent, said in (
        ({"username": "frank", "password": "short"}, "A password has 10"),
        ({"username": "", "password": PASSWORD}, "A user name has 1"),
        ({"username": "alice", "password": PASSWORD}, "is taken"),
        ({"username": "a b", "password": PASSWORD}, "no spaces"),
        ({"username": "a\0b", "password": PASSWORD}, "NUL"),
        ({"username": "x" * 201, "password": PASSWORD}, "longer than"),
        ({"username": "frank", "password": PASSWORD, "email": "nowhere"}, "is not an e-mail address"),
        ({"username": "frank"}, "A password has 10"),
    ):
        with subtests.test(sent=sent):
            response = client.post("/accounts/signup/", data=sent)

            assert response.status_code == 400
            assert said in response.text
            assert PASSWORD not in response.text
            assert 'role="alert"' in response.text
            assert not is_logged_in(client)


def test_nobody_signs_up_as_an_admin(client: Client, world: World) -> None:
    client.post("/accounts/signup/", data={"username": "frank", "password": PASSWORD, "is_admin": "1"})

    user = find_user("frank")
    assert user is not None
    assert not user.is_admin


def test_logging_in_leads_home(client: Client, erin: User) -> None:
    assert log_in(client) == "/"
    assert is_logged_in(client)


@pytest.mark.parametrize(
    ("name", "password"), (("erin", "wrong-password"), ("nobody", PASSWORD), ("carol", ""), ("erin\0", PASSWORD))
)
def test_a_wrong_name_and_a_wrong_password_read_the_same(client: Client, erin: User, name: str, password: str) -> None:
    response = client.post("/accounts/login/", data={"username": name, "password": password})

    assert response.status_code == 400
    assert "User name and password do not match." in response.text
    assert not is_logged_in(client)


def test_logging_in_leads_on_to_where_one_was_going(client: Client, erin: User) -> None:
    asked = client.get("/accounts/ratings/?page=1")

    assert asked.location == "/accounts/login/?next=/accounts/ratings/?page%3D1"
    assert log_in(client, next="/accounts/ratings/?page=1") == "/accounts/ratings/?page=1"


def test_logging_in_never_leads_to_another_site(client: Client, erin: User, subtests: pytest.Subtests) -> None:
    for evil in (
        "//evil.example",
        "///evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
    ):
        with subtests.test(evil=evil):
            assert log_in(client, next=evil) == "/"


def test_nothing_planted_in_a_session_survives_logging_in(client: Client, erin: User) -> None:
    with client.session_transaction() as session:
        session.update(skipped=[550], csrf_token="planted")

    log_in(client)

    with client.session_transaction() as session:
        assert "skipped" not in session
        assert session.get("csrf_token") != "planted"


def test_logging_out_takes_a_post(client: Client, erin: User) -> None:
    log_in(client)

    assert client.get("/accounts/logout/").status_code == 405
    assert is_logged_in(client)


def test_logging_out_forgets_also_who_wanted_to_be_remembered(client: Client, erin: User) -> None:
    log_in(client, remember="on")
    assert client.get_cookie("remember_token") is not None

    client.post("/accounts/logout/")

    assert client.get_cookie("remember_token") is None
    assert not is_logged_in(client)


@pytest.mark.parametrize("name", ("session", "remember_token"))
def test_a_cookie_that_was_copied_before_the_log_out_does_not_work(
    app: Flask, client: Client, erin: User, name: str
) -> None:
    log_in(client, remember="on")
    cookie, thief = client.get_cookie(name), new_client(app)
    assert cookie is not None
    thief.set_cookie(name, cookie.value)
    assert is_logged_in(thief)

    client.post("/accounts/logout/")

    thief.set_cookie(name, cookie.value)
    assert not is_logged_in(thief)
    log_in(client)
    assert is_logged_in(client)


def test_nobody_is_remembered_who_did_not_ask(client: Client, erin: User) -> None:
    log_in(client)

    assert client.get_cookie("remember_token") is None


def test_a_session_of_a_user_who_is_gone_is_a_visitors(client: Client, erin: User) -> None:
    log_in(client)
    db.session.delete(erin)
    db.session.commit()

    assert not is_logged_in(client)
    assert client.get("/").status_code == 200


@pytest.mark.both_databases
def test_my_ratings_are_listed_newest_first(app: Flask, world: World) -> None:
    alice = app.test_client(user=db.session.get_one(User, world.alice))

    page = alice.get("/accounts/ratings/").text

    assert page.index("Pulp Fiction") < page.index("Toy Story") < page.index("Fight Club")
    assert "You gave it 1.5" in page
    assert "Forrest Gump" not in page


@pytest.mark.both_databases
def test_my_ratings_are_changed_and_taken_back_from_their_page(app: Flask, world: World) -> None:
    alice = app.test_client(user=db.session.get_one(User, world.alice))

    changed = alice.post("/movies/862/rate", data={"value": "4.0", "next": "/accounts/ratings/"})
    removed = alice.post("/movies/550/unrate", data={"next": "/accounts/ratings/"})

    assert [changed.location, removed.location] == ["/accounts/ratings/"] * 2
    assert ratings.rating_of(world.alice, 862) == 4.0
    assert ratings.rating_of(world.alice, 550) is None


def test_opening_a_page_notes_when_one_was_seen(client: Client, erin: User) -> None:
    log_in(client)

    client.get("/movies/")

    seen = db.session.get_one(User, erin.id).last_seen_at
    assert seen is not None
    assert now() - seen < timedelta(minutes=1)


@pytest.mark.both_databases
def test_being_seen_is_noted_at_most_once_an_hour(client: Client, erin: User) -> None:
    log_in(client)
    erin.last_seen_at = earlier = now() - timedelta(minutes=59)
    db.session.commit()

    client.get("/movies/")

    assert db.session.get_one(User, erin.id).last_seen_at == earlier


@pytest.mark.both_databases
def test_being_seen_is_noted_again_after_an_hour(client: Client, erin: User) -> None:
    log_in(client)
    erin.last_seen_at = earlier = now() - timedelta(minutes=61)
    db.session.commit()

    client.get("/movies/")

    seen = db.session.get_one(User, erin.id).last_seen_at
    assert seen is not None
    assert seen > earlier


def test_logging_in_with_fifty_ratings_costs_few_statements(app: Flask, client: Client, erin: User) -> None:
    movie_ids = range(1000, 1050)
    db.session.add_all(Movie(id=movie_id, title=f"Movie {movie_id}", overview="", genres="") for movie_id in movie_ids)
    db.session.commit()
    with client.session_transaction() as session:
        session["ratings"] = {str(movie_id): 4.0 for movie_id in movie_ids}
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert log_in(client) == "/"
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)

    assert ratings.count_of(erin.id) == 50
    assert len(statements) <= MOST_STATEMENTS, statements


@pytest.mark.parametrize("is_secure", (True, False))
def test_cookies_carry_their_flags_behind_a_proxy(app: Flask, erin: User, is_secure: bool) -> None:
    behind = create_app(
        {
            "DATABASE_URL": app.config["DATABASE_URL"],
            "SECRET_KEY": "test",
            "PROXIES": 1,
            "COOKIES_SECURE": is_secure,
            "WTF_CSRF_ENABLED": False,
            "MEDIA_ROOT": app.config["MEDIA_ROOT"],
            "REDIS_URL": app.config["REDIS_URL"],
            "CACHE_REDIS_URL": app.config["CACHE_REDIS_URL"],
        }
    )
    response = behind.test_client().post(
        "/accounts/login/",
        data={"username": "erin", "password": PASSWORD, "remember": "on"},
        headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": "films.example"},
    )

    cookies = {each.partition("=")[0]: each.split("; ") for each in response.headers.getlist("Set-Cookie")}
    assert cookies.keys() == {"session", "remember_token"}
    for flags in cookies.values():
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(flags)
        assert ("Secure" in flags) is is_secure
        assert not any(flag.startswith("Domain") for flag in flags)
    with behind.app_context():
        db.engine.dispose()
