"""What machines ask of the site."""

from collections.abc import Iterator

import pytest
from flask import Flask, url_for
from sqlalchemy.exc import OperationalError

from recsite import create_app
from recsite.extensions import db
from recsite.jobs import health
from tests.conftest import TrainedWorld
from tests.processes.servers import RedisServer, find_free_port
from tests.web.clients import Client, new_client


@pytest.fixture
def client_without_database(redis_server: RedisServer) -> Iterator[Client]:
    """A browser at a site whose PostgreSQL is away."""
    app = create_app(
        {
            "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{find_free_port()}/recsite",
            "REDIS_URL": redis_server.url,
            "SECRET_KEY": "test",
        }
    )
    app.test_client_class = Client
    with app.app_context():
        yield new_client(app)
        db.engine.dispose()


@pytest.mark.both_databases
def test_a_site_with_everything_but_a_model_is_ready_and_says_what_is_missing(client: Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json == {
        "database": "ok",
        "redis": "ok",
        "model": "none is loaded; 'flask doctor' says what to do",
    }


def test_without_redis_the_site_is_ready_and_says_so(client: Client, own_redis: RedisServer) -> None:
    own_redis.stop()

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json["redis"].startswith("unreachable")


def test_without_its_database_the_site_is_up_and_not_ready(client_without_database: Client) -> None:
    assert client_without_database.get("/healthz").status_code == 200

    response = client_without_database.get("/readyz")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.json["database"].startswith("unreachable")
    assert response.json["redis"] == "ok"


@pytest.mark.both_databases
def test_a_database_that_is_not_migrated_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "newest_revisions", lambda: frozenset({"a newer one"}))

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "run 'flask db upgrade'" in response.json["database"]


def test_a_site_with_an_active_model_is_ready_in_all_its_parts(client: Client, trained: TrainedWorld) -> None:
    assert client.get("/readyz").json == {"database": "ok", "redis": "ok", "model": "ok"}


@pytest.mark.parametrize("path", ("/healthz", "/readyz"))
def test_what_is_asked_all_the_time_is_not_kept_by_anybody(client: Client, path: str) -> None:
    assert client.get(path).cache_control.no_store


def test_the_link_to_htmx_names_its_version_and_is_kept_for_a_year(app: Flask, client: Client) -> None:
    with app.test_request_context():
        link = url_for("status.htmx")

    response = client.get(link)

    assert "?v=2.0.3" in link
    assert response.mimetype == "text/javascript"
    assert b"htmx" in response.data
    assert response.cache_control.immutable
    assert response.cache_control.max_age == 31_536_000


@pytest.mark.parametrize("link", ("/assets/htmx.min.js", "/assets/htmx.min.js?v=1.0"))
def test_a_link_to_no_version_of_htmx_is_asked_for_again(client: Client, link: str) -> None:
    response = client.get(link)

    assert response.status_code == 200
    assert not response.cache_control.immutable
    assert response.cache_control.no_cache


@pytest.mark.parametrize(
    "path", ("/", "/api/suggestions?user_id=1", "/api/movies", "/movies/550/", "/api/ratings?user_id=1")
)
def test_without_its_database_the_site_asks_to_come_back(client_without_database: Client, path: str) -> None:
    response = client_without_database.get(path, headers={"Authorization": "Bearer nobody-can-look-this-up"})

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_an_outage_of_the_database_is_an_operational_error(client_without_database: Client) -> None:
    with pytest.raises(OperationalError, match="refused"):
        db.session.execute(db.text("SELECT 1"))
