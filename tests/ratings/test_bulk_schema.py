"""Indexes and constraints are the same after a large import, which builds them anew."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.extensions import db
from recsite.ratings import bulk_schema, bulk_writing
from recsite.storage.tables import Movie, Rating, User
from tests.ratings.importing import import_ratings, stored

pytestmark = pytest.mark.both_databases

CONTENT = "user_id,movie_id,rating,timestamp\n1,949,4.5,100\n2,949,3.0,100\n2,862,3.5,100\n"
ALL = {(1, 949): 4.5, (2, 949): 3.0, (2, 862): 3.5}


@pytest.fixture
def path(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as a large one."""
    monkeypatch.setattr(bulk_schema, "MANY_ROWS_SQLITE", 3)
    monkeypatch.setattr(bulk_schema, "MANY_ROWS_POSTGRESQL", 3)
    db.session.add_all((Movie(id=949, title="Heat"), Movie(id=862, title="Toy Story")))
    db.session.commit()
    path = tmp_path / "ratings.csv"
    path.write_text(CONTENT)
    return path


def schema() -> tuple[Any, ...]:
    """Return what the database has beside the columns of the ratings."""
    inspector = sa.inspect(db.engine)
    indexes = sorted(inspector.get_indexes("ratings"), key=lambda index: str(index["name"]))
    keys = sorted(inspector.get_foreign_keys("ratings"), key=lambda key: str(key["name"]))
    return indexes, keys, inspector.get_pk_constraint("ratings"), inspector.get_check_constraints("ratings")


def watch_for_rebuilding(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list to which each write of rows appends the schema that it finds."""
    seen: list[Any] = []
    blocks_of = bulk_writing.blocks_of

    def look(changes: Any) -> Any:
        seen.append(sa.inspect(db.session.connection()).get_indexes("ratings"))
        return blocks_of(changes)

    monkeypatch.setattr(bulk_writing, "blocks_of", look)
    return seen


def test_the_schema_is_whole_after_a_large_import(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schema()
    seen = watch_for_rebuilding(monkeypatch)

    import_ratings(path)

    assert seen == [[]]
    assert schema() == before
    assert stored() == ALL


def test_the_schema_is_whole_after_an_import_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schema()

    def fail(changes: Any) -> Any:
        raise OSError("No space left on device")

    monkeypatch.setattr(bulk_writing, "blocks_of", fail)

    with pytest.raises(OSError, match="No space"):
        import_ratings(path)
    assert schema() == before
    assert stored() == {}


def test_postgresql_keeps_the_keys_while_somebody_else_uses_the_tables(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer.")
    seen = watch_for_rebuilding(monkeypatch)

    with db.engine.connect() as other:
        other.execute(sa.select(User.id)).all()
        import_ratings(path)

    assert len(seen[0]) == 2
    assert stored() == ALL


def test_postgresql_keeps_the_keys_where_somebody_has_rated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer.")
    db.session.add(User(id=7, username="user-7"))
    db.session.flush()
    db.session.add(Rating(user_id=7, movie_id=949, value=2.0))
    db.session.commit()
    seen = watch_for_rebuilding(monkeypatch)

    import_ratings(path)

    assert len(seen[0]) == 2
    assert stored() == ALL | {(7, 949): 2.0}
