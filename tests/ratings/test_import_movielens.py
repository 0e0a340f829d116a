"""`flask import movielens`: what becomes of movies and ratings, once and again."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskCliRunner

from recsite.config import ROOT
from recsite.extensions import db
from recsite.ratings.importers import movielens
from recsite.storage.tables import MOVIE_ID_WITHOUT_TMDB, Counter, Movie, Rating
from tests.ratings.importing import import_movielens, import_tmdb
from tests.ratings.movielens_files import (
    LINKS_CSV,
    MOVIES_CSV,
    RATINGS_CSV,
    all_rows,
    data_set,
    movie,
    rating_of,
    write,
)

REAL_DATA = ROOT.parent / "shared" / "data" / "ml-latest-small"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four movies and four ratings; see movielens_files."""
    return data_set(tmp_path)


@pytest.mark.both_databases
def test_a_movie_gets_the_tmdb_id_that_links_csv_names(app: Flask, folder: Path) -> None:
    import_movielens(folder)

    toy_story = movie(862)
    assert (toy_story.title, toy_story.movielens_id, toy_story.imdb_id) == ("Toy Story", 1, "tt0114709")


@pytest.mark.both_databases
def test_movielens_ids_are_not_taken_for_tmdb_ids(app: Flask, folder: Path) -> None:
    db.session.add(Movie(id=1, title="The movie that has 1 as its TMDB id"))
    db.session.commit()

    import_movielens(folder)

    assert rating_of(user_id=1, movie_id=862) == 4.0
    assert rating_of(user_id=1, movie_id=1) is None
    assert movie(1).title == "The movie that has 1 as its TMDB id"


@pytest.mark.both_databases
def test_half_stars_are_not_rounded_up(app: Flask, folder: Path) -> None:
    halves = [half / 2 for half in range(1, 11)]
    rows = "".join(f"{user},1,{value},100\n" for user, value in enumerate(halves, 1))
    write(folder, "ratings.csv", "userId,movieId,rating,timestamp\n" + rows)

    import_movielens(folder)

    assert list(db.session.scalars(sa.select(Rating.value).order_by(Rating.user_id))) == halves


@pytest.mark.both_databases
def test_a_movie_without_tmdb_id_gets_its_movielens_id_behind_a_thousand_million(app: Flask, folder: Path) -> None:
    import_movielens(folder)

    assert movie(1_000_000_004).title == "Babylon 5"
    assert rating_of(user_id=2, movie_id=1_000_000_004) == 5.0


@pytest.mark.both_databases
def test_the_time_of_a_rating_is_kept_in_utc(app: Flask, folder: Path) -> None:
    import_movielens(folder)

    rating = db.session.get_one(Rating, (1, 862))
    assert rating.timestamp == datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("title", "shown", "year"),
    (
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Matrix, The (1999)", "The Matrix", 1999),
        ("Walk in the Clouds, A (1995)", "A Walk in the Clouds", 1995),
        ("Postman, The (Postino, Il) (1994)", "The Postman (Il Postino)", 1994),
        ("School of Flesh, The (École de la chair, L') (1998)", "The School of Flesh (L'École de la chair)", 1998),
        ("Cube 2 (a.k.a. Cube, The) (2002)", "Cube 2 (a.k.a. The Cube)", 2002),
        ("Good, the Bad and the Ugly, The (1966)", "The Good, the Bad and the Ugly", 1966),
        ("Monsters, Inc. (2001)", "Monsters, Inc.", 2001),
        ("(500) Days of Summer (2009)", "(500) Days of Summer", 2009),
        ("1984 (1984)", "1984", 1984),
        ("Death Note (2006–2007)", "Death Note", 2006),
        ("Babylon 5", "Babylon 5", None),
    ),
)
def test_a_title_is_shown_with_its_article_first_and_without_the_year(title: str, shown: str, year: int | None) -> None:
    assert movielens.split_title(title) == (shown, year)


def test_the_year_becomes_january_1_until_the_day_is_known(app: Flask, folder: Path) -> None:
    import_movielens(folder)

    assert movie(603).release_date == date(1999, 1, 1)
    assert movie(1_000_000_004).release_date is None


def test_genres_get_the_names_that_tmdb_uses(app: Flask, folder: Path) -> None:
    import_movielens(folder)

    assert movie(862).genres == "Adventure|Animation|Family|Comedy|Fantasy"
    assert movie(603).genres == "Action|Science Fiction"
    assert movie(11010).genres == ""
    assert movie(1_000_000_004).genres == "Music"


@pytest.mark.both_databases
def test_importing_again_leaves_the_same_rows(app: Flask, folder: Path) -> None:
    first = import_movielens(folder)
    rows = all_rows()

    second = import_movielens(folder)

    assert (first.ratings.new, first.movies.new, first.users.new) == (4, 4, 2)
    for count in (second.ratings, second.movies, second.users):
        assert (count.new, count.changed, count.unchanged) == (0, 0, count.read)
    assert all_rows() == rows


@pytest.mark.both_databases
def test_a_changed_title_and_a_changed_rating_are_counted_as_changed(app: Flask, folder: Path) -> None:
    import_movielens(folder)
    write(folder, "movies.csv", MOVIES_CSV.replace("Babylon 5", "Babylon Five"))
    write(folder, "ratings.csv", RATINGS_CSV.replace("1,2,3.5", "1,2,4.5"))

    report = import_movielens(folder)

    assert (report.movies.changed, report.movies.unchanged) == (1, 3)
    assert (report.ratings.changed, report.ratings.unchanged) == (1, 3)
    assert rating_of(user_id=1, movie_id=603) == 4.5


@pytest.mark.both_databases
def test_the_details_of_tmdb_outlive_another_import_of_movielens(app: Flask, folder: Path, tmp_path: Path) -> None:
    import_movielens(folder)
    header = "id,title,overview,release_date,genres\n"
    import_tmdb(write(tmp_path, "tmdb.csv", header + "603,Matrix!,A hacker wakes up.,1999-03-30,Action\n"))

    report = import_movielens(folder)

    matrix = movie(603)
    assert report.movies.changed == 0
    assert (matrix.title, matrix.overview) == ("Matrix!", "A hacker wakes up.")
    assert (matrix.release_date, matrix.genres) == (date(1999, 3, 30), "Action")


@pytest.mark.both_databases
def test_two_movielens_ids_with_one_tmdb_id_are_one_movie_and_the_later_rating_counts(app: Flask, folder: Path) -> None:
    write(folder, "links.csv", LINKS_CSV.replace("11010", "862"))
    write(
        folder,
        "ratings.csv",
        "userId,movieId,rating,timestamp\n1,3,2.0,300\n1,1,4.0,200\n2,1,1.0,200\n2,3,5.0,200\n",
    )

    report = import_movielens(folder)

    assert (report.movies.read, report.movies.new, report.movies.merged) == (4, 3, 1)
    assert (report.ratings.read, report.ratings.new, report.ratings.merged) == (4, 2, 2)
    assert movie(862).title == "Toy Story"
    assert rating_of(user_id=1, movie_id=862) == 2.0
    assert rating_of(user_id=2, movie_id=862) == 5.0, "of equally late ratings the last one in the file counts"


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    (
        ("movies.csv", "x,Heat (1995),Crime", "MovieLens id is not a whole number"),
        ("movies.csv", "5,,Crime", "the title is missing"),
        ("movies.csv", "5,Heat (1995)", "does not have as many fields"),
        ("movies.csv", f"5,{'x' * 501},Crime", "title is longer than 500 characters"),
        ("movies.csv", "5,He\0at (1995),Crime", "title is not valid UTF-8 text"),
        ("ratings.csv", "1,99,4.0,1", "no movie has this id"),
        ("ratings.csv", "1,1,4.0", "does not have as many fields"),
    ),
)
def test_a_bad_row_is_refused_with_its_line_and_the_rest_goes_on(
    app: Flask, folder: Path, name: str, row: str, reason: str
) -> None:
    header, rest = (folder / name).read_text().split("\n", 1)
    write(folder, name, f"{header}\n{row}\n{rest}")

    report = import_movielens(folder)

    ((told, refusals),) = report.refusals.items()
    assert reason in told
    assert [(refusal.file, refusal.line) for refusal in refusals] == [(name, 2)]
    assert (report.movies.new, report.ratings.new) == (4, 4)


@pytest.mark.both_databases
def test_bytes_that_are_not_utf8_refuse_their_row_only(app: Flask, folder: Path) -> None:
    others = "6,Misérables (1998),Drama\n7,Léon (1994),Crime\n".encode()
    (folder / "movies.csv").write_bytes(MOVIES_CSV.encode() + b"5,Am\xe9lie (2001),Romance\n" + others)

    report = import_movielens(folder)

    assert report.refused == {"title is not valid UTF-8 text": 1}
    assert report.movies.new == 6


@pytest.mark.parametrize("tmdb_id", ("1997-08-20", "1000000949"))
def test_a_movie_is_not_lost_for_its_link(app: Flask, folder: Path, tmdb_id: str) -> None:
    write(folder, "links.csv", LINKS_CSV.replace("0105946,", f"0105946,{tmdb_id}"))

    report = import_movielens(folder)

    assert report.emptied == {"TMDB id is not a whole number from 1 to 999,999,999": 1}
    assert movie(MOVIE_ID_WITHOUT_TMDB + 4).imdb_id == "tt0105946"


@pytest.mark.both_databases
def test_the_catalog_counter_goes_up_only_when_something_changed(app: Flask, folder: Path) -> None:
    import_movielens(folder)
    before = db.session.get_one(Counter, "catalog").value

    import_movielens(folder)

    db.session.expire_all()
    assert before > 0
    assert db.session.get_one(Counter, "catalog").value == before


def test_the_command_prints_what_became_of_the_rows(app: Flask, runner: FlaskCliRunner, folder: Path) -> None:
    write(folder, "ratings.csv", RATINGS_CSV + "2,2,4.2,100\n")

    result = runner.invoke(args=["import", "movielens", str(folder), "--accept-refused"])

    assert result.exit_code == 0
    assert re.search(r"^ratings +5 +4 +0 +0 +0 +1$", result.stdout, re.MULTILINE)
    assert "1 refused: rating is not from 0.5 to 5.0 in halves\n    ratings.csv:6 ('4.2')" in result.stdout


def test_the_command_fails_with_a_sentence_when_there_is_no_data_set(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    result = runner.invoke(args=["import", "movielens", str(tmp_path / "nowhere")])

    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path / 'nowhere'} does not exist.\n"


def test_the_command_shifts_the_user_ids(app: Flask, runner: FlaskCliRunner, folder: Path) -> None:
    result = runner.invoke(args=["import", "movielens", str(folder), "--user-offset", "1000"])

    assert result.exit_code == 0
    assert rating_of(user_id=1002, movie_id=862) == 0.5


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="ml-latest-small is not there")
def test_ml_latest_small_is_taken_whole(app: Flask) -> None:
    report = import_movielens(REAL_DATA)

    ratings = report.ratings
    assert ratings.read == 100_836
    assert ratings.read == ratings.new + ratings.merged
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Rating)) == ratings.new
    assert (report.movies.read, report.movies.new, report.movies.merged) == (9742, 9741, 1)
    assert (report.users.new, report.refused) == (610, {})
    assert db.session.scalar(sa.select(sa.func.count()).where(Movie.id > MOVIE_ID_WITHOUT_TMDB)) == 8
    assert movie(4912).title == "Confessions of a Dangerous Mind"
    assert (movie(603).rating_count, movie(603).title) == (278, "The Matrix")
