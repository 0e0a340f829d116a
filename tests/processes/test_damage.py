"""A database that is damaged, full, read-only or without tables: 503 with the reason, and what to do about it."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, create_app
from recsite.extensions import db
from recsite.jobs import health
from recsite.storage.tables import User
from tests.conftest import World
from tests.processes.servers import RedisServer
from tests.web.clients import Client, Runner

PAGES = ("/", "/movies/", "/movies/550/", "/movies/popular/", "/readyz")
READS = ("/api/suggestions?user_id=1", "/api/ratings?user_id=1", "/api/movies", "/api/movies/550")
PAGE_BYTES = 4096


def overwrite_header(path: Path) -> None:
    """Overwrite the header of the file."""
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)


def cut_off(path: Path) -> None:
    """Cut off the second half, as an interrupted copy does."""
    os.truncate(path, path.stat().st_size // 2)


def overwrite_pages(path: Path) -> None:
    """All pages but the first, which knows the tables' names, are noise."""
    noise = random.Random(1)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES)
        file.write(noise.randbytes(size - PAGE_BYTES))


@pytest.fixture
def broken(app: Flask, world: World) -> Iterator[Callable[[Callable[[Path], None]], None]]:
    """Damages the app's database as told, while nobody has it open."""

    def damage(how: Callable[[Path], None]) -> None:
        db.session.remove()
        # The last one who closes the file writes into it what stands in the log beside it.
        db.engine.dispose()
        how(Path(str(db.engine.url.database)))

    yield damage
    db.session.remove()


@pytest.mark.parametrize("how", (overwrite_header, cut_off, overwrite_pages))
def test_a_damaged_file_is_unavailable_and_no_fault(
    program: Client, runner: Runner, broken: Callable[[Callable[[Path], None]], None], how: Callable[[Path], None]
) -> None:
    broken(how)

    responses = [program.get(path) for path in (*PAGES, *READS)]
    seen = runner.invoke(args=["doctor"])

    assert {response.status_code for response in responses} == {503}
    assert {response.headers["Retry-After"] for response in responses} == {"5"}
    assert responses[-1].json == {"error": "The database is damaged. The operator of this site has to restore it."}
    assert seen.exit_code == 1
    assert "database   damaged; stop the site and restore the latest backup" in seen.stdout


def test_one_bad_page_that_no_request_has_met_is_found_by_the_doctor(
    client: Client, runner: Runner, broken: Callable[[Callable[[Path], None]], None]
) -> None:
    with db.engine.connect() as connection:
        page = connection.scalar(sa.text("SELECT rootpage FROM sqlite_master WHERE name = 'audit_entries'"))

    def overwrite_page(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek((page - 1) * PAGE_BYTES)
            file.write(b"\xff" * PAGE_BYTES)

    broken(overwrite_page)

    assert client.get("/readyz").status_code == 200
    assert "database   damaged" in runner.invoke(args=["doctor"]).stdout


def test_a_damaged_file_is_a_sentence_to_a_command(
    runner: Runner, broken: Callable[[Callable[[Path], None]], None]
) -> None:
    broken(overwrite_header)

    result = runner.invoke(args=["models", "list"])

    assert result.exit_code == 1
    assert result.output.startswith("Error: Database error: file is not a database. What to do: damaged; stop")


def bearer() -> dict[str, str]:
    """Return the headers of a program that acts as bob."""
    return {"Authorization": f"Bearer {accounts.create_token(accounts.find_user('bob'))}"}


def add_users_for_ever() -> NoReturn:
    """Until the database has no room for another."""
    while True:
        db.session.add(User(username=os.urandom(20).hex(), email="x" * 200))
        db.session.commit()


def test_a_full_disk_refuses_changes_alone(app: Flask, client: Client, program: Client) -> None:
    with db.engine.connect() as connection:
        pages = connection.scalar(sa.text("PRAGMA page_count"))
    db.session.remove()
    db.engine.dispose()
    # The most that this driver's connections make of the file, as a full disk does.
    sa.event.listen(db.engine, "connect", lambda new, _: new.execute(f"PRAGMA max_page_count = {pages}") and None)
    with pytest.raises(sa.exc.OperationalError, match="full") as caught:
        add_users_for_ever()
    db.session.rollback()

    refused = client.post("/accounts/signup/", data={"username": "x" * 60, "password": "correct horse battery"})

    assert refused.status_code == 503
    assert "The database has no room left, so nothing can be saved." in refused.text
    assert health.database_is_out(caught.value).says == "its disk is full; make room on it"
    assert [program.get(path).status_code for path in (*PAGES, *READS)] == [200] * 9


@pytest.mark.both_databases
def test_without_tables_a_site_says_how_to_make_them(
    database_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    if database_url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path}/new.sqlite3"
    else:
        url = f"{database_url}&options=-csearch_path%3Dnowhere"
    app = create_app({"DATABASE_URL": url, "REDIS_URL": redis_server.url, "SECRET_KEY": "test", "API_AUTH": "open"})
    client = app.test_client()

    headers = {"Authorization": "Bearer of-a-table-that-is-not-there"}
    responses = [client.get(path, headers=headers) for path in (*PAGES, *READS)]
    command = app.test_cli_runner().invoke(args=["models", "list"])
    seen = app.test_cli_runner().invoke(args=["doctor"])

    assert {response.status_code for response in responses} == {503}
    assert responses[-1].get_json()["error"].endswith("has to run 'flask db upgrade'.")
    assert command.output.endswith("What to do: its tables are not those of this version; run 'flask db upgrade'.\n")
    assert "database   its tables are not those of this version; run 'flask db upgrade'" in seen.stdout
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def read_only(
    app: Flask, world: World, database_url: str, redis_server: RedisServer
) -> Iterator[tuple[Flask, dict[str, str]]]:
    """The same site, on a database that takes no changes, and the headers of Bob's program."""
    if database_url.startswith("sqlite"):
        url = database_url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"
    else:
        url = f"{database_url}&options=-cdefault_transaction_read_only%3Don"
    headers = bearer()
    app = create_app(
        {
            "DATABASE_URL": url,
            "REDIS_URL": redis_server.url,
            "SECRET_KEY": "test",
            "API_AUTH": "open",
        }
    )
    app.test_client_class, app.test_cli_runner_class = Client, Runner
    with app.app_context():
        yield app, headers
        db.session.remove()
        db.engine.dispose()


def test_a_read_only_database_is_read_and_the_reason_given(read_only: tuple[Flask, dict[str, str]]) -> None:
    app, headers = read_only
    client = app.test_client()

    rated = client.post("/api/ratings", json={"movie_id": 550, "value": 4.0}, headers=headers)
    seen = app.test_cli_runner().invoke(args=["doctor"])

    assert (rated.status_code, rated.json) == (503, {"error": "The database takes no changes at the moment."})
    assert [client.get(path, headers=headers).status_code for path in (*PAGES, *READS)] == [200] * 9
    assert seen.exit_code == 1
    assert "database   takes no changes; let the site write to the file and its folder" in seen.stdout
