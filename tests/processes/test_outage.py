"""PostgreSQL frozen, locked or gone under a running site: 503 within the time-out, and it heals by itself."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest
from flask import Flask, Response

from recsite import accounts, create_app
from recsite.extensions import db
from recsite.storage.tables import Movie, User
from tests.conftest import World
from tests.processes.postgresql import PostgresqlServer
from tests.processes.servers import RedisServer, running_postgresql, running_site, wait_until
from tests.storage.shared_files import migrate
from tests.web.clients import Client

SECONDS = 4
"The site's DATABASE_TIMEOUT_SECONDS, the least there is."
SLACK_SECONDS = 1.0
"For the requests themselves, on a machine that runs other tests."
RATING = ("POST", "/api/ratings")
REQUESTS = (
    RATING,
    *(
        ("GET", path)
        for path in (
            *("/", "/movies/", "/movies/550/", "/movies/popular/", "/readyz", "/metrics", "/api/movies/550/similar"),
            *("/api/suggestions?user_id=1", "/api/ratings?user_id=1", "/api/movies", "/api/movies/550"),
        )
    ),
)
ALL_TABLES = "LOCK TABLE users, movies, ratings, suggestions, model_versions, alembic_version IN ACCESS EXCLUSIVE MODE"


@dataclass(frozen=True)
class Answer:
    """What came back, and after how long."""

    status: int
    retry_after: str | None
    seconds: float


@dataclass(frozen=True)
class Site:
    """A site of one process and two threads, and the server that its database is on."""

    address: str
    token: str
    postgresql: PostgresqlServer

    def ask(self, request: tuple[str, str]) -> Answer:
        """Send one request as the owner of the token and return the response."""
        method, path = request
        body = json.dumps({"movie_id": 550, "value": 4.0}).encode() if method == "POST" else None
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        asked = urllib.request.Request(self.address + path, body, headers, method=method)
        began = time.monotonic()
        try:
            with urllib.request.urlopen(asked, timeout=20) as response:
                return Answer(response.status, response.headers["Retry-After"], time.monotonic() - began)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers["Retry-After"], time.monotonic() - began)

    def ask_at_once(self, requests: Sequence[tuple[str, str]]) -> list[Answer]:
        """Send all requests at the same time and return the responses."""
        with ThreadPoolExecutor(len(requests)) as askers:
            return list(askers.map(self.ask, requests))

    def is_sound(self) -> bool:
        """Whether every request is answered as it should be."""
        return all(answer.status in (200, 201) for answer in map(self.ask, REQUESTS))


@pytest.fixture(scope="module")
def site(redis_server: RedisServer) -> Iterator[Site]:
    """Two people, one movie, no model."""
    with running_postgresql() as url:
        migrate(url)
        app = create_app(
            {
                "DATABASE_URL": url,
                "DATABASE_TIMEOUT_SECONDS": SECONDS,
                "REDIS_URL": redis_server.url,
                "CACHE_REDIS_URL": redis_server.cache_url,
                "SECRET_KEY": "test",
            }
        )
        with app.app_context():
            db.session.add(Movie(id=550, title="Fight Club"))
            alice = User(id=1, username="alice", is_admin=True)
            db.session.add_all((alice, User(id=2, username="bob")))
            db.session.commit()
            token = accounts.create_token(alice)
            db.session.remove()
            db.engine.dispose()
        server = PostgresqlServer(url)
        with running_site(app, workers=1) as address:
            try:
                yield Site(address, token, server)
            finally:
                server.stop()


@pytest.mark.parametrize(
    ("take_away", "give_back"),
    ((PostgresqlServer.freeze, PostgresqlServer.thaw), (PostgresqlServer.kill, PostgresqlServer.start)),
    ids=("frozen", "gone"),
)
def test_without_its_database_every_request_ends_in_time_and_the_site_heals(
    site: Site, take_away: Callable[[PostgresqlServer], None], give_back: Callable[[PostgresqlServer], None]
) -> None:
    wait_until(site.is_sound, within_seconds=10)

    take_away(site.postgresql)
    try:
        # Several for each thread: what queues for one counts, too.
        answers = site.ask_at_once(REQUESTS)
        is_up = site.ask(("GET", "/healthz"))
    finally:
        give_back(site.postgresql)

    assert {(answer.status, answer.retry_after) for answer in answers} == {(503, "5")}
    assert max(answer.seconds for answer in answers) < SECONDS + SLACK_SECONDS
    assert is_up.status == 200
    assert is_up.seconds < SLACK_SECONDS
    wait_until(site.is_sound, within_seconds=5)


@pytest.mark.both_databases
def test_locked_tables_hold_no_request_beyond_its_time(site: Site) -> None:
    wait_until(site.is_sound, within_seconds=10)

    with psycopg.connect(site.postgresql.url) as holder:
        holder.execute(ALL_TABLES)
        # As many as threads: a later one would wait for a thread first.
        answers = site.ask_at_once(REQUESTS[:2])

        assert [(answer.status, answer.retry_after) for answer in answers] == [(503, "5")] * 2
        assert max(answer.seconds for answer in answers) < SECONDS + SLACK_SECONDS
        wait_until(lambda: count_waiting(site) == 0, within_seconds=4)
    wait_until(site.is_sound, within_seconds=5)


def count_waiting(site: Site) -> int:
    """How many processes of the server wait for a lock; who asked them may be gone."""
    with psycopg.connect(site.postgresql.url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    assert found is not None
    return int(found[0])


def test_a_database_that_dies_under_a_request_does_not_take_its_answer_away(
    app: Flask, world: World, program: Client
) -> None:
    @app.after_request
    def die(response: Response) -> Response:
        db.session.connection().connection.driver_connection.close()  # type: ignore[union-attr]  # it is connected
        return response

    statuses = [program.get(f"/api/ratings?user_id={world.bob}").status_code for _ in range(2)]

    assert statuses == [200, 200]
