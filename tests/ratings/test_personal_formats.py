"""A person's own files: what is found on the page and by the command, and what is matched by hand."""

import io
import json
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.errors import BrokenDataset, MovieNotFound, NotFound
from recsite.extensions import db
from recsite.ratings import history
from recsite.ratings.history.matching import match
from recsite.ratings.history.reading import read_upload
from recsite.storage.tables import Movie, Rating, User
from tests.ratings.importing import HEAT, PULP_FICTION, TOY_STORY
from tests.web.clients import Runner

LETTERBOXD = "Date,Name,Year,Letterboxd URI,Rating\n"
TRAKT = [
    {
        "rated_at": "2019-05-04T10:00:00.000Z",
        "rating": 9,
        "type": "movie",
        "movie": {"title": "Heat", "year": 1995, "ids": {"trakt": 5, "imdb": "tt0113277", "tmdb": 949}},
    }
]


def found_in(content: str | bytes, name: str = "ratings.csv") -> dict[int, float]:
    """Return the stars by movie of the rows that are matched."""
    sent = content if isinstance(content, bytes) else content.encode()
    return {movie_id: entry.value for movie_id, entry in match(read_upload(name, sent).entries).found.items()}


def add(movie_id: int, title: str, year: int | None) -> None:
    db.session.add(Movie(id=movie_id, title=title, release_date=date(year, 1, 1) if year else None))
    db.session.commit()


@pytest.mark.parametrize(
    ("content", "expected"),
    (
        ("sep=;\r\nName;Year;Rating\r\nHeat;1995;4\r\n", {HEAT: 4.0}),
        (LETTERBOXD + "12/31/2021,Heat,1995,https://boxd.it/2a4e,4.5\n", {HEAT: 4.5}),
        ("Name,Year,Rating\nHeat,1995,4\n".encode("utf-16"), {HEAT: 4.0}),
        ("Const,Your Rating,Date Rated,Title,Title Type,Year\ntt0113277,9,2019-05-04,Heat,Movie,1995\n", {HEAT: 4.5}),
        (
            "LetterboxdURI,tmdbID,imdbID,Title,Year,Rating10,WatchedDate\n,949,tt0113277,Heat,1995,9,2019-05-04\n",
            {HEAT: 4.5},
        ),
        ("userId,movieId,rating,timestamp\n1,144606,3.0,964982703\n", {HEAT: 3.0}),
        (
            "rated_at,type,title,year,trakt_rating,imdb_id,rating\n2019-05-04,movie,Heat,1995,8.1,tt0113277,9\n",
            {HEAT: 4.5},
        ),
        (json.dumps(TRAKT), {HEAT: 4.5}),
        ("Title,Rating\nHeat,★★★★½\n", {HEAT: 4.5}),
        ("TMDb ID,Rating,Your Rating\n949,7.9,4\n", {HEAT: 2.0}),
    ),
    ids=(
        "sep line",
        "Excel dates",
        "UTF-16",
        "IMDb",
        "Rating10",
        "MovieLens",
        "Trakt CSV",
        "Trakt JSON",
        "star signs",
        "TMDB",
    ),
)
def test_the_exports_of_other_sites_are_read(
    four_films: None, content: str | bytes, expected: dict[int, float]
) -> None:
    assert found_in(content) == expected


def test_windows_1252_is_found_out(app: Flask) -> None:
    add(82695, "Les Misérables", 2012)

    assert found_in("Name,Year,Rating\nLes Misérables,2012,4\n".encode("cp1252")) == {82695: 4.0}


@pytest.mark.parametrize(
    ("title", "year", "given"),
    (
        ("Spirited Away (Sen to Chihiro no kamikakushi)", 2001, "Spirited Away,2001"),
        ("Sunset Blvd. (a.k.a. Sunset Boulevard)", 1950, "Sunset Boulevard,1950"),
        ("Star Wars: Episode IV - A New Hope", 1977, "Star Wars,1977"),
        ("Moonlight", None, "Moonlight,2016"),
        ("WALL·E", 2008, "Wall-E,2008"),
        ("Rocky II", 1979, "Rocky 2,1979"),
        ("Amélie", 2001, "Amelie,2002"),
    ),
)
def test_a_film_is_found_under_its_other_names(app: Flask, title: str, year: int | None, given: str) -> None:
    add(7, title, year)

    assert found_in(f"Name,Year,Rating\n{given},4\n") == {7: 4.0}


def test_series_are_counted_apart(four_films: None) -> None:
    header = "Const,Your Rating,Title,Title Type,Year\n"
    text = f"{header}tt0113277,9,Heat,Movie,1995\ntt2861424,8,Rick and Morty,TV Series,2013\n"

    file = read_upload("ratings.csv", text.encode())

    assert (len(file.entries), file.series, file.report.refused) == (1, 1, {})


@pytest.mark.parametrize(
    "row",
    (
        "tmdbId,title,year,rating\n949,The Walking Dead,2010,1\n",
        "imdbId,title,year,rating\ntt0113277,Pulp Fiction,1994,1\n",
    ),
    ids=("id of a series", "id of another film"),
)
def test_an_id_is_not_believed_against_title_and_year(four_films: None, row: str) -> None:
    assert found_in(row) == {}


def test_two_films_with_one_title_and_year_are_not_merged(four_films: None) -> None:
    rows = "2020-01-02,Heat,1995,https://boxd.it/2a4e,5\n2020-06-02,Heat,1995,https://boxd.it/zz9Q,1\n"

    matches = match(read_upload("ratings.csv", (LETTERBOXD + rows).encode()).entries)

    assert (matches.found, len(matches.ambiguous)) == ({}, 2)


def test_the_command_takes_a_whole_export_for_an_account(four_films: None, runner: Runner, tmp_path: Path) -> None:
    db.session.add(User(id=5, username="erin"))
    db.session.commit()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("letterboxd-erin\\ratings.csv", LETTERBOXD + "2020-01-02,Heat,1995,https://boxd.it/2a4e,5\n")
        archive.writestr("letterboxd-erin\\watched.csv", "Date,Name,Year,Letterboxd URI\n2020-01-02,Heat,1995,x\n")
    (tmp_path / "export.zip").write_bytes(content.getvalue())

    nobody = runner.invoke(args=["import", str(tmp_path / "export.zip")])
    erin = runner.invoke(args=["import", str(tmp_path / "export.zip"), "--user", "erin"])

    assert (nobody.exit_code, erin.exit_code) == (1, 0)
    assert "say whose they are with --user NAME" in nobody.stderr
    assert "export.zip is Letterboxd" in erin.stdout
    (rating,) = db.session.scalars(sa.select(Rating))
    assert (rating.user_id, rating.movie_id, rating.value) == (5, HEAT, 5.0)
    assert rating.timestamp == datetime(2020, 1, 2, tzinfo=UTC)


@pytest.fixture
def waiting(four_films: None) -> int:
    """An import of user 5 that waits: Heat is found, line 3 is not, line 4 could mean two films."""
    db.session.add_all((User(id=5, username="erin"), User(id=6, username="frank")))
    add(12254, "Emma", 1996)
    add(3573, "Emma", 1996)
    text = "Name,Year,Rating,Date\nHeat,1995,4,2020-01-01\nHeet,1995,3,2020-01-02\nEmma,1996,5,2020-01-03\n"
    return history.propose(5, "mine.csv", text.encode())


@pytest.mark.parametrize(("line", "movie_id", "kind"), ((3, TOY_STORY, "not_found"), (4, 3573, "ambiguous")))
def test_a_row_is_matched_by_hand(waiting: int, line: int, movie_id: int, kind: str) -> None:
    history.match_by_hand(5, waiting, line, movie_id)
    history.save(5, waiting, replace=False)
    db.session.commit()

    found = history.find_import(5, waiting)
    assert (found.report["matched"], found.report[f"{kind}_count"], found.report[kind]) == (2, 0, [])
    assert set(db.session.scalars(sa.select(Rating.movie_id))) == {HEAT, movie_id}


def test_a_row_that_is_matched_with_a_movie_of_another_row_replaces_it(waiting: int) -> None:
    history.match_by_hand(5, waiting, 3, HEAT)

    (row,) = history.list_matches(history.find_import(5, waiting), 1, 10).items
    assert (row.movie.id, row.value) == (HEAT, 3.0)


def test_only_a_waiting_row_of_ones_own_is_matched_with_a_visible_movie(waiting: int) -> None:
    db.session.get_one(Movie, PULP_FICTION).is_hidden = True
    db.session.commit()

    for user_id, line, movie_id, error in (
        (6, 3, TOY_STORY, NotFound),
        (5, 2, TOY_STORY, NotFound),
        (5, 99, TOY_STORY, NotFound),
        (5, 3, 999, MovieNotFound),
        (5, 3, PULP_FICTION, MovieNotFound),
    ):
        with pytest.raises(error):
            history.match_by_hand(user_id, waiting, line, movie_id)
        db.session.rollback()
    history.save(5, waiting, replace=False)
    db.session.commit()
    with pytest.raises(NotFound):
        history.match_by_hand(5, waiting, 3, TOY_STORY)


def zip_of(**files: str) -> bytes:
    """Return a zip of these files, with '_' for '-' and the last '_' for '.'."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(".".join(name.rsplit("_", 1)).replace("_", "-"), text)
    return content.getvalue()


HEADINGS = "Date,Name,Year,Letterboxd URI,Rating\n"
DIARY = (
    "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date\n2024-01-06,Heat,1995,https://boxd.it/x,4.5,,,\n"
)
TRAKT_PAGE = (
    '[{"rated_at": "2024-01-01T00:00:00.000Z", "rating": 9, "type": "movie", "movie": {"title": "Heat", "year": 1995}}]'
)


@pytest.mark.parametrize(
    "files",
    ({"ratings_csv": HEADINGS, "diary_csv": DIARY}, {"ratings_movies_1_json": TRAKT_PAGE, "watched_shows_json": "[]"}),
)
def test_the_file_that_has_ratings_is_taken_from_an_export(
    four_films: None, runner: Runner, tmp_path: Path, files: dict[str, str]
) -> None:
    content = zip_of(**files)
    (tmp_path / "export.zip").write_bytes(content)
    db.session.add(User(id=1, username="alice"))
    db.session.commit()

    result = runner.invoke(args=["import", str(tmp_path / "export.zip"), "--user", "alice"])

    assert found_in(content, "export.zip") == {HEAT: 4.5}
    assert result.exit_code == 0, result.output
    assert db.session.get_one(Rating, (1, HEAT)).value == 4.5


def test_ratings_in_several_files_are_not_taken_by_half(four_films: None, runner: Runner, tmp_path: Path) -> None:
    content = zip_of(ratings_movies_1_json=TRAKT_PAGE, ratings_movies_2_json=TRAKT_PAGE)
    (tmp_path / "export.zip").write_bytes(content)

    result = runner.invoke(args=["import", str(tmp_path / "export.zip")])

    assert result.exit_code == 1
    assert "Import them one after another" in result.output
    with pytest.raises(BrokenDataset, match="Import them one after another"):
        read_upload("export.zip", content)
