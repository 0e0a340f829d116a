"""The three forms in which GroupLens has published MovieLens, each read into the same rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recsite.errors import BrokenDataset
from recsite.ratings.importers import fields
from recsite.ratings.importers.report import Report
from recsite.ratings.importers.source import Place, Row, Table, TextFile, named

LINKS = "links.csv"
GENRES_100K = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|"
    "Film-Noir|Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
"In the order of the flags in u.item."


@dataclass(frozen=True)
class Form:
    """One way of writing a data set down."""

    name: str
    movies: str
    "The file of movies."
    ratings: str
    "The file of ratings."
    others: tuple[str, ...]
    "More files that there must be."
    read_movies: Callable[[Place, Report], Iterator[Row]]
    "Rows of MovieLens id, title with year, genres joined by '|', and the day of release as 30-Jan-1995, or ''."
    read_ratings: Callable[[TextFile, Report], Iterator[Row]]
    "Rows of user, movie, stars, seconds since 1970."

    @property
    def files(self) -> tuple[str, ...]:
        """All that there must be."""
        return (self.movies, self.ratings, *self.others)


def csv_movies(place: Place, report: Report) -> Iterator[Row]:
    """movies.csv: movieId,title,genres."""
    for line, row in Table(TextFile(place), "movieId title genres").rows(report.movies, report):
        yield line, [*row, ""]


def csv_ratings(file: TextFile, report: Report) -> Iterator[Row]:
    """ratings.csv: userId,movieId,rating,timestamp."""
    return Table(file, "userId movieId rating timestamp").rows(report.ratings, report)


def dat_movies(place: Place, report: Report) -> Iterator[Row]:
    """movies.dat: MovieID::Title::Genres, in UTF-8 (10m) or else in Latin-1 (1m)."""
    is_utf8 = not any(fields.UNUSABLE_TEXT.search(line) for line in TextFile(place).lines())
    for line, row in TextFile(place, "utf-8-sig" if is_utf8 else "latin-1").rows("::", 3, report.movies, report):
        yield line, [*row, ""]


def dat_ratings(file: TextFile, report: Report) -> Iterator[Row]:
    """ratings.dat: UserID::MovieID::Rating::Timestamp."""
    return file.rows("::", 4, report.ratings, report)


def item_movies(place: Place, report: Report) -> Iterator[Row]:
    """u.item: id|title|day of release|day of video release|IMDb URL|19 flags, in Latin-1."""
    file = TextFile(place, "latin-1")
    for line, (movie, title, day, _, _, *flags) in file.rows("|", 24, report.movies, report):
        genres = [genre for genre, flag in zip(GENRES_100K.split("|"), flags, strict=True) if flag == "1"]
        yield line, [movie, title, "|".join(genres), day]


def data_ratings(file: TextFile, report: Report) -> Iterator[Row]:
    """u.data: user, item, rating and timestamp between tabs."""
    return file.rows("\t", 4, report.ratings, report)


FORMS = (
    Form("latest, 20m to 32m", "movies.csv", "ratings.csv", (LINKS,), csv_movies, csv_ratings),
    Form("1m, 10m", "movies.dat", "ratings.dat", (), dat_movies, dat_ratings),
    Form("100k", "u.item", "u.data", (), item_movies, data_ratings),
)
FILES = tuple(name for form in FORMS for name in form.files)


def form_of(path: Path, files: Mapping[str, Place]) -> Form:
    """The form whose files are all there; raises BrokenDataset, which says what was looked for and what was found."""
    for form in FORMS:
        if files.keys() >= set(form.files):
            return form
    wanted = "; or ".join(f"{', '.join(form.files)} ({form.name})" for form in FORMS)
    raise BrokenDataset(f"{path} is no MovieLens data set. Looked for {wanted}. Found {named(files)}.")
