"""Times and ratings in the spellings of spreadsheets, data bases and other sites."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.storage.tables import Rating
from tests.ratings.importing import HEAT, PULP_FICTION, load, stored

HEADER = "user_id,movie_id,rating,timestamp\n"
YEAR_2000 = datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("964982703", YEAR_2000),
        ("964982703.0", YEAR_2000),
        ("9.64982703E8", YEAR_2000),
        ("964982703000", YEAR_2000),
        ("964982703000000", YEAR_2000),
        ("2000-07-30 18:45:03 UTC", YEAR_2000),
        ("2000-07-30T20:45:03.000+02:00", YEAR_2000),
        ("20200102", datetime(2020, 1, 2, tzinfo=UTC)),
        ("31.12.2021", datetime(2021, 12, 31, tzinfo=UTC)),
        ("12/31/2021 11:59:00 PM", datetime(2021, 12, 31, 23, 59, tzinfo=UTC)),
        ("31/12/2021", datetime(2021, 12, 31, tzinfo=UTC)),
        ("30-Jan-1995", datetime(1995, 1, 30, tzinfo=UTC)),
        ("20000730T184503Z", YEAR_2000),
        ("20000730T204503+0200", YEAR_2000),
        ("Sun Jul 30 20:45:03 +0200 2000", YEAR_2000),
        ("2000-07-30 6:45:03 PM", YEAR_2000),
        ("36737", datetime(2000, 7, 30, tzinfo=UTC)),
        ("36737.78128", YEAR_2000),
        ("31.12.21", datetime(2021, 12, 31, tzinfo=UTC)),
        ("7/30/00 18:45", datetime(2000, 7, 30, 18, 45, tzinfo=UTC)),
        ("12/31/99", datetime(1999, 12, 31, tzinfo=UTC)),
    ),
)
def test_a_time_is_read_in_every_usual_spelling(
    four_films: None, tmp_path: Path, text: str, expected: datetime
) -> None:
    load(tmp_path, f"{HEADER}9000,949,4.5,{text}\n")

    assert db.session.get_one(Rating, (9000, HEAT)).timestamp == expected


def test_small_numbers_beside_seconds_are_seconds(four_films: None, tmp_path: Path) -> None:
    load(tmp_path, f"{HEADER}9000,949,4.5,36737\n9000,680,4,964982703\n")

    assert db.session.get_one(Rating, (9000, HEAT)).timestamp == datetime(1970, 1, 1, 10, 12, 17, tzinfo=UTC)


@pytest.mark.parametrize("text", ("20/12/13", "05/05/21", "21-12-31"))
def test_two_digits_that_may_be_the_year_or_the_day_stay_empty(four_films: None, tmp_path: Path, text: str) -> None:
    report = load(tmp_path, f"{HEADER}9000,949,4.5,{text}\n")

    assert report.emptied.total() == 1


@pytest.mark.parametrize("word", ("", "NULL", r"\N", "NaN", "None", "-"))
def test_a_word_for_nothing_is_no_time(four_films: None, tmp_path: Path, word: str) -> None:
    report = load(tmp_path, f"{HEADER}9000,949,4.5,{word}\n")

    assert stored() == {(9000, HEAT): 4.5}
    assert report.emptied == {}


def test_a_date_that_can_be_read_in_two_ways_stays_empty_unless_another_row_tells(
    four_films: None, tmp_path: Path
) -> None:
    doubtful = load(tmp_path, f"{HEADER}9000,949,4.5,03/04/2021\n")
    certain = load(tmp_path, f"{HEADER}9000,949,4.5,03/04/2021\n9000,680,4,31/12/2021\n")

    assert doubtful.emptied == {
        "the date can be read in two ways: nothing in its column tells the day from the month": 1
    }
    assert certain.emptied == {}
    assert db.session.get_one(Rating, (9000, HEAT)).timestamp == datetime(2021, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "scale", "expected"),
    (
        ((8, 4), None, (4.0, 2.0)),
        ((16, 7), None, (4.0, 2.0)),
        ((87, 40), None, (4.5, 2.0)),
        (("up", "down"), None, (5.0, 1.0)),
        ((1, 0), None, (5.0, 1.0)),
        ((3, 2), "10", (1.5, 1.0)),
        ((3.7, 2.2), "5", (3.5, 2.0)),
    ),
)
def test_ratings_on_another_scale_become_stars(
    four_films: None, tmp_path: Path, values: tuple[object, object], scale: str | None, expected: tuple[float, float]
) -> None:
    load(tmp_path, f"user_id,movie_id,rating\n9000,949,{values[0]}\n9000,680,{values[1]}\n", scale_name=scale)

    assert stored() == {(9000, HEAT): expected[0], (9000, PULP_FICTION): expected[1]}


@pytest.mark.parametrize("rows", ("9000,949,7.5\n9000,680,4\n", "9000,949,0\n9000,680,0\n9000,862,8\n9000,238,3\n"))
def test_a_scale_that_is_not_certain_stops_the_import(four_films: None, tmp_path: Path, rows: str) -> None:
    with pytest.raises(BrokenDataset, match=r"fit no scale that is certain; say which one it is with --scale"):
        load(tmp_path, f"user_id,movie_id,rating\n{rows}")

    assert stored() == {}
