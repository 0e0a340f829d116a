"""Timeouts of the database: a web request ends at its deadline; jobs and commands wait for responses."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, create_app, ratings, suggestions
from recsite.extensions import db
from recsite.storage import engine, timeouts
from recsite.storage.tables import Rating, User, now
from tests.conftest import World
from tests.processes.servers import RedisServer, wait_until
from tests.ratings.changes import rate
from tests.web.clients import Client

SECONDS = 2.0
"The DATABASE_TIMEOUT_SECONDS of these tests."
LONGEST_SECONDS = 1.75 * SECONDS
"Less than two waits in a row, and enough for the rest of a request on a busy machine."


@pytest.fixture
def hurried(app: Flask, world: World) -> Flask:
    """Return the app with a short timeout."""
    app.config["DATABASE_TIMEOUT_SECONDS"] = SECONDS
    return app


@contextlib.contextmanager
def locked(user_id: int) -> Iterator[None]:
    """Lock this user's row for the block; on SQLite that locks the whole file."""
    db.session.rollback()
    with db.engine.connect() as connection:
        connection.execute(sa.update(User).where(User.id == user_id).values(username=User.username))
        yield
        connection.rollback()


def bearer(name: str) -> dict[str, str]:
    """Return the headers of a program that acts as this user."""
    return {"Authorization": f"Bearer {accounts.create_token(accounts.find_user(name))}"}


@pytest.mark.both_databases
def test_a_rating_that_meets_a_lock_fails_in_time_and_can_be_sent_again(
    hurried: Flask, client: Client, world: World
) -> None:
    headers = bearer("bob")
    rating = {"movie_id": 550, "value": 4.0}

    with locked(world.bob):
        began = time.monotonic()
        response = client.post("/api/ratings", json=rating, headers=headers)
        seconds = time.monotonic() - began

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert SECONDS / 2 < seconds < LONGEST_SECONDS
    assert client.post("/api/ratings", json=rating, headers=headers).status_code == 201


@pytest.mark.both_databases
def test_two_waits_of_one_request_end_at_one_deadline(hurried: Flask, world: World) -> None:
    bob = db.session.get_one(User, world.bob)
    bob.last_seen_at = now() - timedelta(days=1)
    db.session.commit()
    # The request first notes that Bob was seen, and then rates: both change his row.
    browser = hurried.test_client(user=bob)

    with locked(world.bob):
        began = time.monotonic()
        response = browser.post("/movies/550/rate", data={"value": "4"})
        seconds = time.monotonic() - began

    assert response.status_code == 503
    assert seconds < LONGEST_SECONDS
    assert ratings.rating_of(world.bob, 550) is None


@pytest.mark.both_databases
def test_a_page_is_shown_although_the_last_visit_could_not_be_noted(hurried: Flask, world: World) -> None:
    bob = db.session.get_one(User, world.bob)
    browser = hurried.test_client(user=bob)

    with locked(world.bob):
        response = browser.get("/movies/550/")

    assert response.status_code == 200
    assert db.session.get_one(User, world.bob).last_seen_at is None


@pytest.mark.both_databases
def test_a_job_waits_longer_than_a_request(hurried: Flask, world: World) -> None:
    is_locked, release = threading.Event(), threading.Event()

    def lock() -> None:
        with hurried.app_context(), locked(world.bob):
            is_locked.set()
            release.wait(SECONDS + 0.5)

    holder = threading.Thread(target=lock)
    holder.start()
    is_locked.wait(5)

    rate(world.bob, 550, 4.0)

    holder.join()
    assert db.session.scalar(sa.select(Rating.value).where(Rating.user_id == world.bob, Rating.movie_id == 550)) == 4.0


def test_a_request_waits_for_the_loading_of_a_version_within_its_deadline(hurried: Flask, client: Client) -> None:
    state = hurried.extensions["recommender"]

    with state.lock:
        state.looked_at = 0.0
        began = time.monotonic()
        response = client.get("/")

    assert response.status_code == 200
    assert time.monotonic() - began < LONGEST_SECONDS


def test_a_shorter_limit_ends_with_its_block(hurried: Flask, client: Client) -> None:
    left: list[float] = []

    @hurried.get("/left")
    def show_left() -> str:
        with timeouts.limit(0.5):
            left.append(timeouts.seconds_left() or 0.0)
        left.append(timeouts.seconds_left() or 0.0)
        return ""

    client.get("/left")

    assert 0 < left[0] <= 0.5
    assert 0.5 < left[1] <= SECONDS
    assert timeouts.seconds_left() is None


@pytest.fixture
def on_postgresql(migrated_postgresql: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[Flask]:
    """Return an app on PostgreSQL with one user and a short timeout; its context is pushed."""
    settings = {"DATABASE_URL": migrated_postgresql, "REDIS_URL": redis_server.url, "MEDIA_ROOT": tmp_path}
    app = create_app(settings | {"SECRET_KEY": "test", "TESTING": True, "DATABASE_TIMEOUT_SECONDS": SECONDS})
    app.test_client_class = Client
    with app.app_context():
        db.session.execute(sa.text("TRUNCATE users RESTART IDENTITY CASCADE"))
        db.session.add(User(id=1, username="alice"))
        db.session.commit()
        yield app
        db.session.remove()
        engine.dispose()


def terminate_connections(url: str) -> None:
    """Let the server close all other connections, and wait until it has."""
    others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {others}")
        wait_until(lambda: connection.execute(f"SELECT 1 {others}").fetchone() is None, within_seconds=5)


def test_dead_connections_are_replaced_without_an_error(on_postgresql: Flask, migrated_postgresql: str) -> None:
    before = suggestions.find_freshness(1)
    db.session.commit()

    for _ in range(2):
        terminate_connections(migrated_postgresql)

        assert suggestions.find_freshness(1) == before
        assert db.session.get_one(User, 1).username == "alice"
        db.session.commit()


def test_a_query_without_a_response_ends_at_the_deadline_and_its_connection_is_not_used_again(
    on_postgresql: Flask,
) -> None:
    @on_postgresql.get("/api/sleep")
    def sleep() -> str:
        return str(db.session.scalar(sa.text("SELECT pg_sleep(30)")))

    client = on_postgresql.test_client()
    began = time.monotonic()
    response = client.get("/api/sleep")

    assert response.status_code == 503
    assert time.monotonic() - began < LONGEST_SECONDS
    assert db.session.get_one(User, 1).username == "alice"


def test_a_read_without_a_response_is_repeated_within_the_deadline(on_postgresql: Flask) -> None:
    client = on_postgresql.test_client()

    with psycopg.connect(on_postgresql.config["DATABASE_URL"]) as holder:
        holder.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        response = client.get("/api/suggestions?user_id=1")

    assert response.status_code == 503
    assert time.monotonic() - began < LONGEST_SECONDS
    assert client.get("/api/suggestions?user_id=1").status_code == 200


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """Yield the URL of a server that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql+psycopg://127.0.0.1:{server.getsockname()[1]}/recsite"


def test_connecting_is_bounded_outside_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "CONNECT_SECONDS", 2)
    with silent_server() as url:
        began = time.monotonic()

        with pytest.raises(sa.exc.OperationalError, match="timeout expired"):
            sa.create_engine(url).connect()

    assert time.monotonic() - began < LONGEST_SECONDS


def test_after_a_timeout_of_connecting_requests_fail_at_once_for_a_while(
    monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer, tmp_path: Path
) -> None:
    monkeypatch.setattr(timeouts, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(timeouts, "SILENCE_SECONDS", 30.0)
    with silent_server() as url:
        app = create_app({"DATABASE_URL": url, "REDIS_URL": redis_server.url, "SECRET_KEY": "test", "TESTING": True})
        # Creating the app tried to connect.
        began = time.monotonic()
        statuses = [app.test_client().get("/api/suggestions?user_id=1").status_code for _ in range(10)]
        seconds = time.monotonic() - began
    timeouts.BoundedConnection.silent_until = 0.0

    assert statuses == [503] * 10
    assert seconds < LONGEST_SECONDS
