"""`flask import tmdb`: what TMDB knows about movies, and the broken rows of a file that many people have."""

import re
import zipfile
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskCliRunner

from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.storage.tables import Counter, Movie
from tests.ratings.importing import import_tmdb

SHORT = """\
id,title,genre,overview,release_date
603,The Matrix,"Action,Science Fiction",A hacker wakes up.,1999-03-30
550,Fight Club,Drama,An insomniac meets a soap maker.,1999-10-15
"""

# As in The Movies Dataset: a line break cut row 82663 in two, and the second half has a date as its id.
METADATA = """\
adult,genres,id,imdb_id,overview,poster_path,release_date,title
False,"[{'id': 28, 'name': 'Action'}, {'id': 878, 'name': 'Science Fiction'}]",603,tt0133093,"A hacker
wakes up.",/matrix.jpg,1999-03-30,The Matrix
False,"[{'id': 18, 'name': 'Drama'}]",82663,tt0113002,British soldiers
 - Written by Somebody,0.065736,1997-08-20,0,[],/ff9qCepilowshEtG2GYWwzt2bs4.jpg,1,Midnight Man
False,[],550,tt0137523,An insomniac meets a soap maker.,/club.jpg,1999-10-15,Fight Club
"""


def write(folder: Path, text: str, name: str = "movies.csv") -> Path:
    """Write a file of this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def movie(movie_id: int) -> Movie:
    """Return the movie from the database."""
    db.session.expire_all()
    return db.session.get_one(Movie, movie_id)


def titles() -> list[tuple[int, str]]:
    """Every movie."""
    return [(row.id, row.title) for row in db.session.execute(sa.select(Movie.id, Movie.title).order_by(Movie.id))]


@pytest.mark.both_databases
def test_movies_that_are_new_are_made(app: Flask, tmp_path: Path) -> None:
    report = import_tmdb(write(tmp_path, SHORT))

    matrix = movie(603)
    assert (report.movies.read, report.movies.new) == (2, 2)
    assert (matrix.title, matrix.overview) == ("The Matrix", "A hacker wakes up.")
    assert (matrix.release_date, matrix.genres) == (date(1999, 3, 30), "Action|Science Fiction")


@pytest.mark.both_databases
def test_movies_that_are_there_get_what_the_file_says(app: Flask, tmp_path: Path) -> None:
    db.session.add(
        Movie(id=603, title="Matrix", genres="Action", release_date=date(1999, 1, 1), movielens_id=2571, is_hidden=True)
    )
    db.session.commit()

    report = import_tmdb(write(tmp_path, SHORT))

    matrix = movie(603)
    assert (report.movies.new, report.movies.changed) == (1, 1)
    assert (matrix.title, matrix.release_date, matrix.genres) == (
        "The Matrix",
        date(1999, 3, 30),
        "Action|Science Fiction",
    )
    assert (matrix.movielens_id, matrix.is_hidden) == (2571, True)


@pytest.mark.both_databases
def test_what_the_file_leaves_empty_erases_nothing(app: Flask, tmp_path: Path) -> None:
    import_tmdb(write(tmp_path, METADATA))

    report = import_tmdb(write(tmp_path, "id,title,overview,release_date,genres\n603,The Matrix,,,\n"))

    matrix = movie(603)
    assert report.movies.unchanged == 1
    assert (matrix.overview, matrix.release_date) == ("A hacker\nwakes up.", date(1999, 3, 30))
    assert (matrix.genres, matrix.poster_path) == ("Action|Science Fiction", "/matrix.jpg")


@pytest.mark.both_databases
def test_the_movies_dataset_is_taken_but_for_its_broken_rows(app: Flask, tmp_path: Path) -> None:
    report = import_tmdb(write(tmp_path, METADATA))

    assert titles() == [(550, "Fight Club"), (603, "The Matrix")]
    assert (movie(603).imdb_id, movie(603).poster_path) == ("tt0133093", "/matrix.jpg")
    assert (report.movies.read, report.movies.new, report.movies.refused) == (4, 2, 2)
    assert {reason: [refusal.line for refusal in refusals] for reason, refusals in report.refusals.items()} == {
        "the row does not have as many fields as the first line": [4],
        "TMDB id is not a whole number from 1 to 999,999,999": [5],
    }, "the row before them spans the lines 2 and 3"


@pytest.mark.parametrize(
    ("genres", "kept"),
    (
        ("[{'id': 18, 'name': 'Drama'}, {'id': 35, 'name': 'Comedy'}]", "Drama|Comedy"),
        ('[{""id"": 18, ""name"": ""Drama""}]', "Drama"),
        ("[]", ""),
        ("Drama, Comedy", "Drama|Comedy"),
        ("Drama|Comedy|Drama", "Drama|Comedy"),
        ("", ""),
    ),
)
def test_genres_are_read_in_every_usual_spelling(app: Flask, tmp_path: Path, genres: str, kept: str) -> None:
    import_tmdb(write(tmp_path, f'id,title,overview,release_date,genres\n1,Film,,,"{genres}"\n'))

    assert movie(1).genres == kept


@pytest.mark.parametrize(
    ("row", "reason"),
    (
        ("1997-08-20,Film,,,,,", "TMDB id is not a whole number from 1 to 999,999,999"),
        ("0,Film,,,,,", "TMDB id is not a whole number"),
        ("-5,Film,,,,,", "TMDB id is not a whole number"),
        ("1000000001,Film,,,,,", "TMDB id is not a whole number"),
        ("99999999999999999999,Film,,,,,", "TMDB id is not a whole number"),
        ("7, ,,,,,", "the title is missing"),
        ("7,Film,,", "the row does not have as many fields"),
    ),
)
def test_a_bad_row_is_refused_with_its_line_and_the_rest_goes_on(
    app: Flask, tmp_path: Path, row: str, reason: str
) -> None:
    header = "id,title,overview,release_date,genres,poster_path,imdb_id"

    report = import_tmdb(write(tmp_path, f"{header}\n1,First,,,,,\n{row}\n2,Last,,,,,\n"))

    assert titles() == [(1, "First"), (2, "Last")]
    ((told, (refusal,)),) = report.refusals.items()
    assert reason in told
    assert refusal.line == 3


@pytest.mark.parametrize(
    ("row", "reason"),
    (
        ("7,Film,,1,,,", "release date is not a date such as 1995-12-15"),
        ("7,Film,,1999-02-30,,,", "release date is not a date such as 1995-12-15"),
        ("7,Film,,,[nonsense],,", "genres are no list of names"),
        (f"7,Film,,,{'x' * 501},,", "genres is longer than 500 characters"),
        (f"7,Film,,,,/{'x' * 255},", "poster path is longer than 255 characters"),
        ("7,Film,,,,,0", "imdb id is not 'tt' and digits"),
        ("7,Film,NUL\0,,,,", "overview is not valid UTF-8 text"),
    ),
)
def test_a_movie_is_not_lost_for_an_optional_field(app: Flask, tmp_path: Path, row: str, reason: str) -> None:
    header = "id,title,overview,release_date,genres,poster_path,imdb_id"

    report = import_tmdb(write(tmp_path, f"{header}\n1,First,,,,,\n{row}\n2,Last,,,,,\n"))

    assert titles() == [(1, "First"), (2, "Last"), (7, "Film")]
    ((told, (place,)),) = report.emptied_rows.items()
    assert (told, place.line, report.movies.refused) == (reason, 3, 0)


def test_a_number_with_a_point_as_pandas_writes_it_is_an_id(app: Flask, tmp_path: Path) -> None:
    import_tmdb(write(tmp_path, "id,title,overview,release_date\n862.0,Toy Story,,\n"))

    assert titles() == [(862, "Toy Story")]


def test_a_quote_that_is_never_closed_costs_a_bounded_part_of_the_file(app: Flask, tmp_path: Path) -> None:
    rows = "".join(f"{movie_id},Film {movie_id},,\n" for movie_id in range(3, 20_000))
    text = f'id,title,overview,release_date\n1,First,,\n2,"Open,,\n{rows}'

    report = import_tmdb(write(tmp_path, text))

    assert report.refusals["a quoted field has no end"][0].line == 3
    assert titles()[0] == (1, "First")
    assert titles()[-1] == (19_999, "Film 19999")


@pytest.mark.both_databases
def test_of_rows_with_one_id_the_first_counts_however_often_the_file_is_read(app: Flask, tmp_path: Path) -> None:
    path = write(tmp_path, "id,title,overview,release_date\n7,First,,\n7,Second,,\n")

    reports = [import_tmdb(path), import_tmdb(path)]

    assert titles() == [(7, "First")]
    assert [(report.movies.new, report.movies.changed, report.movies.merged) for report in reports] == [
        (1, 0, 1),
        (0, 0, 1),
    ]


@pytest.mark.both_databases
def test_importing_again_changes_nothing(app: Flask, tmp_path: Path) -> None:
    import_tmdb(write(tmp_path, METADATA))
    before = db.session.get_one(Counter, "catalog").value

    report = import_tmdb(tmp_path / "movies.csv")

    db.session.expire_all()
    assert (report.movies.new, report.movies.changed, report.movies.unchanged) == (0, 0, 2)
    assert db.session.get_one(Counter, "catalog").value == before


@pytest.mark.both_databases
def test_a_stopped_import_keeps_what_it_finished_and_goes_on_when_run_again(app: Flask, tmp_path: Path) -> None:
    rows = "".join(f"{movie_id},Film {movie_id},,\n" for movie_id in range(1, 3001))
    path = write(tmp_path, "id,title,overview,release_date\n" + rows)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_tmdb(path, on_progress=stop)

    assert len(titles()) == 2000
    report = import_tmdb(path)
    assert (report.movies.new, report.movies.unchanged) == (1000, 2000)


@pytest.mark.parametrize("packed", (False, True), ids=("folder", "zip"))
def test_movies_metadata_csv_is_found_in_a_folder_and_in_a_zip(app: Flask, tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path, METADATA, "movies_metadata.csv").parent
    if packed:
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/movies_metadata.csv", METADATA)

    import_tmdb(path)

    assert titles() == [(550, "Fight Club"), (603, "The Matrix")]


@pytest.mark.parametrize(
    ("content", "message"),
    (
        (b"", r"movies\.csv is empty"),
        (b"\n", r"movies\.csv is empty"),
        (b"id,overview\n", "has no column 'title'; its first line is 'id,overview"),
        (bytes(range(256)) * 100, "has no column 'id'"),
    ),
    ids=("empty", "blank", "column missing", "binary"),
)
def test_a_file_of_another_kind_is_named(app: Flask, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "movies.csv"
    path.write_bytes(content)

    with pytest.raises(BrokenDataset, match=message):
        import_tmdb(path)


def test_a_folder_without_the_file_is_told_what_was_found(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "tmdb"
    folder.mkdir()
    write(folder, SHORT, "films.xml")

    with pytest.raises(BrokenDataset, match=r"tmdb has no movies_metadata\.csv or other CSV .*\. Found films\.xml\."):
        import_tmdb(folder)


def test_the_command_prints_what_became_of_the_rows(app: Flask, runner: FlaskCliRunner, tmp_path: Path) -> None:
    result = runner.invoke(args=["import", "tmdb", str(write(tmp_path, METADATA)), "--accept-refused"])

    assert result.exit_code == 0
    assert re.search(r"^movies +4 +2 +0 +0 +0 +2$", result.stdout, re.MULTILINE)
    assert "1 refused: the row does not have as many fields as the first line\n    movies.csv:4" in result.stdout


def test_the_command_fails_with_a_sentence_when_the_file_is_of_another_kind(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    result = runner.invoke(args=["import", "tmdb", str(write(tmp_path, "name\n"))])

    assert result.exit_code == 1
    assert re.fullmatch(r"Error: .*movies\.csv has no column 'id'; its first line is 'name'\.\n", result.stderr)
