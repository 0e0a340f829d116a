"""What an admin page may cost: 15 statements and 200 KB, however many rows it shows."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import suggestions, versions
from recsite.extensions import db
from recsite.storage import audit
from recsite.suggestions.quality import coverage
from recsite.versions import training
from tests.conftest import TrainedWorld
from tests.ratings.changes import rate
from tests.web.admin.test_access import admin_pages
from tests.web.clients import Client

pytestmark = pytest.mark.both_databases

MOST_STATEMENTS = 15
MOST_BYTES = 200_000


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """Every statement that the database was sent since the list was last cleared."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        sent.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture
def busy(trained: TrainedWorld) -> TrainedWorld:
    """Three versions, lists for everybody, a measure of reach, and a log of a hundred changes."""
    for seed in (1, 2):
        name = training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=seed)).version_name
        versions.activate(name, "the tests", "another one")
    suggestions.rescore(suggestions.all_user_ids())
    rate(trained.bob, 550, 4.0)
    suggestions.refresh(trained.bob)
    coverage.measure()
    for number in range(100):
        after = {"title": "x" * 600, "number": number}
        audit.record("alice", "edit movie", "movie", 550, "Fight Club", after=after)
    db.session.commit()
    return trained


def test_no_page_costs_more_than_it_may(app: Flask, admin: Client, busy: TrainedWorld, statements: list[str]) -> None:
    first, second, third = (version.version_name for version in versions.list_versions())
    pages = [
        *admin_pages(app),
        f"/admin/models/compare?old={first}&new={third}",
        f"/admin/models/preview?version_name={second}",
    ]

    for page in pages:
        admin.get(page)  # opens the versions
        statements.clear()
        response = admin.get(page)
        assert response.status_code == 200, page
        assert len(statements) <= MOST_STATEMENTS, page
        assert len(response.data) <= MOST_BYTES, page
