"""A movie that gets another id takes along everything that refers to it."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.extensions import db
from recsite.ratings.importers import movie_rows
from recsite.storage import audit
from recsite.storage.tables import AuditEntry, Dismissal, HistoryImport, HistoryRow, Movie, Rating, Suggestion, now
from tests.conftest import World

pytestmark = pytest.mark.both_databases

OLD, NEW = 1_000_000_550, 551
MOVIES: sa.Table = Movie.__table__
ROWS: dict[str, dict[str, Any]] = {
    "ratings": {"user_id": 3, "value": 4.0, "timestamp": now()},
    "dismissals": {"user_id": 3, "is_unwanted": True, "timestamp": now()},
    "suggestions": {"user_id": 3, "value": 4.0, "rank": 1, "timestamp": now()},
    "history_rows": {"import_id": 1, "value": 4.0},
    "movie_aliases": {"movielens_id": 5},
    "movie_reach": {"lists": 2, "first_ten": 1},
}
"A row of each table that refers to movies, without the movie."


OTHER_VALUES: dict[str, dict[str, Any]] = {"dismissals": {"is_unwanted": False}, "movie_aliases": {"movielens_id": 6}}
"What a row of the new id has in place of that."


@pytest.fixture
def old(world: World) -> int:
    """The id of a movie without a TMDB id, to which a row of each table refers."""
    db.session.add_all((Movie(id=OLD, title="Babylon 5"), HistoryImport(id=1, user_id=3, file_name="mine.csv")))
    db.session.flush()
    for name, row in ROWS.items():
        db.session.execute(sa.insert(db.metadata.tables[name]).values(movie_id=OLD, **row))
    audit.record("alice", "hide movie", "movie", OLD)
    db.session.commit()
    return OLD


def movie_columns() -> dict[str, set[str]]:
    """Return the columns of each table that hold ids of movies, by their names or by their foreign keys."""
    found: dict[str, set[str]] = {}
    for table in db.metadata.sorted_tables:
        for column in table.columns:
            refers = any(key.column is MOVIES.c.id for key in column.foreign_keys)
            if refers or column.name.endswith("movie_id"):
                found.setdefault(table.name, set()).add(column.name)
    return found


def test_every_column_with_a_movie_has_a_row_in_these_tests_and_is_moved(app: Flask) -> None:
    assert movie_columns() == {name: {"movie_id"} for name in ROWS}
    assert {column.table.name for column in movie_rows.REFERENCES} == ROWS.keys()


def test_every_row_about_a_movie_moves_with_it(old: int) -> None:
    movie_rows.move_movies({old: NEW})
    db.session.commit()

    for name, row in ROWS.items():
        table = db.metadata.tables[name]
        (moved,) = db.session.execute(sa.select(table).where(table.c.movie_id.in_((OLD, NEW)))).mappings()
        assert moved["movie_id"] == NEW, name
        assert {key: moved[key] for key in row if key != "timestamp"} == {
            key: value for key, value in row.items() if key != "timestamp"
        }
    assert db.session.scalars(sa.select(AuditEntry.subject)).all() == [str(NEW)]
    assert db.session.get(Movie, OLD) is None
    assert db.session.get_one(Movie, NEW).title == "Babylon 5"


@pytest.mark.parametrize(("of_new", "kept"), ((None, "SKU-5"), ("SKU-9", "SKU-9")))
def test_the_sites_own_id_moves_along_unless_there_is_one(old: int, of_new: str | None, kept: str) -> None:
    db.session.get_one(Movie, old).site_id = "SKU-5"
    if of_new:
        db.session.add(Movie(id=NEW, title="Babylon 5", site_id=of_new))
    db.session.commit()

    movie_rows.move_movies({old: NEW})
    db.session.commit()

    assert db.session.get_one(Movie, NEW).site_id == kept


def test_of_two_rows_the_one_of_the_new_id_stays_and_nothing_is_left_of_the_old_one(old: int) -> None:
    db.session.add(Movie(id=NEW, title="Babylon 5"))
    db.session.flush()
    for name, row in ROWS.items():
        values = {**row, "movie_id": NEW, **OTHER_VALUES.get(name, {})}
        db.session.execute(sa.insert(db.metadata.tables[name]).values(values))
    db.session.commit()

    movie_rows.move_movies({old: NEW})
    db.session.commit()

    for kind in (Rating, Suggestion, Dismissal, HistoryRow):
        table: sa.Table = kind.__table__
        assert db.session.scalars(sa.select(table.c.movie_id)).all().count(NEW) == 1, table.name
        assert OLD not in db.session.scalars(sa.select(table.c.movie_id)).all(), table.name
    assert db.session.get_one(Dismissal, (3, NEW)).is_unwanted


def test_the_users_of_every_table_are_locked_before_a_move(old: int) -> None:
    assert db.session.scalars(movie_rows.users_of_movable()).all() == [3]
