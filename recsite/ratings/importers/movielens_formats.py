"""The three file formats of MovieLens data sets, each read into the same rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recsite.errors import BrokenDataset
from recsite.ratings.importers import fields
from recsite.ratings.importers.report import Report
from recsite.ratings.importers.source import Row, Source, Table, TextFile, join_names

LINKS = "links.csv"
GENRES_100K = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|"
    "Film-Noir|Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
"Genres in the order of u.item's flags."


@dataclass(frozen=True)
class Format:
    """One file format of MovieLens."""

    name: str
    movies: str
    "Name of the file of movies, as are the next two."
    ratings: str
    others: tuple[str, ...]
    "Names of other required files."
    read_movies: Callable[[Source, Report], Iterator[Row]]
    "Rows of MovieLens id, title with year, genres joined by '|', and the day of release as 30-Jan-1995, or ''."
    read_ratings: Callable[[TextFile, Report], Iterator[Row]]
    "Rows of user, movie, stars, seconds since 1970."

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of all required files."""
        return (self.movies, self.ratings, *self.others)


def csv_movies(source: Source, report: Report) -> Iterator[Row]:
    """Yield the rows of movies.csv: movieId,title,genres."""
    for line, row in Table(TextFile(source), "movieId title genres").rows(report.movies, report):
        yield line, [*row, ""]


def csv_ratings(file: TextFile, report: Report) -> Iterator[Row]:
    """Return the rows of ratings.csv: userId,movieId,rating,timestamp."""
    return Table(file, "userId movieId rating timestamp").rows(report.ratings, report)


def dat_movies(source: Source, report: Report) -> Iterator[Row]:
    """Yield the rows of movies.dat: MovieID::Title::Genres, in UTF-8 (10m) or else in Latin-1 (1m)."""
    is_utf8 = not any(fields.UNUSABLE_TEXT.search(line) for line in TextFile(source).lines())
    for line, row in TextFile(source, "utf-8-sig" if is_utf8 else "latin-1").rows("::", 3, report.movies, report):
        yield line, [*row, ""]


def dat_ratings(file: TextFile, report: Report) -> Iterator[Row]:
    """Return the rows of ratings.dat: UserID::MovieID::Rating::Timestamp."""
    return file.rows("::", 4, report.ratings, report)


def item_movies(source: Source, report: Report) -> Iterator[Row]:
    """Yield the rows of u.item: id|title|release date|video release date|IMDb URL|19 flags, in Latin-1."""
    file = TextFile(source, "latin-1")
    for line, (movie, title, day, _, _, *flags) in file.rows("|", 24, report.movies, report):
        genres = [genre for genre, flag in zip(GENRES_100K.split("|"), flags, strict=True) if flag == "1"]
        yield line, [movie, title, "|".join(genres), day]


def data_ratings(file: TextFile, report: Report) -> Iterator[Row]:
    """Return the rows of u.data: user, item, rating and timestamp, separated by tabs."""
    return file.rows("\t", 4, report.ratings, report)


FORMATS = (
    Format("latest, 20m to 32m", "movies.csv", "ratings.csv", (LINKS,), csv_movies, csv_ratings),
    Format("1m, 10m", "movies.dat", "ratings.dat", (), dat_movies, dat_ratings),
    Format("100k", "u.item", "u.data", (), item_movies, data_ratings),
)
FILES = tuple(name for each in FORMATS for name in each.files)


def detect_format(path: Path, files: Mapping[str, Source]) -> Format:
    """Return the format whose required files are all present.

    Raises:
        BrokenDataset: there is none; the message names the wanted and the found files.
    """
    for each in FORMATS:
        if files.keys() >= set(each.files):
            return each
    wanted = "; or ".join(f"{', '.join(each.files)} ({each.name})" for each in FORMATS)
    raise BrokenDataset(f"{path} is no MovieLens data set. Looked for {wanted}. Found {join_names(files)}.")
