"""The test house: real servers, a fresh migrated database for each test, and a small world of people and movies.

A test that uses `app` (or `client`, `runner`, `world`) runs twice: on SQLite and on PostgreSQL.
`pytest --database sqlite` runs it on one of them.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import flask_migrate
import psycopg
import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from flask_login import FlaskLoginClient

from recsite import create_app, movies, versions
from recsite.config import ROOT, SETTINGS
from recsite.extensions import cache, db
from recsite.storage.queue import queueing
from recsite.storage.tables import Movie, Rating, User
from recsite.versions import training
from tests.processes.servers import RedisServer, running_postgresql, running_redis

DATABASES = ("sqlite", "postgresql")

MOVIES = (
    # id, title, genres, release date, overview
    (550, "Fight Club", "Drama", date(1999, 10, 15), "An insomniac and a soap maker found a club."),
    (278, "The Shawshank Redemption", "Drama|Crime", date(1994, 9, 23), "A banker keeps his hope in prison."),
    (949, "Heat", "Action|Crime|Drama", date(1995, 12, 15), "A thief and a detective over coffee."),
    (862, "Toy Story", "Animation|Comedy|Family", date(1995, 10, 30), "Toys come to life when nobody looks."),
    (680, "Pulp Fiction", "Thriller|Crime", date(1994, 9, 10), "Two hitmen, a boxer and a briefcase."),
    (13, "Forrest Gump", "Comedy|Drama|Romance", date(1994, 7, 6), "A man runs through history."),
)
RATINGS = (
    # user     550  278  949  862  680  13       None = not rated
    ("alice", (5.0, 4.5, 4.0, 1.5, 5.0, None)),
    ("bob", (None, 3.0, None, None, 4.0, None)),
    ("carol", (None, None, None, None, None, None)),
    # Dave signs up when the model is trained: he rates nothing here, a test rates for him later.
    ("dave", (None, None, None, None, None, None)),
)
FIRST_RATED_AT = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """The ids of the people whose ratings `RATINGS` shows."""

    alice: int = 1
    bob: int = 2
    carol: int = 3
    dave: int = 4


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--database` for a quick run."""
    parser.addoption("--database", choices=DATABASES, help="run on this database only; on both when not given")


def pytest_configure(config: pytest.Config) -> None:
    """The settings of whoever runs the tests are not those of the tests."""
    for setting in SETTINGS:
        os.environ.pop(setting.name, None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever uses a database runs on each, unless it is marked `one_database`."""
    if "database_url" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        if metafunc.definition.get_closest_marker("one_database"):
            chosen = DATABASES[0]
        metafunc.parametrize("database_url", [chosen] if chosen else DATABASES, indirect=True)


def migrate(database_url: str) -> None:
    """Bring this database to the newest revision, as `flask db upgrade` does."""
    app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": "test", "TESTING": True})
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        db.engine.dispose()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis that all tests share; a test that stops Redis starts one of its own."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy from."""
    path: Path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql() -> Iterator[str]:
    """The URL of a migrated PostgreSQL database."""
    with running_postgresql() as url:
        migrate(url)
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated database without a row; the test's id says which kind it is."""
    if request.param == "sqlite":
        path = tmp_path / "recsite.sqlite3"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("migrated_postgresql")
    tables = ", ".join(table.name for table in db.metadata.sorted_tables)
    with psycopg.connect(url, autocommit=True) as connection:
        # A test that left a transaction open is named by an error, rather than by a run that never ends.
        connection.execute("SET lock_timeout = '10s'")
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    return url


class Client(FlaskLoginClient):
    """A client whose requests run in a context of their own; `app.test_client(user=…)` is logged in.

    In the test's context a request would share its session, so that a view that forgets to commit passes, and its `g`,
    where flask_login keeps the user of the request before.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """The answer; what the test reads from the database afterwards is read anew."""
        # The whole body is read in here, so that a file it comes from is closed.
        kwargs.setdefault("buffered", True)
        with self.application.app_context():
            response = super().open(*args, **kwargs)
        db.session.expire_all()
        return response


class Runner(FlaskCliRunner):
    """Runs commands in a context of their own, for the same reason as Client."""

    def invoke(self, *args: Any, **kwargs: Any) -> Result:
        """The result; what the test reads from the database afterwards is read anew."""
        with self.app.app_context():
            result = super().invoke(*args, **kwargs)
        db.session.expire_all()
        return result


@pytest.fixture
def app(database_url: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[Flask]:
    """The application on a fresh database, with an empty queue and cache; its context is pushed."""
    redis_server.flush()
    app = create_app(
        {
            "TESTING": True,
            "WTF_CSRF_ENABLED": False,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_server.url,
            "CACHE_REDIS_URL": redis_server.cache_url,
            "MEDIA_ROOT": tmp_path / "media",
            "SECRET_KEY": "test",
        }
    )
    app.test_client_class = Client
    app.test_cli_runner_class = Runner
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def own_redis(app: Flask, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the app uses and that the test may stop, freeze and start."""
    with running_redis(tmp_path / "redis") as server:
        app.config.update(REDIS_URL=server.url, CACHE_REDIS_URL=server.cache_url)
        queueing.init_app(app)
        cache.init_app(app)
        yield server


@pytest.fixture
def client(app: Flask) -> Client:
    """A browser that is not logged in; `app.test_client(user=…)` makes one that is."""
    client: Client = app.test_client()
    return client


@pytest.fixture
def runner(app: Flask) -> Runner:
    """Runs `flask …` commands."""
    runner: Runner = app.test_cli_runner()
    return runner


@pytest.fixture
def world(app: Flask) -> World:
    """MOVIES and RATINGS stand in the database."""
    for movie_id, title, genres, release_date, overview in MOVIES:
        db.session.add(Movie(id=movie_id, title=title, genres=genres, release_date=release_date, overview=overview))
    rated_at = FIRST_RATED_AT
    for username, values in RATINGS:
        user = User(username=username)
        db.session.add(user)
        db.session.flush()
        for movie, value in zip(MOVIES, values, strict=True):
            if value is not None:
                rated_at += timedelta(days=1)
                db.session.add(Rating(user_id=user.id, movie_id=movie[0], value=value, timestamp=rated_at))
    db.session.commit()
    return World()


@pytest.fixture
def admin(app: Flask, world: World) -> Client:
    """The browser of Alice, who is an admin."""
    alice = db.session.get_one(User, world.alice)
    alice.is_admin = True
    db.session.commit()
    client: Client = app.test_client(user=alice)
    return client


@dataclass(frozen=True)
class TrainedWorld(World):
    """The world, eight more people (ids 5–12) whose ratings follow a pattern, and an active version of them all."""

    version_name: str = ""


@pytest.fixture
def trained(world: World) -> TrainedWorld:
    """Dave has no ratings when the version is trained; the eight rate all but one movie each."""
    for number in range(8):
        user = User(username=f"extra{number}")
        db.session.add(user)
        db.session.flush()
        for place, movie in enumerate(MOVIES):
            if place != number % len(MOVIES):
                value = 1 + (place * (number + 1)) % 9 / 2
                db.session.add(Rating(user_id=user.id, movie_id=movie[0], value=value, timestamp=FIRST_RATED_AT))
    movies.refresh_averages()
    db.session.commit()
    version = training.train(training.set_up_from_settings(factors=3, epochs=10, folds=2))
    versions.activate(version.version_name, "the tests")
    return TrainedWorld(version_name=version.version_name)
