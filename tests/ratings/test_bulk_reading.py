"""Users whose ratings equal those of a file are told from the others without reading row by row."""

from pathlib import Path

import polars as pl
import pytest
from flask import Flask

from recsite.extensions import db
from recsite.ratings import bulk_reading
from recsite.storage.tables import Movie
from tests.ratings.changes import rate
from tests.ratings.importing import import_ratings, stored

pytestmark = pytest.mark.both_databases

HEAT, TOY_STORY = 949, 862
HEADER = "user_id,movie_id,rating,timestamp\n"
CONTENT = HEADER + "1,862,0.5,2020-01-02T03:04:05.678901\n1,949,4.5,100\n2,949,3.0,100\n3,862,2.0,100\n3,949,5.0,100\n"


@pytest.fixture
def path(app: Flask, tmp_path: Path) -> Path:
    """A file that is imported already."""
    db.session.add_all((Movie(id=HEAT, title="Heat"), Movie(id=TOY_STORY, title="Toy Story")))
    db.session.commit()
    path = tmp_path / "ratings.csv"
    path.write_text(CONTENT)
    import_ratings(path)
    return path


def read_users(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Return a set that gets the users whose ratings are read row by row."""
    found: set[int] = set()
    compare = bulk_reading.compare

    def look(rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
        found.update(stored["user_id"])
        return compare(rows, stored)

    monkeypatch.setattr(bulk_reading, "compare", look)
    return found


def test_no_rating_is_read_when_the_file_is_imported_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = read_users(monkeypatch)

    assert import_ratings(path).ratings.unchanged == 5
    assert users == set()


@pytest.mark.parametrize("users_per_block", (1, 2))
def test_the_ratings_of_users_who_rated_since_are_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, users_per_block: int
) -> None:
    monkeypatch.setattr(bulk_reading, "USERS_PER_BLOCK", users_per_block)
    rate(2, TOY_STORY, 1.0)
    rate(3, HEAT, 1.5)
    users = read_users(monkeypatch)

    report = import_ratings(path)

    assert (report.ratings.new, report.ratings.changed, report.ratings.unchanged) == (0, 1, 4)
    assert users == {2, 3}
    assert stored() == {(1, 862): 0.5, (1, 949): 4.5, (2, 949): 3.0, (2, 862): 1.0, (3, 862): 2.0, (3, 949): 5.0}


@pytest.mark.parametrize(
    "row", ("2,949,3.5,100", "2,949,3.0,101", "2,949,3.0,100.000001", "2,862,3.0,100", "2,949,3.0,100\n2,862,3.0,")
)
def test_a_rating_that_differs_in_anything_is_written(path: Path, row: str) -> None:
    path.write_text(CONTENT.replace("2,949,3.0,100", row))

    report = import_ratings(path)

    assert (report.ratings.new, report.ratings.changed) in ((0, 1), (1, 0))
    assert report.ratings.unchanged == report.ratings.read - 1
    assert import_ratings(path).ratings.unchanged == report.ratings.read
