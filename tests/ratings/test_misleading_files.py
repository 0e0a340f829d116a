"""Files that look like others: what they have is not saved in the wrong place, and is not lost in silence."""

import json
import zipfile
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.accounts.site_ids import find_or_add_user_ids
from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.ratings.history.matching import match
from recsite.ratings.history.reading import read_upload
from recsite.ratings.importers.report import TooManyRefused
from recsite.storage.tables import Movie, Rating
from tests.ratings.importing import GODFATHER, HEAT, PULP_FICTION, TOY_STORY, import_path, load, stored

METADATA = "id,title,release_date,genres,overview\n680,Pulp Fiction,1994-09-10,[],x\n"
LINKS = "movieId,imdbId,tmdbId\n296,0110912,680\n"
RATINGS = "userId,movieId,rating,timestamp\n9000,296,5.0,1260759101\n"
HEADER = "user_id,movie_id,rating"
SIMKL = {"user_rating": 9, "movie": {"title": "Heat", "year": 1995, "ids": {"imdb": "tt0113277"}}}


def folder_of(parent: Path, **files: str) -> Path:
    """Write files of these names, with '_csv' for '.csv', into a folder."""
    folder = parent / "data"
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_csv", ".csv").replace("u_", "u.")).write_text(text)
    return folder


def found_in(content: str | bytes, name: str = "ratings.csv") -> dict[int, float]:
    """Return the stars by movie of one person's rows that are matched."""
    sent = content if isinstance(content, bytes) else content.encode()
    return {movie_id: entry.value for movie_id, entry in match(read_upload(name, sent).entries).found.items()}


def test_the_numbers_of_movielens_100k_are_not_taken_for_those_of_another_data_set(app: Flask, tmp_path: Path) -> None:
    db.session.add_all(
        Movie(id=100 + number, title=f"Film {number}", release_date=date(1980 + number, 1, 1), movielens_id=number)
        for number in range(1, 21)
    )
    db.session.commit()
    flags = "|0" * 19
    items = "".join(f"{number}|Film {21 - number} ({2001 - number})|01-Jan-1995||x{flags}\n" for number in range(1, 21))
    folder = folder_of(tmp_path, u_item=items, u_data="7\t1\t3\t881250949\n")

    with pytest.raises(BrokenDataset, match=r"'Film 20' there and 'Film 1' here.*links\.csv.*Nothing was saved"):
        import_path(folder)

    assert stored() == {}
    assert db.session.get_one(Movie, 101).title == "Film 1"


def test_ratings_of_movielens_100k_need_its_movies(four_films: None, tmp_path: Path) -> None:
    with pytest.raises(BrokenDataset, match=r"Import its folder with u\.item"):
        load(tmp_path, "7\t1\t3\t881250949\n", "u.data")

    load(tmp_path, "7\t1\t3\t881250949\n", "u.data", ids="movielens")
    assert stored() == {(7, TOY_STORY): 3.0}


def test_rows_behind_a_quote_without_an_end_are_counted_as_lost(four_films: None, tmp_path: Path) -> None:
    rows = "".join(f"{user},949,4,x\n" for user in range(1, 51))

    with pytest.raises(TooManyRefused, match="51 of 51 ratings are refused"):
        load(tmp_path, f'{HEADER},note\n99,949,4,"never ends\n{rows}')

    assert stored() == {}


@pytest.mark.parametrize(
    ("ratings", "links"),
    (("ratings_csv", "links_small_csv"), ("ratings_small_csv", "links_csv"), ("ratings_small_csv", "links_small_csv")),
)
def test_any_links_of_the_movies_dataset_serve_its_ratings(
    app: Flask, tmp_path: Path, ratings: str, links: str
) -> None:
    import_path(folder_of(tmp_path, movies_metadata_csv=METADATA, **{ratings: RATINGS, links: LINKS}))

    assert stored() == {(9000, PULP_FICTION): 5.0}


def test_the_movies_dataset_without_links_is_refused_unless_its_details_are_meant(app: Flask, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, movies_metadata_csv=METADATA, ratings_csv=RATINGS)

    with pytest.raises(BrokenDataset, match=r"no links\.csv or links_small\.csv .* --format tmdb"):
        import_path(folder)
    import_path(folder, "tmdb")

    assert db.session.scalars(sa.select(Movie.title)).all() == ["Pulp Fiction"]


def test_a_number_with_another_title_and_no_year_is_another_movie(four_films: None) -> None:
    assert found_in("movieId,title,rating\n296,Heat,4\n1,Spielzeug,4\n6,Heat,3\n") == {HEAT: 3.0}
    assert found_in("imdbId,title,rating\ntt0113277,Hitze,4\n") == {HEAT: 4.0}


def test_ids_whose_titles_differ_are_believed_only_if_somebody_names_them(four_films: None, tmp_path: Path) -> None:
    text = f"{HEADER},title\n1,949,4,Hitze\n1,238,5,Der Pate\n"

    with pytest.raises(BrokenDataset, match="Say whose ids they are with --ids"):
        load(tmp_path, text)
    load(tmp_path, text, ids="tmdb")

    assert stored() == {(1, HEAT): 4.0, (1, GODFATHER): 5.0}


@pytest.mark.parametrize(
    "content",
    (
        "const,Title,You rated,created\ntt0113277,Heat,9,Sat Mar  2 00:00:00 2013\n",
        "TMDb ID,Type,Name,Release Date,Rating,Your Rating,Date Rated\n"
        "949,movie,Heat,1995-12-15,6.9,9.0,2013-03-02\n1396,tv,Breaking Bad,2008-01-20,8.9,10.0,2013-03-02\n",
        "Film,Score\nHeat (1995),9/10\n",
        "Movie,Rating\nHeat,⭐️⭐️⭐️⭐️½\n",
        json.dumps({"movies": [SIMKL], "shows": [{"user_rating": 1, "show": {"title": "Lost"}}] * 2}),
    ),
    ids=("old IMDb", "TMDB account", "films by name", "emoji", "Simkl"),
)
def test_ones_own_rating_is_found_in_exports_of_many_sites(four_films: None, content: str) -> None:
    assert found_in(content) == {HEAT: 4.5}


@pytest.mark.parametrize(
    ("content", "name"),
    (
        ('{"userId": {"$numberInt": "9000"}, "movie_id": 949, "rating": 4.5}\n', "ratings.json"),
        ('{"user_id": {"0": 9000}, "movie_id": {"0": 949}, "rating": {"0": 4.5}}', "ratings.json"),
        (json.dumps({"columns": HEADER.split(","), "index": [0], "data": [[9000, 949, 4.5]]}), "ratings.json"),
        (json.dumps({"result": {"rows": [{"user": 9000, "tmdb": 949, "rating": 4.5}]}}), "ratings.json"),
        (json.dumps([{"user": 9000, "tmdb": 949, "rating": 4.5}]).encode("utf-16"), "ratings.json"),
        ("user_id::movie_id::rating\n9000::949::4.5\n", "ratings.csv"),
        ("user_id  movie_id rating\n9000     949    4.5\n", "ratings.txt"),
        ('"user_id", "movie_id", "rating"\n"9000", "949", "4.5"\n', "ratings.csv"),
        (f"{HEADER}\n9000,949,4.5\n,,\n,,\n", "ratings.export"),
        ('{"user": {"id": 9000}, "movie": {"id": 949}, "rating": 4.5}\n', "ratings.json"),
    ),
    ids=(
        *("MongoDB", "pandas", "split", "deep", "UTF-16", "colons", "blanks", "blanks behind commas", "empty rows"),
        "objects with ids",
    ),
)
def test_less_usual_spellings_of_a_table_are_read(
    four_films: None, tmp_path: Path, content: str | bytes, name: str
) -> None:
    report = load(tmp_path, content, name)

    assert stored() == {(9000, HEAT): 4.5}
    assert report.ratings.read == 1


def test_compact_times_are_no_milliseconds(four_films: None, tmp_path: Path) -> None:
    load(tmp_path, f"{HEADER},timestamp\n9000,949,4.5,20000730184503\n")

    assert db.session.get_one(Rating, (9000, HEAT)).timestamp == datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)


def test_columns_of_categories_bytes_and_lists_in_parquet_are_text(four_films: None, tmp_path: Path) -> None:
    ratings = pl.DataFrame({"user_id": ["9000"], "movie_id": [b"949"], "rating": [4.5]})
    ratings.with_columns(pl.col("user_id").cast(pl.Categorical)).write_parquet(tmp_path / "ratings.parquet")
    details = {"id": [949], "title": ["Heat"], "overview": ["A thief."], "genres": [["Crime", "Drama"]]}
    pl.DataFrame(details).write_parquet(tmp_path / "films.parquet")

    import_path(tmp_path / "ratings.parquet", accept_refused=False)
    import_path(tmp_path / "films.parquet", accept_refused=False)

    assert stored() == {(9000, HEAT): 4.5}
    assert db.session.get_one(Movie, HEAT).genres == "Crime|Drama"


def test_details_of_movies_in_json_are_read(app: Flask, tmp_path: Path) -> None:
    film = {"id": 949, "title": "Heat", "release_date": "1995-12-15", "genres": [{"id": 80, "name": "Crime"}]}

    load(tmp_path, json.dumps(film) + "\n" + json.dumps(film | {"id": 1, "genres": ["Drama"]}), "films.jsonl")

    assert [movie.genres for movie in db.session.scalars(sa.select(Movie).order_by(Movie.id))] == ["Drama", "Crime"]


ONE = f"{HEADER}\n9000,949,4.5\n"


def packed(name: str, file: str | bytes = ONE, *, is_encrypted: bool = False) -> bytes:
    """Return a zip with one file."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, file)
    raw = bytearray(content.getvalue())
    raw[raw.index(b"PK\x01\x02") + 8] |= is_encrypted
    return bytes(raw)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    (
        ("9000 949 4.5\n", "ratings.txt", r"first line .* should name the columns and is '9000,949,4\.5'"),
        (packed("inner.zip", packed("ratings.csv")), "all.zip", r"inner\.zip is a file of zip; unpack it"),
        (packed("ratings.csv", is_encrypted=True), "ratings.zip", "is protected by a password; unpack it"),
        (packed("xl/workbook.xml"), "ratings.csv", "is a spreadsheet; save it as CSV first"),
        ('{"a": 1}\n{"a": 2}\n{"a"\n', "ratings.json", "line 3 is no object"),
        (b"SQLite format 3\0" + bytes(100), "ratings.db", "is a database of SQLite; save its table of ratings as CSV"),
        ("%PDF-1.4\n", "ratings.pdf", "is a PDF; save"),
        ('<?xml version="1.0"?><ratings/>', "ratings.xml", "is XML; save"),
        ("<!DOCTYPE html>\n<html></html>\n", "ratings.csv", "is a web page; download the file itself"),
        ("version https://git-lfs.github.com/spec/v1\nsize 5\n", "ratings.csv", "is a pointer of Git LFS"),
        (b"\x80\x04\x95\0\0user", "ratings.pkl", "is a pickle of Python, which is never opened"),
        (f"isbn,{HEADER}\n1,9000,949,4.5\n", "ratings.csv", "has ratings of books, not of films"),
    ),
)
def test_a_refusal_says_what_to_do(
    four_films: None, tmp_path: Path, content: str | bytes, name: str, message: str
) -> None:
    with pytest.raises(BrokenDataset, match=message):
        load(tmp_path, content, name)


def test_a_spreadsheet_or_a_locked_zip_on_the_page_is_named_as_such(four_films: None) -> None:
    with pytest.raises(BrokenDataset, match="is a spreadsheet; save it as CSV first"):
        read_upload("ratings.xlsx", packed("xl/workbook.xml"))
    with pytest.raises(BrokenDataset, match="is protected by a password"):
        read_upload("ratings.zip", packed("ratings.csv", is_encrypted=True))


@pytest.mark.parametrize("content", ("Name,Year,Rating\n", "Date,Name,Year,Letterboxd URI\n2021-01-01,Heat,1995,x\n"))
def test_a_persons_file_without_ratings_is_refused_by_the_command_too(
    four_films: None, tmp_path: Path, content: str
) -> None:
    with pytest.raises(BrokenDataset, match="has no ratings"):
        load(tmp_path, content, user_id=1)


def test_two_columns_of_ratings_are_refused(four_films: None, tmp_path: Path) -> None:
    with pytest.raises(BrokenDataset, match="has 2 columns named 'Rating'; give those that do not count other names"):
        load(tmp_path, "user_id,movie_id,Rating,rating\n1,949,4.5,2.0\n")
    assert stored() == {}


def test_data_sets_in_sibling_folders_are_named_and_none_is_taken(four_films: None, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ratings.csv").write_text("user_id,movie_id,rating\n1,949,4.5\n")

    with pytest.raises(BrokenDataset, match=r"several data sets: .*/a \(a table of ratings\); .*/b \("):
        import_path(tmp_path)
    assert stored() == {}


def test_a_data_set_in_a_folder_below_another_one_is_left_out(four_films: None, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for folder, stars in ((tmp_path, 4.5), (tmp_path / "old", 1.0)):
        (folder / "ratings.csv").write_text(f"user_id,movie_id,rating\n1,949,{stars}\n")

    import_path(tmp_path)

    assert stored() == {(1, 949): 4.5}


def test_books_are_not_taken_for_films_of_the_same_name(four_films: None) -> None:
    with pytest.raises(BrokenDataset, match="has ratings of books, not of films"):
        read_upload("goodreads.csv", b"Book Id,Title,Author,My Rating\n949,Heat,Bill Buford,4\n")


def test_a_spreadsheet_in_a_folder_is_named(four_films: None, tmp_path: Path) -> None:
    (tmp_path / "ratings.xlsx").write_bytes(packed("xl/workbook.xml"))
    (tmp_path / "readme.txt").write_text("about")

    with pytest.raises(BrokenDataset, match=r"Save ratings\.xlsx as CSV\."):
        import_path(tmp_path)


def test_hashes_name_users_and_a_file_without_times_says_so(four_films: None, tmp_path: Path) -> None:
    hashed = "USER_MD5,MOVIE_ID,RATING,RATING_TIME\n0ab7e3efacd56983,949,2,2008-03-15 16:53:02\n"
    with_times = load(tmp_path, hashed, add_site_users=find_or_add_user_ids)
    without = load(tmp_path, ONE)

    assert db.session.scalars(sa.select(Rating.timestamp)).first() == datetime(2008, 3, 15, 16, 53, 2, tzinfo=UTC)
    assert [report.forms[-1].endswith(", without times") for report in (with_times, without)] == [False, True]
