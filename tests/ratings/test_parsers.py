"""Parsers of outside text in files: any text gives a right value or a refusal of ours, never another exception."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsite.errors import BrokenDataset
from recsite.ratings.history import matching, reading
from recsite.ratings.importers import fields, movielens, scales, times, titles, tmdb
from recsite.ratings.importers.report import Refused, printable
from recsite.ratings.writing import VALUES
from recsite.storage.tables import LARGEST_ID

T = TypeVar("T")
LATEST_SECOND = int(times.LATEST.timestamp())

quick = settings(max_examples=150, deadline=None)
ANY_TEXT = st.text(st.characters(), max_size=60)
"Surrogates and NUL included."
NUMBERLIKE = st.text("0123456789.eE+-_ \u0663\t\x00naifNAIF", max_size=45)
TIMELIKE = st.text("0123456789-:TZ+. WÜ\x00", max_size=45)
MOMENTS = st.integers(0, 10**11 - 1).map(lambda second: datetime.fromtimestamp(second, UTC))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def outcome(parse: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """Return what the parser returns, or its refusal; any other exception fails the test."""
    try:
        return parse(), None
    except (Refused, BrokenDataset) as error:
        return None, error


@quick
@given(NUMBERLIKE | ANY_TEXT, st.sampled_from((5, 1_147_483_647, LARGEST_ID)))
@example("1_0", 100)
@example("\u0663", 100)
@example("5" + " " * 100, 100)
def test_an_id_is_its_digits_or_refused(text: str, largest: int) -> None:
    spelled = re.fullmatch(r"[0-9]{1,12}(\.0)?", text.strip())
    is_id = spelled is not None and len(text) <= fields.MAX_NUMBER and 0 < int(text.strip().split(".")[0]) <= largest

    found, _ = outcome(lambda: fields.whole_id(text, "movie id", largest))

    assert found == (int(text.strip().split(".")[0]) if is_id else None)


@quick
@given(st.integers(1, LARGEST_ID), st.sampled_from(("{}", " {} ", "{}.0", "0{}")))
def test_every_id_is_read(number: int, spelling: str) -> None:
    assert fields.whole_id(spelling.format(number), "movie id") == number


@quick
@given(NUMBERLIKE | ANY_TEXT)
@example("nan")
@example("4_5")
@example("٣")
@example("*")
def test_stars_are_one_of_ten_values_or_refused(text: str) -> None:
    value, refused = outcome(lambda: scales.stars(text))

    is_drawn = bool(text.strip()) and set(text.strip()) <= set("*★\N{WHITE MEDIUM STAR}☆½")
    assert refused or (value in VALUES and (is_drawn or float(text.replace(",", ".")) == value))


@quick
@given(st.sampled_from(VALUES), st.sampled_from(("{:g}", "{:.1f}", "{:.3f}", " {}", "{}0")))
def test_every_spelling_of_stars_is_read(value: float, spelling: str) -> None:
    assert scales.stars(spelling.format(value)) == value


@quick
@given(TIMELIKE | ANY_TEXT)
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
@example("9" * 40)
def test_a_time_has_a_zone_and_lies_in_the_years_of_the_database_or_is_refused(text: str) -> None:
    found, refused = outcome(lambda: times.moment(text))

    assert refused or (found is None) == times.is_null(text)
    assert found is None or (found.tzinfo is UTC and 0 <= found.timestamp() <= LATEST_SECOND)


@quick
@given(MOMENTS, ZONES)
def test_every_time_is_read_in_seconds_and_in_any_zone(at: datetime, zone: timezone) -> None:
    assert times.moment(at.astimezone(zone).isoformat()) == at
    assert times.moment(str(int(at.timestamp()))) == at.replace(microsecond=0)
    assert times.moment(at.replace(tzinfo=None).isoformat(" ")) == at


@quick
@given(TIMELIKE | ANY_TEXT | st.dates().map(str))
def test_a_day_is_the_date_that_is_written_or_refused(text: str) -> None:
    found, _ = outcome(lambda: times.day(text))

    assert found is None or isinstance(found, date)
    assert not re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip(), re.ASCII) or found is None or str(found) == text.strip()


@quick
@given(st.text(st.characters() | st.sampled_from("()[], '\"|"), max_size=520))
def test_titles_genres_and_imdb_ids_can_be_stored_or_are_refused(text: str) -> None:
    for parse in (
        lambda: fields.one_line(text, "title", 500),
        lambda: fields.prose(text, "overview"),
        lambda: movielens.split_title(fields.one_line(text, "title", 500))[0],
        lambda: movielens.tmdb_genres(text),
        lambda: fields.one_line(tmdb.genre_names(text), "genres", 500),
        lambda: fields.imdb_id(text) or "",
    ):
        found, refused = outcome(parse)
        kept = printable(refused.given) if isinstance(refused, Refused) else found
        assert kept is not None
        assert "\0" not in kept.encode().decode()


@quick
@given(ANY_TEXT)
def test_a_normalized_title_is_short_and_loses_its_article_only(title: str) -> None:
    normalized = titles.normalize_title(title)

    assert len(normalized) <= titles.MAX_NORMALIZED
    assert matching.remove_article(normalized) in (normalized, normalized.partition(" ")[2])


CELLS = st.text(st.characters() | st.sampled_from(',;\t"\n\r\x00'), max_size=12) | NUMBERLIKE
ROWS = st.lists(st.lists(CELLS, max_size=5).map(",".join), max_size=8).map("\n".join)


@quick
@given(ROWS, st.sampled_from(("tmdbId,rating,timestamp\n", "Name;Year;Rating\r\n", "movieId,rating,title,year\n", "")))
def test_any_rows_are_read_or_refused_and_add_up(rows: str, header: str) -> None:
    file, _ = outcome(lambda: reading.read_upload("mine.csv", (header + rows).encode(errors="surrogatepass")))

    if file is None:
        return
    count = file.report.ratings
    assert count.read == len(file.entries) + file.unrated + file.series + count.refused
    assert all(entry.value in VALUES and entry.label for entry in file.entries)
    assert all(entry.label.encode() and "\0" not in entry.label for entry in file.entries)


@quick
@given(st.binary(max_size=200), st.sampled_from((b"", b"PK", b"PK\x03\x04", b"\xff\xfe", b"tmdbId,rating\n")))
def test_any_bytes_are_read_or_refused(content: bytes, beginning: bytes) -> None:
    _, refused = outcome(lambda: reading.read_upload("mine.csv", beginning + content))

    assert "\0" not in str(refused).encode().decode()


@pytest.mark.parametrize("text", ("\0", "\ud800", "\x00\udcff" * 100))
def test_what_is_quoted_of_a_refused_field_can_be_stored(text: str) -> None:
    assert "\0" not in printable(text)
    assert printable(text).encode()
