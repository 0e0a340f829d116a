"""Migrations: the models agree with the tables, and rows survive downgrades and upgrades."""

from collections.abc import Iterator

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask

from recsite import accounts
from recsite.config import ROOT
from recsite.extensions import db
from recsite.storage.tables import FIRST_ACCOUNT_ID, Suggestion, User
from tests.conftest import World
from tests.web.clients import Runner

pytestmark = pytest.mark.both_databases

FOLDER = str(ROOT / "migrations")
REVISIONS = [script.revision for script in ScriptDirectory(FOLDER).walk_revisions()]
"From the newest to the first."
COLUMNS = {
    "users": ("id", "username"),
    "movies": ("id", "title", "rating_count"),
    "ratings": ("user_id", "movie_id", "value"),
    "suggestions": ("user_id", "movie_id", "rank", "did_rate"),
}
"Some columns that every revision has."


@pytest.fixture
def filled(app: Flask, world: World) -> Iterator[None]:
    """The world with a suggestion; afterwards the tables are those of the newest revision again."""
    db.session.add(Suggestion(user_id=world.bob, movie_id=949, value=4.5, rank=1))
    db.session.commit()
    yield
    db.session.remove()
    flask_migrate.upgrade(FOLDER)


def read_rows() -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of the tables that every revision has."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with db.engine.connect() as connection:
        for name, keys in COLUMNS.items():
            columns: list[sa.ColumnClause[object]] = [sa.column(key) for key in keys]
            rows = connection.execute(sa.select(*columns).select_from(sa.table(name)).order_by(*columns))
            found[name] = [tuple(row) for row in rows]
    return found


def test_the_models_are_what_the_migrations_make(runner: Runner) -> None:
    result = runner.invoke(args=["db", "check"])

    assert result.exit_code == 0, result.output


def test_rows_survive_every_downgrade_and_the_upgrade_back(filled: None) -> None:
    before = read_rows()
    db.session.remove()

    for revision in REVISIONS[1:]:
        flask_migrate.downgrade(FOLDER, revision)
        assert read_rows() == before, f"after the downgrade to {revision}"
    flask_migrate.upgrade(FOLDER)

    assert all(before.values())
    assert read_rows() == before


def test_accounts_of_older_versions_keep_their_ids_and_new_ones_start_at_a_thousand_million(filled: None) -> None:
    db.session.remove()
    flask_migrate.downgrade(FOLDER, "0008")
    flask_migrate.upgrade(FOLDER)

    created = accounts.create_user("ann").id

    assert created == FIRST_ACCOUNT_ID
    assert db.session.get_one(User, World.alice).username == "alice"


def test_an_id_behind_a_thousand_million_is_not_given_out_again_by_a_migration(filled: None) -> None:
    db.session.add(User(id=FIRST_ACCOUNT_ID + 500, username="imported by an older version"))
    db.session.commit()
    db.session.remove()
    flask_migrate.downgrade(FOLDER, "0008")
    flask_migrate.upgrade(FOLDER)

    assert accounts.create_user("ann").id == FIRST_ACCOUNT_ID + 501


def test_accounts_that_look_alike_survive_the_upgrade_and_the_first_keeps_the_key(filled: None) -> None:
    db.session.remove()
    flask_migrate.downgrade(FOLDER, "0010")
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE users SET username = 'ALICE' WHERE id = 2"))
    flask_migrate.upgrade(FOLDER)

    keys = {row.id: row.name_key for row in db.session.execute(sa.select(User.id, User.name_key))}

    assert keys == {World.alice: "alice", World.bob: None, World.carol: "carol", World.dave: "dave"}


def test_the_last_downgrade_leaves_no_table(filled: None) -> None:
    db.session.remove()

    flask_migrate.downgrade(FOLDER, "base")

    assert sa.inspect(db.engine).get_table_names() == ["alembic_version"]
