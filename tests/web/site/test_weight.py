"""No page is heavy: at most 200 KB with what it loads, and at most 15 SQL statements; `pytest -s` shows each."""

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import versions
from recsite.extensions import db
from recsite.jobs import demo
from recsite.storage.tables import User
from recsite.versions import training
from tests.ratings.changes import rate

MOST_BYTES = 200_000
MOST_STATEMENTS = 15
PAGES = (
    *("/", "/start/", "/for-you/", "/movies/", "/movies/?page=1&through=4", "/movies/?q=the&genre=Drama"),
    *("/movies/278/", "/movies/popular/", "/movies/infinite/"),
)


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """What SQLite is asked, also past SQLAlchemy."""
    asked: list[str] = []

    def listen(connection: Any, *_: Any) -> None:
        connection.set_trace_callback(
            lambda sql: asked.append(sql) if not sql.startswith(("BEGIN", "PRAGMA")) else None
        )

    sa.event.listen(db.engine, "checkout", listen)
    yield asked
    sa.event.remove(db.engine, "checkout", listen)


@pytest.fixture
def user(app: Flask) -> User:
    """Somebody with a list among the people of the bundled sample."""
    demo.load_sample(lambda done, total: None)
    version = training.train(training.set_up_from_settings(**demo.SAMPLE_PARAMETERS | {"epochs": 5}, folds=2))
    versions.activate(version.version_name, "the tests")
    user = User(username="frank")
    db.session.add(user)
    db.session.commit()
    for movie_id, value in ((680, 5.0), (238, 4.5), (862, 2.0), (550, 4.0), (13, 1.0)):
        rate(user.id, movie_id, value)
    return user


def test_no_page_is_heavy(app: Flask, user: User, statements: list[str]) -> None:
    for client in (app.test_client(user=user), app.test_client()):
        for path in PAGES:
            client.get(path)
            statements.clear()
            page = client.get(path)
            asked = list(statements)
            loaded = set(re.findall(r'(?:src|href)="(/(?:static|assets)/[^"]+)"', page.text))
            weight = len(page.data) + sum(len(client.get(each).data) for each in loaded)
            sys.stdout.write(f"{path:32}{weight:10,} bytes {len(asked):3} statements\n")
            assert (page.status_code, weight <= MOST_BYTES, len(asked) <= MOST_STATEMENTS) == (200, True, True), path
