"""What stands in a file of somebody's own ratings: MovieLens', Letterboxd's, this site's, or like one of these."""

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from recsite.errors import BrokenDataset
from recsite.ratings.importers import fields
from recsite.ratings.importers.movielens import title_and_year
from recsite.ratings.importers.report import Refused, Report
from recsite.ratings.importers.source import Sent, Table, TextFile
from recsite.storage.tables import now

MOST_ROWS = 50_000
LARGEST_UNPACKED = 32 * 1024 * 1024
"Bytes of a file in a zip."
LOOKED_FOR = ("ratings.csv", "diary.csv")
"In a zip, the first of these that is there; Letterboxd's diary has the ratings of single viewings."
COLUMNS = "tmdbId imdbId movieId name|title year timestamp|date userId"


@dataclass(frozen=True)
class Entry:
    """One rating of the file; the movie is named by an id, or by title and year, or by both."""

    line: int
    value: float
    "In stars."
    at: datetime | None
    own_id: int | None
    "The id that the movie has here, which is TMDB's."
    imdb_id: str | None
    movielens_id: int | None
    title: str
    year: int | None

    @property
    def label(self) -> str:
        """How the file calls the movie."""
        if self.title:
            return f"{self.title} ({self.year})" if self.year else self.title
        ids = (("TMDB", self.own_id), ("IMDb", self.imdb_id), ("MovieLens", self.movielens_id))
        return ", ".join(f"{kind} {each}" for kind, each in ids if each)


@dataclass(frozen=True)
class FileContent:
    """What a file holds."""

    entries: list[Entry]
    unrated: int
    "Rows without a rating: films that were only watched."
    users: int
    "How many people's ratings the file says it has; 0 where it says nothing."
    report: Report
    "With the rows that could not be taken."


def read(file_name: str, content: bytes) -> FileContent:
    """The ratings of a CSV file, or of the one in a zip; raises BrokenDataset, saying what the file should be."""
    file = TextFile(unpacked(content) if content.startswith(b"PK") else Sent(file_name, content))
    report = Report()
    table = Table(file, "rating", optional=COLUMNS, delimiters=",;\t")
    if not any(table.has(name) for name in ("tmdbId", "imdbId", "movieId", "name|title")):
        raise BrokenDataset(
            f"{file.name} names no movies; it needs a column movieId, tmdbId or imdbId, or Name (or title) and Year."
        )
    is_ours = "movie_id" in table.header
    entries, unrated, users = [], 0, set()
    for line, row in table.rows(report.ratings, report):
        if report.ratings.read > MOST_ROWS:
            raise BrokenDataset(f"{file.name} has more than {MOST_ROWS:,} rows; divide it into several files.")
        users.update({row[-1]} - {""})
        if not row[0].strip():
            unrated += 1
            continue
        try:
            entries.append(entry_of(line, row, is_ours))
        except Refused as refused:
            report.refuse(report.ratings, file.name, line, refused)
    return FileContent(entries, unrated, len(users), report)


def entry_of(line: int, row: list[str], is_ours: bool) -> Entry:
    """The row as an entry; raises Refused."""
    rating, tmdb, imdb, movie, titled, year_given, time, _ = row
    title, year = title_and_year(fields.one_line(titled, "title", 500)) if titled.strip() else ("", None)
    movie_id = fields.whole_id(movie, "movie id") if movie.strip() else None
    tmdb_id = fields.whole_id(tmdb, "tmdb id") if tmdb.strip() else None
    entry = Entry(
        line=line,
        value=fields.stars(rating.strip()),
        at=past(time),
        own_id=tmdb_id or (movie_id if is_ours else None),
        imdb_id=fields.imdb_id(imdb),
        movielens_id=None if is_ours else movie_id,
        title=title,
        year=whole_year(year_given) or year,
    )
    if not entry.label:
        raise Refused("the row names no movie")
    return entry


def past(text: str) -> datetime | None:
    """The time, which may lie a day ahead, for clocks and zones differ."""
    at = fields.moment(text)
    if at is not None and at > now() + timedelta(days=1):
        raise Refused("the rating is from the future", text)
    return at


def whole_year(text: str) -> int | None:
    """A year such as 1999; None for nothing."""
    text = text.strip().removesuffix(".0")
    if text and not re.fullmatch("[12][0-9]{3}", text):
        raise Refused("year is not a year such as 1999", text)
    return int(text) if text else None


def unpacked(content: bytes) -> Sent:
    """The file of ratings in a zip, which lies at the top or in a folder there; raises BrokenDataset."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            name = next(ratings_in(archive.namelist()), None)
            if name is None:
                raise BrokenDataset(f"The zip has no {' and no '.join(LOOKED_FOR)} in it.")
            if archive.getinfo(name).file_size > LARGEST_UNPACKED:
                raise BrokenDataset(f"{name} is larger than {LARGEST_UNPACKED // 2**20} MB once unpacked.")
            return Sent(PurePosixPath(name).name, archive.read(name))
    # zipfile raises RuntimeError for an encrypted file and for a way of packing that it does not know.
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError) as error:
        raise BrokenDataset(f"The zip cannot be read: {error}.") from error


def ratings_in(names: list[str]) -> Iterator[str]:
    """The files that may hold the ratings, the likeliest first.

    Letterboxd puts what was deleted into a folder of its own; a zip with one folder for everything is somebody's own.
    """
    for wanted in LOOKED_FOR:
        if wanted in names:
            yield wanted
        for name in names:
            folder, _, last = name.rpartition("/")
            if last == wanted and folder and "/" not in folder and folder not in ("deleted", "orphaned", "__MACOSX"):
                yield name
