"""A request waits for the database so long in all, and no longer; jobs and commands wait on."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, ratings
from recsite.extensions import db
from recsite.storage import response_cache, timeouts
from recsite.storage.cache import SafeRedisCache
from recsite.storage.tables import Rating, User, now
from tests.conftest import World
from tests.web.clients import Client

SECONDS = 0.8
SLACK_SECONDS = 0.7


@pytest.fixture
def hurried(app: Flask, world: World) -> Flask:
    """The app with less patience than can be set; its admin was last seen just now."""
    app.config["DATABASE_TIMEOUT_SECONDS"] = SECONDS
    return app


@contextlib.contextmanager
def held(user_id: int) -> Iterator[None]:
    """Somebody else writes to this user's row, and on SQLite so to the whole file."""
    db.session.rollback()
    with db.engine.connect() as connection:
        connection.execute(sa.update(User).where(User.id == user_id).values(username=User.username))
        yield
        connection.rollback()


def bearer(name: str) -> dict[str, str]:
    """The headers of a program that acts as this user."""
    return {"Authorization": f"Bearer {accounts.create_token(accounts.find_user(name))}"}


@pytest.mark.both_databases
def test_a_rating_that_somebody_holds_up_is_given_up_in_time_and_can_be_sent_again(
    hurried: Flask, client: Client, world: World
) -> None:
    headers = bearer("bob")
    rating = {"movie_id": 550, "value": 4.0}

    with held(world.bob):
        began = time.monotonic()
        response = client.post("/api/ratings", json=rating, headers=headers)
        seconds = time.monotonic() - began

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert SECONDS / 2 < seconds < SECONDS + SLACK_SECONDS
    assert client.post("/api/ratings", json=rating, headers=headers).status_code == 201


@pytest.mark.both_databases
def test_who_waits_twice_waits_no_longer(hurried: Flask, world: World) -> None:
    bob = db.session.get_one(User, world.bob)
    bob.last_seen_at = now() - timedelta(days=1)
    db.session.commit()
    # Its request first notes that Bob was seen, and then rates: both change his row.
    browser = hurried.test_client(user=bob)

    with held(world.bob):
        began = time.monotonic()
        response = browser.post("/movies/550/rate", data={"value": "4"})
        seconds = time.monotonic() - began

    assert response.status_code == 503
    assert seconds < SECONDS + SLACK_SECONDS
    assert ratings.rating_of(world.bob, 550) is None


@pytest.mark.both_databases
def test_a_page_is_shown_though_nobody_could_note_who_saw_it(hurried: Flask, world: World) -> None:
    bob = db.session.get_one(User, world.bob)
    browser = hurried.test_client(user=bob)

    with held(world.bob):
        response = browser.get("/movies/550/")

    assert response.status_code == 200
    assert db.session.get_one(User, world.bob).last_seen_at is None


@pytest.mark.both_databases
def test_a_job_waits_on(hurried: Flask, world: World) -> None:
    is_held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with hurried.app_context(), held(world.bob):
            is_held.set()
            release.wait(SECONDS + 0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(5)

    ratings.rate(world.bob, 550, 4.0)

    holder.join()
    assert db.session.scalar(sa.select(Rating.value).where(Rating.user_id == world.bob, Rating.movie_id == 550)) == 4.0


def test_nobody_waits_for_ever_to_be_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        engine = sa.create_engine(f"postgresql+psycopg://127.0.0.1:{never_answers.getsockname()[1]}/recsite")
        began = time.monotonic()

        with pytest.raises(sa.exc.OperationalError, match="timeout expired"):
            engine.connect()

    assert time.monotonic() - began < 2 + SLACK_SECONDS


def test_who_loads_a_version_holds_up_no_request_beyond_its_time(hurried: Flask, client: Client) -> None:
    state = hurried.extensions["recommender"]

    with state.lock:
        state.polled_at = 0.0
        began = time.monotonic()
        response = client.get("/")

    assert response.status_code == 200
    assert time.monotonic() - began < SECONDS + SLACK_SECONDS


def test_who_waits_for_another_threads_list_waits_for_no_second_one() -> None:
    kept = SafeRedisCache("redis://127.0.0.1:1/0", "", 1)
    mine = timeouts.Patience(0.3)
    timeouts.of_request.set(mine)
    response_cache._flights["a list"] = response_cache.Flight()
    began = time.monotonic()

    answer = response_cache.make_once(kept, "a list", lambda: b"")

    del response_cache._flights["a list"]
    timeouts.of_request.set(None)
    assert answer is None
    assert time.monotonic() - began < 0.3 + SLACK_SECONDS
    assert mine.seconds_left <= 0


def test_what_may_wait_less_leaves_the_rest_of_the_patience() -> None:
    mine = timeouts.Patience(0.4)
    timeouts.of_request.set(mine)
    lock = threading.Lock()

    with lock, timeouts.at_most(0.2):
        assert not timeouts.wait_for_lock(lock)

    timeouts.of_request.set(None)
    assert mine.seconds_left == pytest.approx(0.3, abs=0.08)
