"""What the migration to leases makes of the runs of an older version."""

from collections.abc import Iterator

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import jobs
from recsite.config import ROOT
from recsite.extensions import db
from recsite.jobs import runs, tasks
from recsite.storage.queue import queueing

pytestmark = pytest.mark.both_databases

MIGRATIONS = str(ROOT / "migrations")
OLD_RUN = (
    "INSERT INTO runs (kind, subject, asked_by, parameters, state, failed_blocks, created_at, heard_at) VALUES "
    "(:kind, '', 'alice', '{}', :state, '[]', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')"
)


@pytest.fixture
def old_tables(app: Flask) -> Iterator[None]:
    """The tables before the migration; the newest ones follow in any case."""
    flask_migrate.downgrade(MIGRATIONS, "0007")
    yield
    flask_migrate.upgrade(MIGRATIONS)


def insert_old_run(kind: str, state: str) -> None:
    """Insert a run as an older version recorded it."""
    with db.engine.begin() as connection:
        connection.execute(sa.text(OLD_RUN), {"kind": kind, "state": state})


def test_a_queued_run_of_an_older_version_is_done(app: Flask, old_tables: None) -> None:
    insert_old_run("averages", "queued")

    flask_migrate.upgrade(MIGRATIONS)
    runs.enqueue_due()
    tasks.do_next("a-job")

    (run,) = jobs.list_latest(10)
    assert (run.state, run.outcome, queueing.count_jobs()) == ("finished", "nothing had changed", 1)
    db.session.rollback()


def test_a_failed_run_of_an_older_version_can_be_retried(app: Flask, old_tables: None) -> None:
    insert_old_run("averages", "failed")

    flask_migrate.upgrade(MIGRATIONS)
    (run,) = jobs.list_latest(10)
    jobs.retry(run.id, "alice")
    tasks.do_next("a-job")

    assert jobs.find(run.id).state == "finished"
    db.session.rollback()


def test_blocks_of_an_older_version_are_done_and_go_back(app: Flask, old_tables: None) -> None:
    insert_old_run("score", "running")
    with db.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO run_blocks (run_id, number, user_ids, size, state) VALUES "
                "(1, 1, '[1]', 1, 'finished'), (1, 2, '[2]', 1, 'queued')"
            )
        )

    flask_migrate.upgrade(MIGRATIONS)
    flask_migrate.downgrade(MIGRATIONS, "0007")
    flask_migrate.upgrade(MIGRATIONS)

    with db.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT number, state, attempts FROM run_blocks ORDER BY number")).all()
    assert [tuple(row) for row in rows] == [(1, "finished", 0), (2, "queued", 0)]
