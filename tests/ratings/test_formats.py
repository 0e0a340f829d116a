"""Files as people have them: each lands with the right rows, or is refused whole with the reason."""

import bz2
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.accounts import site_ids
from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.ratings.importers.report import TooManyRefused
from recsite.storage.tables import Movie, Rating, User
from tests.ratings.importing import GODFATHER, HEAT, PULP_FICTION, TOY_STORY, import_path, load, stored

YEAR_2000 = datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)


def write_all(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def zipped(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def tarred(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


ONE = "user_id,movie_id,rating\n9000,949,4.5\n"
ONE_RATING: Mapping[str, tuple[str | bytes, str]] = {
    "plain": (ONE, "ratings.csv"),
    "blanks in the header": ("User ID,Movie ID,Rating\n9000,949,4.5\n", "ratings.csv"),
    "gzip": (gzip.compress(ONE.encode()), "ratings.csv.gz"),
    "bzip2": (bz2.compress(ONE.encode()), "ratings.csv.bz2"),
    "zip": (zipped({"ratings.csv": ONE}), "ratings.zip"),
    "tar": (tarred({"data/ratings.csv": ONE}), "ratings.tar.gz"),
    "decimal comma": ("user_id;movie_id;rating\n9000;949;4,5\n", "ratings.csv"),
    "sep line": ("sep=;\r\nuser_id;movie_id;rating\r\n9000;949;4,5\r\n", "ratings.csv"),
    "UTF-16": (ONE.encode("utf-16"), "ratings.csv"),
    "UTF-16 without a mark": (ONE.encode("utf-16-le"), "ratings.csv"),
    "old Macintosh": (ONE.replace("\n", "\r"), "ratings.csv"),
    "no last line end": (ONE.rstrip(), "ratings.csv"),
    "index of pandas": (",user_id,movie_id,rating\n0,9000,949,4.5\n", "ratings.csv"),
    "ids with a point": ("user_id,movie_id,rating\n9000.0,949.0,4.50\n", "ratings.csv"),
    "IMDb ids": ("user,imdb_id,rating\n9000,tt0113277,4.5\n", "ratings.csv"),
    "MovieLens headings": ("userId,movieId,rating,timestamp\n9000,6,4.5,1\n", "ratings.csv"),
    "second MovieLens id": ("userId,movieId,rating\n9000,144606,4.5\n", "ratings.csv"),
    "prefixed id": ("user,movie,rating\n9000,imdb:tt0113277,4.5\n", "ratings.csv"),
    "tabs": (ONE.replace(",", "\t"), "ratings.tsv"),
    "JSON": (json.dumps([{"userId": 9000, "movie_id": 949, "rating": 4.5}]), "ratings.json"),
    "JSON lines": ('{"user": 9000, "movie": {"tmdb": 949}, "stars": 4.5}\n', "ratings.jsonl"),
    "fraction": ("user_id,movie_id,rating\n9000,949,9/10\n", "ratings.csv"),
    "stars": ("user_id,movie_id,rating\n9000,949,★★★★½\n", "ratings.csv"),
}


@pytest.mark.parametrize(("content", "name"), ONE_RATING.values(), ids=ONE_RATING)
def test_one_rating_in_many_forms_is_one_rating(
    four_films: None, tmp_path: Path, content: str | bytes, name: str
) -> None:
    report = load(tmp_path, content, name)

    assert stored() == {(9000, HEAT): 4.5}
    assert (report.ratings.new, report.refused) == (1, {})
    assert len(report.forms) > 1


def test_a_table_in_parquet_is_read(four_films: None, tmp_path: Path) -> None:
    table = pl.DataFrame({"user_id": [9000], "movie_id": [949.0], "rating": [4.5], "timestamp": [YEAR_2000]})
    table.write_parquet(tmp_path / "ratings.parquet")

    import_path(tmp_path / "ratings.parquet", accept_refused=False)

    assert stored() == {(9000, HEAT): 4.5}
    assert db.session.get_one(Rating, (9000, HEAT)).timestamp == YEAR_2000


def test_half_a_file_is_a_failure(four_films: None, tmp_path: Path) -> None:
    rows = "".join(f"{user},949,4.5\n" for user in range(1, 10)) + "11,949,4.2\n"

    with pytest.raises(TooManyRefused, match=r"Nothing was saved: 1 of 10 ratings are refused, more than 5 ?%"):
        load(tmp_path, f"user_id,movie_id,rating\n{rows}")
    assert (stored(), db.session.scalar(sa.select(sa.func.count(User.id)))) == ({}, 0)

    load(tmp_path, f"user_id,movie_id,rating\n{rows}", accept_refused=True)
    assert len(stored()) == 9


def test_users_may_begin_at_0(four_films: None, tmp_path: Path) -> None:
    text = "user_id,movie_id,rating\n0,949,4.5\n1,862,3.0\n"

    with pytest.raises(TooManyRefused) as refused:
        load(tmp_path, text)
    load(tmp_path, text, user_offset=1)

    assert "--user-offset 1" in next(iter(refused.value.report.refused))
    assert stored() == {(1, HEAT): 4.5, (2, TOY_STORY): 3.0}


def test_users_may_have_ids_of_the_site(four_films: None, tmp_path: Path) -> None:
    text = "user_id,movie_id,rating\nA3SGXH7AUHU8GW,862,3.0\n1234567890123456789,680,4.0\n"

    load(tmp_path, text, add_site_users=site_ids.find_or_add_user_ids)
    again = load(tmp_path, text, add_site_users=site_ids.find_or_add_user_ids)

    ids = site_ids.find_user_ids(["A3SGXH7AUHU8GW", "1234567890123456789"])
    assert stored() == {(ids["A3SGXH7AUHU8GW"], TOY_STORY): 3.0, (ids["1234567890123456789"], PULP_FICTION): 4.0}
    assert (again.ratings.unchanged, again.users.new) == (2, 0)


def test_movies_may_have_ids_of_the_site(four_films: None, tmp_path: Path) -> None:
    load(tmp_path, "user_id,movie_id,rating\n9000,SKU-12,5\n", ids="site")

    assert stored() == {(9000, GODFATHER): 5.0}


def test_ids_that_name_other_movies_stop_the_import(four_films: None, tmp_path: Path) -> None:
    text = "user_id,movie_id,rating,title,year\n9000,949,4,Jaws,1975\n9000,680,4,Alien,1979\n"

    with pytest.raises(BrokenDataset, match=r"name other movies than on this site .*--ids tmdb, movielens or imdb"):
        load(tmp_path, text)

    assert stored() == {}


KAGGLE = {
    "movie.csv": '"movieId","title","genres"\n1,"Toy Story (1995)","Comedy"\n',
    "link.csv": '"movieId","imdbId","tmdbId"\n1,"0114709",862\n',
    "rating.csv": '"userId","movieId","rating","timestamp"\n1,1,3.5,"2005-04-02 23:53:47"\n',
}
THE_MOVIES_DATASET = {
    "links_small.csv": "movieId,imdbId,tmdbId\n296,0110912,680\n",
    "movies_metadata.csv": "adult,id,title,release_date,genres,overview\n"
    "False,296,Terminator 3: Rise of the Machines,7/2/2003,[],x\n"
    "False,680,Pulp Fiction,9/10/1994,[],x\nTrue,44781,An Adult Title,12/31/1969,[],x\n",
    "ratings_small.csv": "userId,movieId,rating,timestamp\n9000,296,5.0,1260759101\n",
    "keywords.csv": "id,keywords\n862,[]\n",
}
TWEETINGS = {
    "movies.dat": "0000008::Edison Kinetoscopic Record of a Sneeze (1894)::Documentary|Short\n",
    "ratings.dat": "3::0000008::5::1362062307\n4::0000008::10::1362062307\n",
    "users.dat": "3::1\n4::2\n",
}


@pytest.mark.parametrize("pack", (None, zipped, tarred), ids=("folder", "zip", "tar"))
def test_the_copy_of_movielens_at_kaggle_is_taken(
    four_films: None, tmp_path: Path, pack: Callable[[Mapping[str, str]], bytes] | None
) -> None:
    path = tmp_path / "archive"
    if pack:
        path.write_bytes(pack({f"ml/{name}": text for name, text in KAGGLE.items()}))
    else:
        write_all(path, KAGGLE)

    import_path(path, accept_refused=False)

    assert stored() == {(1, TOY_STORY): 3.5}


def test_a_zip_made_on_windows_is_taken(four_films: None, tmp_path: Path) -> None:
    files = {f"ml\\{name.replace('.csv', 's.csv')}": text for name, text in KAGGLE.items()}

    load(tmp_path, zipped(files), "ml.zip")

    assert stored() == {(1, TOY_STORY): 3.5}


def test_the_movies_dataset_goes_through_its_links_and_hides_what_is_for_adults(app: Flask, tmp_path: Path) -> None:
    import_path(write_all(tmp_path / "tmd", THE_MOVIES_DATASET), accept_refused=False)

    assert stored() == {(9000, PULP_FICTION): 5.0}
    assert db.session.get_one(Movie, PULP_FICTION).release_date == date(1994, 9, 10)
    assert db.session.scalars(sa.select(Movie.id).where(Movie.is_hidden)).all() == [44781]


def test_movietweetings_has_ids_of_imdb_and_a_scale_of_ten(app: Flask, tmp_path: Path) -> None:
    import_path(write_all(tmp_path / "mt", TWEETINGS), accept_refused=False)

    (movie,) = db.session.scalars(sa.select(Movie))
    assert (movie.imdb_id, movie.title) == ("tt0000008", "Edison Kinetoscopic Record of a Sneeze")
    assert stored() == {(3, movie.id): 2.5, (4, movie.id): 5.0}


REFUSED: Mapping[str, tuple[str | bytes, str, str]] = {
    "7z": (b"7z\xbc\xaf\x27\x1c....", "ratings.7z", "is a file of 7z; unpack it"),
    "spreadsheet": (zipped({"xl/workbook.xml": "<x/>"}), "ratings.xlsx", "is a spreadsheet; save it as CSV first"),
    "cut gzip": (gzip.compress(ONE.encode())[:-12], "ratings.csv.gz", "cannot be read"),
    "only a header": ("user_id,movie_id,rating\n", "ratings.csv", "has no ratings in it"),
    "no objects": ("[1, 2]", "ratings.json", "has no list of objects"),
    "broken JSON": ("{", "ratings.json", "is not valid JSON"),
}


@pytest.mark.parametrize(("content", "name", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_data_set_is_refused_with_what_to_do(
    four_films: None, tmp_path: Path, content: str | bytes, name: str, message: str
) -> None:
    with pytest.raises(BrokenDataset, match=message):
        load(tmp_path, content, name)

    assert stored() == {}
