"""A site behind PgBouncer in transaction mode, with one connection to the database."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from recsite import accounts
from recsite.extensions import db
from recsite.storage import engine
from recsite.storage.tables import Movie, User
from tests.processes.servers import RedisServer, find_free_port, wait_until
from tests.web.apps import make_app
from tests.web.clients import token_headers

BOUNCER = shutil.which("pgbouncer")
RATINGS = 40

pytestmark = pytest.mark.skipif(BOUNCER is None, reason="pgbouncer is not installed")


def connects(url: str) -> bool:
    """Return whether the server accepts a connection."""
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return False


@pytest.fixture
def bouncer_url(migrated_postgresql: str) -> Iterator[str]:
    """The URL of a PgBouncer with one connection to an empty, migrated database."""
    port = find_free_port()
    folder = migrated_postgresql.partition("host=")[2]
    # Not below the test's own folder, which other users cannot read.
    settings = Path(tempfile.mkdtemp(prefix="recsite-pgbouncer-")) / "pgbouncer.ini"
    settings.parent.chmod(0o755)
    settings.write_text(
        f"[databases]\nrecsite = host={folder} dbname=recsite user=postgres\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 1\nignore_startup_parameters = extra_float_digits\n"
    )
    # It refuses to run as root, and the database's socket belongs to its own user.
    user = None if os.getuid() else Path(folder).stat().st_uid
    with psycopg.connect(migrated_postgresql, autocommit=True) as connection:
        tables = ", ".join(table.name for table in db.metadata.sorted_tables)
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    process = subprocess.Popen([str(BOUNCER), "-q", str(settings)], user=user, stderr=subprocess.DEVNULL)
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}/recsite"
        wait_until(lambda: connects(url), within_seconds=10)
        yield url
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(settings.parent)


@pytest.fixture
def bounced(
    bouncer_url: str, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """An application whose database is behind PgBouncer, with users who have tokens, and movies."""
    redis_server.flush()
    monkeypatch.setenv("DATABASE_PREPARED_STATEMENTS", "false")
    app = make_app(bouncer_url, redis_server, tmp_path / "media")
    with app.app_context():
        db.session.add_all(Movie(id=n, title=f"Movie {n}") for n in range(1, RATINGS + 1))
        db.session.commit()
        yield app
        db.session.remove()
        engine.dispose()


def test_requests_at_once_share_one_connection(bounced: Flask) -> None:
    users = [accounts.create_user(f"person-{number}") for number in range(4)]
    headers = {user.id: token_headers(user.id) for user in users}
    db.session.commit()
    db.session.remove()

    def use(user_id: int) -> list[int]:
        client = FlaskClient(bounced)
        statuses = []
        for movie_id in range(1, RATINGS + 1):
            body = {"movie_id": movie_id, "value": 4.0}
            statuses.append(client.post("/api/ratings", json=body, headers=headers[user_id]).status_code)
            path = f"/api/suggestions?user_id={user_id}&include=reason"
            statuses.append(client.get(path, headers=headers[user_id]).status_code)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        answered = list(pool.map(use, headers))

    assert answered == [[201, 200] * RATINGS] * 4
    assert db.session.scalar(sa.select(sa.func.count()).select_from(User)) == 4
