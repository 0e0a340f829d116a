"""What a user may bring along: which files are read, and which movie each row is found to mean."""

import io
import zipfile
from datetime import date

import pytest
from flask import Flask

from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.ratings.history.matching import match, remove_article
from recsite.ratings.history.reading import MAX_ROWS, read_upload
from recsite.ratings.importers.titles import normalize_title
from recsite.storage.tables import Movie
from tests.conftest import World

LETTERBOXD = "Date,Name,Year,Letterboxd URI,Rating\n"


def found_in(text: str) -> dict[int, float]:
    """Return the movies that the rows are matched with, and their values."""
    return {
        movie_id: entry.value
        for movie_id, entry in match(read_upload("ratings.csv", text.encode()).entries).found.items()
    }


def refusals(text: str) -> list[tuple[int, str]]:
    """Return the refused lines with their reasons."""
    report = read_upload("ratings.csv", text.encode()).report
    return [(each.line, reason) for reason, some in report.refusals.items() for each in some]


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def catalogue(world: World) -> None:
    """The world's movies with ids of other catalogues, and some whose titles are hard to tell apart."""
    heat = db.session.get_one(Movie, 949)
    heat.movielens_id, heat.imdb_id = 6, "tt0113277"
    for movie_id, title, year in (
        (194, "Amélie", 2001),
        (1, "Solaris", 1972),
        (2, "Solaris", 2002),
        (3, "Hamlet", 1990),
        (4, "Hamlet", 1990),
        (5, "Die Hard", 1988),
        (6, "The Ring", 2002),
    ):
        db.session.add(Movie(id=movie_id, title=title, release_date=date(year, 5, 1)))
    db.session.commit()


@pytest.mark.both_databases
def test_a_movie_is_found_by_its_id_or_by_title_and_year(catalogue: None, subtests: pytest.Subtests) -> None:
    for text in (
        "userId,movieId,rating,timestamp\n7,6,4.5,964982703\n",
        "movieId,rating\n6,4.5\n",
        "movie_id,rating\n949,4.5\n",
        "tmdbId;rating\n949;4.5\n",
        "imdbId,rating\ntt0113277,4.5\n",
        "imdbId,rating\n0113277,4.5\n",
        "\ufeffmovieId,tmdbId,rating\n77777,949,4.5\n",
        "title,rating\nHeat (1995),4.5\n",
        LETTERBOXD + "2020-01-02,Heat,1995,https://boxd.it/2a4e,4.5\n",
        LETTERBOXD + "2020-01-02,Heat,1996,https://boxd.it/2a4e,4.5\n",
        LETTERBOXD + "2020-01-02,HEAT!,1995,https://boxd.it/2a4e,4.5\n",
    ):
        with subtests.test(text=text):
            assert found_in(text) == {949: 4.5}


@pytest.mark.both_databases
def test_case_accents_articles_and_one_year_do_not_matter(catalogue: None, subtests: pytest.Subtests) -> None:
    for title, year, movie_id in (
        ("Amelie", "2001", 194),
        ("AMÉLIE", "2002", 194),
        ("Solaris", "1972", 1),
        ("Solaris", "2003", 2),
        ("Ring, The", "2002", 6),
        ("Ring", "2002", 6),
        ("The Shawshank Redemption", "", 278),
    ):
        with subtests.test(title=title):
            assert list(found_in(f'Name,Year,Rating\n"{title}",{year},3\n')) == [movie_id]


@pytest.mark.parametrize(
    ("title", "year"), (("Hard", "1988"), ("Heat", "1997"), ("Toy Story 2", "1995"), ("No Such Movie", ""))
)
def test_what_is_only_alike_is_not_found(catalogue: None, title: str, year: str) -> None:
    matches = match(read_upload("r.csv", f"Name,Year,Rating\n{title},{year},3\n".encode()).entries)

    assert matches.found == {}
    assert [entry.title for entry in matches.not_found] == [title]


@pytest.mark.parametrize(
    ("title", "year", "movie_ids"), (("Hamlet", "1990", [3, 4]), ("Hamlet", "1991", [3, 4]), ("Solaris", "", [1, 2]))
)
def test_nobody_guesses_among_several_movies(catalogue: None, title: str, year: str, movie_ids: list[int]) -> None:
    matches = match(read_upload("r.csv", f"Name,Year,Rating\n{title},{year},3\n".encode()).entries)

    ((_, candidates),) = matches.ambiguous
    assert [known.movie_id for known in candidates] == movie_ids
    assert matches.found == {}


def test_a_hidden_movie_is_not_found(catalogue: None) -> None:
    db.session.get_one(Movie, 949).is_hidden = True
    db.session.commit()

    assert found_in("tmdbId,rating\n949,4\n") == {}


@pytest.mark.parametrize(
    ("rows", "value"),
    (
        ("949,2,2020-01-01\n949,3,2021-01-01\n", 3.0),
        ("949,2,2021-01-01\n949,3,2020-01-01\n", 2.0),
        ("949,2,2021-01-01\n949,3,2021-01-01\n", 3.0),
    ),
)
def test_of_several_rows_about_a_movie_the_latest_counts(catalogue: None, rows: str, value: float) -> None:
    assert found_in("tmdbId,rating,timestamp\n" + rows) == {949: value}


@pytest.mark.parametrize(
    ("row", "reason"),
    (
        ("Heat,1995,4.2", "rating is not from 0.5 to 5.0 in halves"),
        ("Heat,1995,0", "rating is not from 0.5 to 5.0 in halves"),
        (",1995,4", "the row names no movie"),
        ("Heat,1995", "the row does not have as many fields as the first line"),
        ("\x00,1995,4", "title is not valid UTF-8 text"),
    ),
)
def test_a_row_that_cannot_be_taken_is_refused_with_its_line(app: Flask, row: str, reason: str) -> None:
    assert refusals(f"Name,Year,Rating\nJaws,1975,5\n{row}\n") == [(3, reason)]


@pytest.mark.parametrize(
    ("text", "reason"),
    (
        ("tmdbId,rating,timestamp\n949,4,9999-01-01\n", "the rating is from the future"),
        ("Name,Year,Rating\nHeat,95,4\n", "year is not a year such as 1999"),
    ),
)
def test_a_rating_is_not_lost_for_its_time_or_year(app: Flask, text: str, reason: str) -> None:
    file = read_upload("ratings.csv", text.encode())

    assert [(entry.value, entry.at, entry.year) for entry in file.entries] == [(4.0, None, None)]
    assert file.report.emptied == {reason: 1}


def test_a_film_that_was_only_watched_is_no_rating(app: Flask) -> None:
    found = read_upload("diary.csv", (LETTERBOXD + "2020-01-02,Heat,1995,https://boxd.it/2a4e,\n").encode())

    assert (found.unrated, found.entries, found.report.ratings.refused) == (1, [], 0)


@pytest.mark.parametrize("folder", ("", "letterboxd-erin-2024/"))
def test_the_zip_of_letterboxd_is_read_as_it_comes(catalogue: None, folder: str) -> None:
    content = zipped(
        {
            f"{folder}profile.csv": "Username\nerin\n",
            f"{folder}diary.csv": LETTERBOXD + "2020-01-01,Heat,1995,x,1\n",
            f"{folder}ratings.csv": LETTERBOXD + "2020-01-02,Heat,1995,x,4.5\n",
            "deleted/ratings.csv": LETTERBOXD + "2020-01-02,Jaws,1975,x,0.5\n",
        }
    )

    assert [(entry.title, entry.value) for entry in read_upload("export.zip", content).entries] == [("Heat", 4.5)]


def test_a_diary_will_do_where_there_are_no_ratings(app: Flask) -> None:
    content = zipped({"diary.csv": LETTERBOXD + "2020-01-01,Heat,1995,x,1\n"})

    assert [entry.value for entry in read_upload("export.zip", content).entries] == [1.0]


@pytest.mark.parametrize(
    ("content", "said"),
    (
        (b"", "is empty"),
        (b"Name,Year\nHeat,1995\n", "has no column 'rating'"),
        (b"rating\n4\n", "names no movies"),
        (b"\x89PNG\r\n\x1a\n", "has no column 'rating'"),
        (b"PK\x03\x04 and no zip", "The zip cannot be read"),
        (zipped({"films.csv": "a"}), "films.csv has no column 'rating'"),
        (zipped({"a/b/c.csv": "a", "d.csv": "a"}), "The zip has no ratings.csv"),
        (zipped({"ratings.csv": "0" * (9 * 1024 * 1024)}), "larger than 8 MB once unpacked"),
    ),
    ids=("empty", "no rating", "no movie", "picture", "broken zip", "no ratings", "deep", "bomb"),
)
def test_a_file_that_is_none_of_these_says_what_it_should_be(app: Flask, content: bytes, said: str) -> None:
    with pytest.raises(BrokenDataset, match=said):
        read_upload("mine.csv", content)


def test_no_message_names_a_place_on_the_server(app: Flask) -> None:
    with pytest.raises(BrokenDataset, match=r"^mine\.csv has no column 'rating'"):
        read_upload("mine.csv", b"a,b\n")


def test_a_file_of_too_many_rows_is_refused(app: Flask) -> None:
    with pytest.raises(BrokenDataset, match="has more than 50,000 rows"):
        read_upload("mine.csv", b"tmdbId,rating\n" + b"949,4\n" * (MAX_ROWS + 1))


@pytest.mark.parametrize(
    ("one", "other"),
    (
        ("Amélie", "AMELIE"),
        ("Schindler's List", "Schindlers List"),
        ("Schindler’s List", "Schindler's list"),
        ("Fast & Furious", "Fast and Furious"),
        ("WALL·E", "Wall E"),
        ("Brødre", "Brodre"),
        ("Æon Flux", "Aeon Flux"),
        ("Mission: Impossible", "Mission Impossible"),
    ),
)
def test_two_spellings_fold_to_one(one: str, other: str) -> None:
    assert normalize_title(one) == normalize_title(other)


@pytest.mark.parametrize(
    ("title", "bare"),
    (("The Ring", "ring"), ("L'Avventura", "avventura"), ("Die Hard", "die hard"), ("The", "the"), ("???", "???")),
)
def test_an_article_is_left_out_and_nothing_else(title: str, bare: str) -> None:
    assert remove_article(normalize_title(title)) == bare
