"""Shared fixtures: real servers, a fresh migrated database for each test, and a small world of users and movies.

A test that uses `app` (or `client`, `runner`, `world`) runs on SQLite. A test, class or module marked `both_databases`
also runs on PostgreSQL; `pytest --database sqlite` leaves that out.

The world: alice rates a lot, bob rates little, carol never rates, dave has no ratings when the model is trained.
"""

import gc
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, movies, suggestions, versions
from recsite.accounts import passwords
from recsite.config import SETTINGS
from recsite.extensions import cache, db
from recsite.storage import engine
from recsite.storage.queue import queueing
from recsite.storage.tables import ModelVersion, Movie, Rating, User
from recsite.versions import training
from tests.processes.servers import RedisServer, running_postgresql, running_redis
from tests.storage.shared_files import make_once, migrate
from tests.web.apps import make_app
from tests.web.clients import Client, Runner, log_in, new_client, token_headers

pytest_plugins = ("tests.storage.buckets",)

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
    # dave has signed up when the model is trained and rates later, in a test.
    ("dave", (None, None, None, None, None, None)),
)
PASSWORD = "correct-horse-1"
FIRST_RATED_AT = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """The ids of the users in RATINGS."""

    alice: int = 1
    bob: int = 2
    carol: int = 3
    dave: int = 4


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--database`."""
    parser.addoption("--database", choices=DATABASES, help="run every test that needs a database on this one only")


def pytest_configure(config: pytest.Config) -> None:
    """Remove the settings of the developer's environment: every test starts from the defaults."""
    # Collecting tests makes many objects and no garbage.
    gc.disable()
    for setting in SETTINGS:
        os.environ.pop(setting.name, None)


def pytest_collection_finish() -> None:
    """Leave modules and tests out of garbage collections, which walk through all objects that are left."""
    gc.enable()
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses a database on SQLite, or on both databases if it is marked `both_databases`."""
    if "database_url" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        wanted = DATABASES if metafunc.definition.get_closest_marker("both_databases") else DATABASES[:1]
        metafunc.parametrize("database_url", [chosen] if chosen else wanted, indirect=True)


@pytest.fixture(autouse=True)
def cheap_password_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords in a millisecond instead of a tenth of a second."""
    monkeypatch.setattr(passwords, "HASH_METHOD", "scrypt:1024:8:1")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis that all tests of a process share; a test that stops Redis uses `own_redis`."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file; each test gets a copy."""

    def make(folder: Path) -> None:
        migrate(f"sqlite:///{folder / 'template.sqlite3'}")

    return make_once(tmp_path_factory, "sqlite", make) / "template.sqlite3"


@pytest.fixture(scope="session")
def migrated_postgresql() -> Iterator[str]:
    """The URL of a migrated PostgreSQL database; its tables are emptied before each test."""
    with running_postgresql() as url:
        migrate(url)
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated database without rows; the test's id names the kind."""
    if request.param == "sqlite":
        path = tmp_path / "recsite.sqlite3"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("migrated_postgresql")
    tables = [table.name for table in db.metadata.sorted_tables]
    with psycopg.connect(url) as connection:
        # A test that leaves a transaction open would block the next one for ever; this makes it an error.
        connection.execute("SET lock_timeout = '10s'")
        connection.execute(f"LOCK TABLE {', '.join(tables)}")
        # TRUNCATE takes four times as long: it makes a new file for each table and index.
        connection.execute("; ".join(f"DELETE FROM {table}" for table in reversed(tables)))
        connection.execute("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence")
    return url


@pytest.fixture
def app(database_url: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[Flask]:
    """The application on a fresh database, with an empty queue and cache; its context is pushed."""
    redis_server.flush()
    app = make_app(database_url, redis_server, tmp_path / "media")
    with app.app_context():
        yield app
        db.session.remove()
        engine.dispose()


@pytest.fixture
def own_redis(app: Flask, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that only this app uses; the test may stop, freeze and start it."""
    with running_redis(tmp_path / "redis") as server:
        app.config.update(REDIS_URL=server.url, CACHE_REDIS_URL=server.cache_url)
        queueing.init_app(app)
        cache.init_app(app)
        yield server


@pytest.fixture
def client(app: Flask) -> Client:
    """A browser without a login; `log_in` returns one with a login."""
    return new_client(app)


@pytest.fixture
def runner(app: Flask) -> Runner:
    """A runner of `flask …` commands."""
    return cast(Runner, app.test_cli_runner())


def add_world() -> None:
    """Insert MOVIES and RATINGS."""
    for movie_id, title, genres, release_date, overview in MOVIES:
        db.session.add(Movie(id=movie_id, title=title, genres=genres, release_date=release_date, overview=overview))
    db.session.add_all(User(id=user_id, username=username) for user_id, (username, _) in enumerate(RATINGS, 1))
    db.session.flush()
    rated_at = FIRST_RATED_AT
    for user_id, (_, values) in enumerate(RATINGS, 1):
        for movie, value in zip(MOVIES, values, strict=True):
            if value is not None:
                rated_at += timedelta(days=1)
                db.session.add(Rating(user_id=user_id, movie_id=movie[0], value=value, timestamp=rated_at))
    db.session.commit()


@pytest.fixture
def world(app: Flask) -> World:
    """The ids of the users, with MOVIES and RATINGS in the database."""
    add_world()
    return World()


@pytest.fixture
def alice(app: Flask, world: World) -> Client:
    """A browser in which alice is logged in."""
    return log_in(app, world.alice)


@pytest.fixture
def admin(app: Flask, world: World) -> Client:
    """A browser in which alice is logged in, as an admin."""
    db.session.get_one(User, world.alice).is_admin = True
    db.session.commit()
    return log_in(app, world.alice)


@pytest.fixture
def erin(world: World) -> User:
    """A user with PASSWORD and no ratings, in addition to the world."""
    return accounts.create_user("erin", password=PASSWORD)


@pytest.fixture
def program(app: Flask, world: World) -> Client:
    """A program that sends alice's API token with every request."""
    client = new_client(app)
    client.environ_base["HTTP_AUTHORIZATION"] = token_headers(world.alice)["Authorization"]
    return client


@dataclass(frozen=True)
class TrainedWorld(World):
    """The world, eight more users (ids 5-12) whose ratings follow a pattern, and an active version."""

    version_name: str = ""


def add_more_users() -> None:
    """Insert eight users; each rates all movies but one."""
    first_id = len(RATINGS) + 1
    db.session.add_all(User(id=first_id + number, username=f"extra{number}") for number in range(8))
    db.session.flush()
    for number in range(8):
        for place, movie in enumerate(MOVIES):
            if place != number % len(MOVIES):
                value = 1 + (place * (number + 1)) % 9 / 2
                rating = Rating(user_id=first_id + number, movie_id=movie[0], value=value, timestamp=FIRST_RATED_AT)
                db.session.add(rating)
    movies.refresh_averages()
    db.session.commit()


@pytest.fixture(scope="session")
def trained_version(
    migrated_sqlite: Path, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The media folder and the row of a version trained on the world."""

    def open_app(folder: Path) -> Flask:
        return make_app(f"sqlite:///{folder / 'recsite.sqlite3'}", redis_server, folder / "media")

    def make(folder: Path) -> None:
        shutil.copyfile(migrated_sqlite, folder / "recsite.sqlite3")
        with open_app(folder).app_context():
            add_world()
            add_more_users()
            training.train(training.set_up_from_settings(factors=3, epochs=10, folds=2))
            db.session.remove()
            db.engine.dispose()

    folder = make_once(tmp_path_factory, "trained", make)
    with open_app(folder).app_context():
        version = db.session.scalars(sa.select(ModelVersion)).one()
        unique_to_a_row = ("id", "created_at")
        names = [column.key for column in ModelVersion.__table__.columns if column.key not in unique_to_a_row]
        row = {name: getattr(version, name) for name in names}
        db.session.remove()
        db.engine.dispose()
    return folder / "media", row


@pytest.fixture
def trained(app: Flask, world: World, trained_version: tuple[Path, dict[str, Any]]) -> TrainedWorld:
    """The world with eight more users and an active version that was trained on their ratings."""
    media_root, row = trained_version
    add_more_users()
    shutil.copytree(media_root, app.config["MEDIA_ROOT"], dirs_exist_ok=True)
    db.session.add(ModelVersion(**row))
    db.session.commit()
    versions.activate(row["version_name"], "the tests")
    return TrainedWorld(version_name=row["version_name"])


@pytest.fixture
def scored(trained: TrainedWorld) -> TrainedWorld:
    """The trained world with a stored list for every user."""
    suggestions.rescore(suggestions.all_user_ids())
    return trained
