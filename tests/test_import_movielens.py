"""`flask import movielens`: the three published forms, TMDB ids, accounts, and doing it again."""

import re
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskCliRunner

from recsite import accounts
from recsite.config import ROOT
from recsite.datasets import movielens, tmdb
from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.models import MOVIE_ID_WITHOUT_TMDB, Counter, Movie, Rating, Suggestion, User

REAL_DATA = ROOT.parent / "shared" / "data" / "ml-latest-small"

MOVIES_CSV = """\
movieId,title,genres
1,Toy Story (1995),Adventure|Animation|Children|Comedy|Fantasy
2,"Matrix, The (1999)",Action|Sci-Fi|IMAX
3,"Postman, The (Postino, Il) (1994)",(no genres listed)
4,Babylon 5,Musical
"""
LINKS_CSV = """\
movieId,imdbId,tmdbId
1,0114709,862
2,0133093,603
3,0110877,11010
4,0105946,
"""
RATINGS_CSV = """\
userId,movieId,rating,timestamp
1,1,4.0,964982703
1,2,3.5,964982224
2,1,0.5,1445714835
2,4,5.0,1445714836
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set as the newer ones are published: four movies, two users."""
    folder = tmp_path / "ml"
    folder.mkdir()
    write(folder, "movies.csv", MOVIES_CSV)
    write(folder, "links.csv", LINKS_CSV)
    write(folder, "ratings.csv", RATINGS_CSV)
    return folder


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    """A file of this text, its line ends as they are."""
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def rating_of(user_id: int, movie_id: int) -> float | None:
    """What the table says."""
    value: float | None = db.session.scalar(
        sa.select(Rating.value).where(Rating.user_id == user_id, Rating.movie_id == movie_id)
    )
    return value


def movie(movie_id: int) -> Movie:
    """The movie as the table has it now."""
    db.session.expire_all()
    return db.session.get_one(Movie, movie_id)


def all_rows() -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    tables = db.metadata.sorted_tables
    return {
        table.name: [tuple(row) for row in db.session.execute(sa.select(table).order_by(*table.primary_key.columns))]
        for table in tables
    }


def test_a_movie_gets_the_tmdb_id_that_links_csv_names(app: Flask, folder: Path) -> None:
    movielens.load(folder)

    toy_story = movie(862)
    assert (toy_story.title, toy_story.movielens_id, toy_story.imdb_id) == ("Toy Story", 1, "tt0114709")


def test_movielens_ids_are_not_taken_for_tmdb_ids(app: Flask, folder: Path) -> None:
    db.session.add(Movie(id=1, title="The movie that has 1 as its TMDB id"))
    db.session.commit()

    movielens.load(folder)

    assert rating_of(user_id=1, movie_id=862) == 4.0
    assert rating_of(user_id=1, movie_id=1) is None
    assert movie(1).title == "The movie that has 1 as its TMDB id"


def test_half_stars_are_not_rounded_up(app: Flask, folder: Path) -> None:
    halves = [half / 2 for half in range(1, 11)]
    rows = "".join(f"{user},1,{value},100\n" for user, value in enumerate(halves, 1))
    write(folder, "ratings.csv", "userId,movieId,rating,timestamp\n" + rows)

    movielens.load(folder)

    assert list(db.session.scalars(sa.select(Rating.value).order_by(Rating.user_id))) == halves


def test_a_movie_without_tmdb_id_gets_its_movielens_id_behind_a_thousand_million(app: Flask, folder: Path) -> None:
    movielens.load(folder)

    assert movie(1_000_000_004).title == "Babylon 5"
    assert rating_of(user_id=2, movie_id=1_000_000_004) == 5.0


def test_the_time_of_a_rating_is_kept_in_utc(app: Flask, folder: Path) -> None:
    movielens.load(folder)

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
    assert movielens.title_and_year(title) == (shown, year)


def test_the_year_becomes_january_1_until_the_day_is_known(app: Flask, folder: Path) -> None:
    movielens.load(folder)

    assert movie(603).release_date == date(1999, 1, 1)
    assert movie(1_000_000_004).release_date is None


def test_genres_get_the_names_that_tmdb_uses(app: Flask, folder: Path) -> None:
    movielens.load(folder)

    assert movie(862).genres == "Adventure|Animation|Family|Comedy|Fantasy"
    assert movie(603).genres == "Action|Science Fiction"
    assert movie(11010).genres == ""
    assert movie(1_000_000_004).genres == "Music"


def test_importing_again_leaves_the_same_rows(app: Flask, folder: Path) -> None:
    first = movielens.load(folder)
    rows = all_rows()

    second = movielens.load(folder)

    assert (first.ratings.new, first.movies.new, first.users.new) == (4, 4, 2)
    for count in (second.ratings, second.movies, second.users):
        assert (count.new, count.changed, count.unchanged) == (0, 0, count.read)
    assert all_rows() == rows


def test_a_changed_title_and_a_changed_rating_are_counted_as_changed(app: Flask, folder: Path) -> None:
    movielens.load(folder)
    write(folder, "movies.csv", MOVIES_CSV.replace("Babylon 5", "Babylon Five"))
    write(folder, "ratings.csv", RATINGS_CSV.replace("1,2,3.5", "1,2,4.5"))

    report = movielens.load(folder)

    assert (report.movies.changed, report.movies.unchanged) == (1, 3)
    assert (report.ratings.changed, report.ratings.unchanged) == (1, 3)
    assert rating_of(user_id=1, movie_id=603) == 4.5


def test_the_details_of_tmdb_outlive_another_import_of_movielens(app: Flask, folder: Path, tmp_path: Path) -> None:
    movielens.load(folder)
    header = "id,title,overview,release_date,genres\n"
    tmdb.load(write(tmp_path, "tmdb.csv", header + "603,Matrix!,A hacker wakes up.,1999-03-30,Action\n"))

    report = movielens.load(folder)

    matrix = movie(603)
    assert report.movies.changed == 0
    assert (matrix.title, matrix.overview) == ("Matrix!", "A hacker wakes up.")
    assert (matrix.release_date, matrix.genres) == (date(1999, 3, 30), "Action")


def test_two_movielens_ids_with_one_tmdb_id_are_one_movie_and_the_later_rating_counts(app: Flask, folder: Path) -> None:
    write(folder, "links.csv", LINKS_CSV.replace("11010", "862"))
    write(
        folder,
        "ratings.csv",
        "userId,movieId,rating,timestamp\n1,3,2.0,300\n1,1,4.0,200\n2,1,1.0,200\n2,3,5.0,200\n",
    )

    report = movielens.load(folder)

    assert (report.movies.read, report.movies.new, report.movies.merged) == (4, 3, 1)
    assert (report.ratings.read, report.ratings.new, report.ratings.merged) == (4, 2, 2)
    assert movie(862).title == "Toy Story"
    assert rating_of(user_id=1, movie_id=862) == 2.0
    assert rating_of(user_id=2, movie_id=862) == 5.0, "of equally late ratings the last one in the file counts"


def test_byte_order_mark_and_windows_line_ends_are_read_over(app: Flask, folder: Path) -> None:
    for name in ("movies.csv", "links.csv", "ratings.csv"):
        text = (folder / name).read_text()
        write(folder, name, "\N{ZERO WIDTH NO-BREAK SPACE}" + text.replace("\n", "\r\n"))

    report = movielens.load(folder)

    assert (report.movies.new, report.ratings.new, report.refused) == (4, 4, {})


@pytest.mark.parametrize("encoding", ("latin-1", "utf-8"))
def test_the_dat_form_is_read_in_either_encoding(app: Flask, tmp_path: Path, encoding: str) -> None:
    write(tmp_path, "movies.dat", "73::Misérables, Les (1995)::Drama|Musical\n", encoding)
    write(tmp_path, "ratings.dat", "7::73::3.5::978300760\n7::73::4::978300761\n")

    report = movielens.load(tmp_path)

    assert movie(MOVIE_ID_WITHOUT_TMDB + 73).title == "Les Misérables"
    assert rating_of(user_id=7, movie_id=MOVIE_ID_WITHOUT_TMDB + 73) == 4.0
    assert report.ratings.merged == 1


def test_the_dat_form_takes_tmdb_ids_from_a_links_csv_put_beside_it(app: Flask, tmp_path: Path) -> None:
    write(tmp_path, "movies.dat", "1::Toy Story (1995)::Animation|Children's\n")
    write(tmp_path, "ratings.dat", "7::1::5::978300760\n")
    write(tmp_path, "links.csv", LINKS_CSV)

    movielens.load(tmp_path)

    assert rating_of(user_id=7, movie_id=862) == 5.0
    assert movie(862).genres == "Animation|Family"


def test_the_dat_form_finds_movies_that_an_earlier_import_linked(app: Flask, folder: Path, tmp_path: Path) -> None:
    movielens.load(folder)
    older = tmp_path / "ml-1m"
    older.mkdir()
    write(older, "movies.dat", "1::Toy Story (1995)::Animation|Children's\n")
    write(older, "ratings.dat", "7::1::5::978300760\n")

    report = movielens.load(older)

    assert report.movies.new == 0
    assert rating_of(user_id=7, movie_id=862) == 5.0


def test_the_100k_form_is_read_with_its_days_of_release(app: Flask, tmp_path: Path) -> None:
    flags = "0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0"
    unknown = "1" + "|0" * 18
    write(tmp_path, "u.item", f"1|Café (1995)|30-Oct-1995||http://imdb|{flags}\n2|unknown||||{unknown}\n", "latin-1")
    write(tmp_path, "u.data", "196\t1\t3\t881250949\n196\t2\t1\t881250949\n")

    movielens.load(tmp_path)

    cafe = movie(MOVIE_ID_WITHOUT_TMDB + 1)
    assert (cafe.title, cafe.release_date, cafe.genres) == ("Café", date(1995, 10, 30), "Animation|Family|Comedy")
    assert (movie(MOVIE_ID_WITHOUT_TMDB + 2).title, movie(MOVIE_ID_WITHOUT_TMDB + 2).genres) == ("unknown", "")
    assert rating_of(user_id=196, movie_id=MOVIE_ID_WITHOUT_TMDB + 1) == 3.0


def test_a_zip_with_one_folder_inside_is_read_as_it_was_downloaded(app: Flask, folder: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "ml-latest"), "zip", tmp_path, "ml"))

    report = movielens.load(archive)

    assert (report.movies.new, report.ratings.new) == (4, 4)


def test_a_folder_with_one_folder_inside_is_read_too(app: Flask, folder: Path) -> None:
    assert movielens.load(folder.parent).ratings.new == 4


def test_a_wrong_folder_is_told_what_was_looked_for_and_what_was_found(app: Flask, folder: Path) -> None:
    (folder / "links.csv").unlink()

    with pytest.raises(BrokenDataset, match=r"Looked for movies\.csv, ratings\.csv, links\.csv .* u\.item, u\.data"):
        movielens.load(folder)
    with pytest.raises(BrokenDataset, match=r"Found movies\.csv, ratings\.csv\.$"):
        movielens.load(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    (
        ("movies.csv", b"", r"movies\.csv is empty"),
        ("ratings.csv", b"", r"ratings\.csv is empty"),
        ("links.csv", b"movieId,imdbId\n1,2\n", "has no column 'tmdbId'; its first line is 'movieId,imdbId"),
        ("ratings.csv", bytes(range(256)) * 20, r"ratings\.csv has no column 'userId'"),
        ("movies.csv", b"movieId,title,genres\nx,Heat (1995),Crime\n", r"movies\.csv has no movie that can be read"),
    ),
    ids=["no movies", "no ratings", "no TMDB ids", "binary", "no usable movie"],
)
def test_a_file_of_another_kind_stops_the_import(
    app: Flask, folder: Path, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)

    with pytest.raises(BrokenDataset, match=message):
        movielens.load(folder)
    assert db.session.scalar(sa.select(sa.func.count(Movie.id))) == 0


def test_a_binary_file_under_the_name_of_a_dat_file_stops_the_import(app: Flask, tmp_path: Path) -> None:
    write(tmp_path, "movies.dat", "1::Toy Story (1995)::Animation\n")
    (tmp_path / "ratings.dat").write_bytes(bytes(range(256)))

    with pytest.raises(BrokenDataset, match="should have 4 fields a line between '::', but its first line is"):
        movielens.load(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    (
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b"PK but no zip"), "is neither a folder nor a zip that can be read"),
        (lambda path: path.mkdir(), "is no MovieLens data set.*Found no files"),
    ),
    ids=["nothing there", "no zip", "empty folder"],
)
def test_a_path_that_cannot_be_read_is_named(
    app: Flask, tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "ml.zip"
    make(path)

    with pytest.raises(BrokenDataset, match=rf"{re.escape(str(path))} {message}"):
        movielens.load(path)


def test_a_zip_that_is_damaged_in_the_middle_changes_nothing(app: Flask, folder: Path, tmp_path: Path) -> None:
    rows = "".join(f"{user},1,4.0,100\n" for user in range(1, 30_000))
    write(folder, "ratings.csv", "userId,movieId,rating,timestamp\n" + rows)
    archive = tmp_path / "ml.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.iterdir():
            file.write(path, path.name)
    archive.write_bytes(archive.read_bytes().replace(b"29000,1,4.0", b"29000,1,5.0"))

    with pytest.raises(BrokenDataset, match=r"ratings\.csv cannot be read: Bad CRC-32"):
        movielens.load(archive)
    assert [rows for name, rows in all_rows().items() if rows] == []


def test_an_import_that_is_stopped_half_way_changes_nothing(app: Flask, folder: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        movielens.load(folder, on_progress=stop)

    assert [rows for name, rows in all_rows().items() if rows] == []
    assert movielens.load(folder).ratings.new == 4


def test_progress_ends_with_all_bytes_of_the_ratings(app: Flask, folder: Path) -> None:
    calls: list[tuple[int, int]] = []

    movielens.load(folder, on_progress=lambda done, total: calls.append((done, total)))

    size = (folder / "ratings.csv").stat().st_size
    assert calls[-1] == (size, size)


def protected_by_password() -> User:
    return accounts.create_user("ann", password="correct horse")


def protected_as_admin() -> User:
    return accounts.create_user("ann", is_admin=True)


def protected_by_token() -> User:
    user = accounts.create_user("ann")
    accounts.create_token(user)
    return user


@pytest.mark.parametrize("make_account", (protected_by_password, protected_as_admin, protected_by_token))
def test_ratings_under_the_id_of_an_account_are_refused(
    app: Flask, folder: Path, make_account: Callable[[], User]
) -> None:
    assert make_account().id == 1

    report = movielens.load(folder)

    assert (report.users.read, report.users.new, report.users.refused) == (2, 1, 1)
    assert (report.ratings.read, report.ratings.new, report.ratings.refused) == (4, 2, 2)
    (reason,) = report.refused
    assert "--user-offset N" in reason
    assert [(refusal.file, refusal.line) for refusal in report.refusals[reason]] == [
        ("ratings.csv", 2),
        ("ratings.csv", 3),
    ]
    assert rating_of(user_id=1, movie_id=862) is None


def test_an_offset_gives_the_users_of_the_data_set_other_ids(app: Flask, folder: Path) -> None:
    protected_by_password()

    report = movielens.load(folder, user_offset=1000)

    assert report.ratings.new == 4
    assert rating_of(user_id=1001, movie_id=862) == 4.0
    assert db.session.get_one(User, 1001).username == "user-1001"
    assert db.session.get_one(User, 1001).password_hash is None


def test_an_account_with_the_name_of_an_imported_user_keeps_it(app: Flask, folder: Path) -> None:
    db.session.add(User(id=77, username="user-1"))
    db.session.commit()

    report = movielens.load(folder)

    assert (report.ratings.new, report.ratings.refused) == (2, 2)
    assert db.session.get(User, 1) is None


def test_new_accounts_go_on_behind_the_imported_users(app: Flask, folder: Path) -> None:
    movielens.load(folder, user_offset=500)

    assert accounts.create_user("ann").id == 503


def test_the_ids_of_new_accounts_never_go_back(app: Flask, folder: Path) -> None:
    accounts.create_user("ann")
    accounts.create_user("ben")
    carla = accounts.create_user("carla")
    db.session.delete(carla)
    db.session.commit()

    movielens.load(folder)

    assert accounts.create_user("dora").id == 4


def test_a_movie_moves_with_all_that_hangs_on_it_once_links_csv_knows_its_tmdb_id(app: Flask, folder: Path) -> None:
    movielens.load(folder)
    db.session.add(Suggestion(user_id=1, movie_id=1_000_000_004, value=4.0, rank=1))
    db.session.commit()
    write(folder, "links.csv", LINKS_CSV.replace("0105946,", "0105946,9999"))

    report = movielens.load(folder)

    assert (report.movies.new, report.movies.changed, report.movies.unchanged) == (0, 1, 3)
    assert (report.ratings.new, report.ratings.unchanged) == (0, 4)
    assert db.session.get(Movie, 1_000_000_004) is None
    assert (movie(9999).title, movie(9999).movielens_id, movie(9999).rating_count) == ("Babylon 5", 4, 1)
    assert rating_of(user_id=2, movie_id=9999) == 5.0
    assert db.session.get(Suggestion, (1, 9999)) is not None


def test_who_rated_the_movie_under_both_ids_keeps_the_later_rating(app: Flask, folder: Path) -> None:
    movielens.load(folder)
    db.session.add(Movie(id=9999, title="Babylon 5", overview="A station in space."))
    db.session.flush()
    db.session.add(Rating(user_id=2, movie_id=9999, value=1.5, timestamp=datetime(2024, 1, 1, tzinfo=UTC)))
    db.session.commit()
    write(folder, "links.csv", LINKS_CSV.replace("0105946,", "0105946,9999"))
    write(folder, "ratings.csv", "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n")

    movielens.load(folder)

    assert rating_of(user_id=2, movie_id=9999) == 1.5
    assert rating_of(user_id=2, movie_id=1_000_000_004) is None
    assert (movie(9999).rating_count, movie(9999).overview) == (1, "A station in space.")


def test_a_link_to_another_tmdb_id_moves_nothing_but_the_movielens_id(app: Flask, folder: Path) -> None:
    movielens.load(folder)
    write(folder, "links.csv", LINKS_CSV.replace("862", "863"))

    report = movielens.load(folder)

    assert rating_of(user_id=1, movie_id=862) == 4.0
    assert rating_of(user_id=1, movie_id=863) == 4.0
    assert (movie(862).movielens_id, movie(863).movielens_id) == (None, 1)
    assert report.movies.new == 1


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    (
        ("movies.csv", "x,Heat (1995),Crime", "MovieLens id is not a whole number"),
        ("movies.csv", "5,,Crime", "the title is missing"),
        ("movies.csv", "5,Heat (1995)", "does not have as many fields"),
        ("movies.csv", f"5,{'x' * 501},Crime", "title is longer than 500 characters"),
        ("movies.csv", "5,He\0at (1995),Crime", "title is not valid UTF-8 text"),
        ("links.csv", "5,0113277,1997-08-20", "TMDB id is not a whole number"),
        ("links.csv", "5,0113277,1000000949", "TMDB id is not a whole number"),
        ("ratings.csv", "1,99,4.0,1", "no movie has this id"),
        ("ratings.csv", "1,1,4.0", "does not have as many fields"),
    ),
)
def test_a_bad_row_is_refused_with_its_line_and_the_rest_goes_on(
    app: Flask, folder: Path, name: str, row: str, reason: str
) -> None:
    header, rest = (folder / name).read_text().split("\n", 1)
    write(folder, name, f"{header}\n{row}\n{rest}")

    report = movielens.load(folder)

    ((told, refusals),) = report.refusals.items()
    assert reason in told
    assert [(refusal.file, refusal.line) for refusal in refusals] == [(name, 2)]
    assert (report.movies.new, report.ratings.new) == (4, 4)


def test_bytes_that_are_not_utf8_refuse_their_row_only(app: Flask, folder: Path) -> None:
    (folder / "movies.csv").write_bytes(MOVIES_CSV.encode() + b"5,Am\xe9lie (2001),Romance\n")

    report = movielens.load(folder)

    assert report.refused == {"title is not valid UTF-8 text": 1}
    assert report.movies.new == 4


def test_the_catalog_counter_goes_up_only_when_something_changed(app: Flask, folder: Path) -> None:
    movielens.load(folder)
    before = db.session.get_one(Counter, "catalog").value

    movielens.load(folder)

    db.session.expire_all()
    assert before > 0
    assert db.session.get_one(Counter, "catalog").value == before


def test_the_command_prints_what_became_of_the_rows(app: Flask, runner: FlaskCliRunner, folder: Path) -> None:
    write(folder, "ratings.csv", RATINGS_CSV + "2,2,6.0,100\n")

    result = runner.invoke(args=["import", "movielens", str(folder)])

    assert result.exit_code == 0
    assert re.search(r"^ratings +5 +4 +0 +0 +0 +1$", result.stdout, re.MULTILINE)
    assert "1 refused: rating is not from 0.5 to 5.0 in halves\n    ratings.csv:6 ('6.0')" in result.stdout


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
    report = movielens.load(REAL_DATA)

    ratings = report.ratings
    assert ratings.read == 100_836
    assert ratings.read == ratings.new + ratings.merged
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Rating)) == ratings.new
    assert (report.movies.read, report.movies.new, report.movies.merged) == (9742, 9741, 1)
    assert (report.users.new, report.refused) == (610, {})
    assert db.session.scalar(sa.select(sa.func.count()).where(Movie.id > MOVIE_ID_WITHOUT_TMDB)) == 8
    assert movie(4912).title == "Confessions of a Dangerous Mind"
    assert (movie(603).rating_count, movie(603).title) == (278, "The Matrix")
