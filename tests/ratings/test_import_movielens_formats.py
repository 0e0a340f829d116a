"""`flask import movielens`: the three published forms, and files that are none of them."""

import re
import shutil
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.storage.tables import MOVIE_ID_WITHOUT_TMDB, Movie
from tests.ratings.importing import import_movielens
from tests.ratings.movielens_files import LINKS_CSV, all_rows, data_set, movie, rating_of, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four movies and four ratings; see movielens_files."""
    return data_set(tmp_path)


def test_byte_order_mark_and_windows_line_ends_are_read_over(app: Flask, folder: Path) -> None:
    for name in ("movies.csv", "links.csv", "ratings.csv"):
        text = (folder / name).read_text()
        write(folder, name, "\N{ZERO WIDTH NO-BREAK SPACE}" + text.replace("\n", "\r\n"))

    report = import_movielens(folder)

    assert (report.movies.new, report.ratings.new, report.refused) == (4, 4, {})


@pytest.mark.parametrize("encoding", ("latin-1", "utf-8"))
def test_the_dat_form_is_read_in_either_encoding(app: Flask, tmp_path: Path, encoding: str) -> None:
    write(tmp_path, "movies.dat", "73::Misérables, Les (1995)::Drama|Musical\n", encoding)
    write(tmp_path, "ratings.dat", "7::73::3.5::978300760\n7::73::4::978300761\n")

    report = import_movielens(tmp_path)

    assert movie(MOVIE_ID_WITHOUT_TMDB + 73).title == "Les Misérables"
    assert rating_of(user_id=7, movie_id=MOVIE_ID_WITHOUT_TMDB + 73) == 4.0
    assert report.ratings.merged == 1


def test_the_dat_form_takes_tmdb_ids_from_a_links_csv_put_beside_it(app: Flask, tmp_path: Path) -> None:
    write(tmp_path, "movies.dat", "1::Toy Story (1995)::Animation|Children's\n")
    write(tmp_path, "ratings.dat", "7::1::5::978300760\n")
    write(tmp_path, "links.csv", LINKS_CSV)

    import_movielens(tmp_path)

    assert rating_of(user_id=7, movie_id=862) == 5.0
    assert movie(862).genres == "Animation|Family"


@pytest.mark.both_databases
def test_the_dat_form_finds_movies_that_an_earlier_import_linked(app: Flask, folder: Path, tmp_path: Path) -> None:
    import_movielens(folder)
    older = tmp_path / "ml-1m"
    older.mkdir()
    write(older, "movies.dat", "1::Toy Story (1995)::Animation|Children's\n")
    write(older, "ratings.dat", "7::1::5::978300760\n")

    report = import_movielens(older)

    assert report.movies.new == 0
    assert rating_of(user_id=7, movie_id=862) == 5.0


def test_the_100k_form_is_read_with_its_days_of_release(app: Flask, tmp_path: Path) -> None:
    flags = "0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0"
    unknown = "1" + "|0" * 18
    write(tmp_path, "u.item", f"1|Café (1995)|30-Oct-1995||http://imdb|{flags}\n2|unknown||||{unknown}\n", "latin-1")
    write(tmp_path, "u.data", "196\t1\t3\t881250949\n196\t2\t1\t881250949\n")

    import_movielens(tmp_path)

    cafe = movie(MOVIE_ID_WITHOUT_TMDB + 1)
    assert (cafe.title, cafe.release_date, cafe.genres) == ("Café", date(1995, 10, 30), "Animation|Family|Comedy")
    assert (movie(MOVIE_ID_WITHOUT_TMDB + 2).title, movie(MOVIE_ID_WITHOUT_TMDB + 2).genres) == ("unknown", "")
    assert rating_of(user_id=196, movie_id=MOVIE_ID_WITHOUT_TMDB + 1) == 3.0


def test_a_zip_with_one_folder_inside_is_read_as_it_was_downloaded(app: Flask, folder: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "ml-latest"), "zip", tmp_path, "ml"))

    report = import_movielens(archive)

    assert (report.movies.new, report.ratings.new) == (4, 4)


def test_a_folder_with_one_folder_inside_is_read_too(app: Flask, folder: Path) -> None:
    assert import_movielens(folder.parent).ratings.new == 4


def test_a_wrong_folder_is_told_what_was_looked_for_and_what_was_found(app: Flask, folder: Path) -> None:
    (folder / "links.csv").unlink()

    (folder / "movies.csv").unlink()

    with pytest.raises(
        BrokenDataset, match=r"MovieLens data set: movies\.csv, ratings\.csv, links\.csv; .* u\.item, u\.data"
    ):
        import_movielens(folder)
    with pytest.raises(BrokenDataset, match=r"Found ratings\.csv\.$"):
        import_movielens(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    (
        ("movies.csv", b"", r"movies\.csv is empty"),
        ("ratings.csv", b"", r"ratings\.csv is empty"),
        ("links.csv", b"movieId,imdbId\n1,2\n", "has no column 'tmdbId'; its first line is 'movieId,imdbId'"),
        ("ratings.csv", bytes(range(256)) * 20, r"ratings\.csv has no column 'user_id'"),
        ("movies.csv", b"movieId,title,genres\nx,Heat (1995),Crime\n", r"movies\.csv has no movie that can be read"),
    ),
    ids=["no movies", "no ratings", "no TMDB ids", "binary", "no usable movie"],
)
def test_a_file_of_another_kind_stops_the_import(
    app: Flask, folder: Path, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)

    with pytest.raises(BrokenDataset, match=message):
        import_movielens(folder)
    assert db.session.scalar(sa.select(sa.func.count(Movie.id))) == 0


def test_a_binary_file_under_the_name_of_a_dat_file_stops_the_import(app: Flask, tmp_path: Path) -> None:
    write(tmp_path, "movies.dat", "1::Toy Story (1995)::Animation\n")
    (tmp_path / "ratings.dat").write_bytes(bytes(range(256)))

    with pytest.raises(BrokenDataset, match="should have 4 fields a line between double colons, but its first line is"):
        import_movielens(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    (
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b"PK but no zip"), "has no MovieLens data set"),
        (lambda path: path.mkdir(), "has no MovieLens data set.*Found no files"),
    ),
    ids=["nothing there", "no zip", "empty folder"],
)
def test_a_path_that_cannot_be_read_is_named(
    app: Flask, tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "ml.zip"
    make(path)

    with pytest.raises(BrokenDataset, match=rf"{re.escape(str(path))} {message}"):
        import_movielens(path)


def test_a_zip_that_is_damaged_in_the_middle_changes_nothing(app: Flask, folder: Path, tmp_path: Path) -> None:
    rows = "".join(f"{user},1,4.0,100\n" for user in range(1, 30_000))
    write(folder, "ratings.csv", "userId,movieId,rating,timestamp\n" + rows)
    archive = tmp_path / "ml.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.iterdir():
            file.write(path, path.name)
    archive.write_bytes(archive.read_bytes().replace(b"29000,1,4.0", b"29000,1,5.0"))

    with pytest.raises(BrokenDataset, match=r"ratings\.csv cannot be read: Bad CRC-32"):
        import_movielens(archive)
    assert [rows for name, rows in all_rows().items() if rows] == []


@pytest.mark.both_databases
def test_an_import_that_is_stopped_half_way_changes_nothing(app: Flask, folder: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_movielens(folder, on_progress=stop)

    assert [rows for name, rows in all_rows().items() if rows] == []
    assert import_movielens(folder).ratings.new == 4


def test_progress_ends_with_all_ratings(app: Flask, folder: Path) -> None:
    calls: list[tuple[int, int]] = []

    import_movielens(folder, on_progress=lambda done, total: calls.append((done, total)))

    assert calls[-1] == (4, 4)
