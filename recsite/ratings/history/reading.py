"""Reader of a user's own file of ratings: MovieLens, Letterboxd, this site's export, or a similar CSV."""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from recsite.errors import BrokenDataset
from recsite.ratings.importers import archives, fields
from recsite.ratings.importers.movielens import split_title
from recsite.ratings.importers.report import Refused, Report
from recsite.ratings.importers.source import Table, TextFile, UploadedFile
from recsite.storage.tables import now

MAX_ROWS = 50_000
MAX_LINES = 4 * MAX_ROWS
"Lines, because a quoted field may have several. Empty lines take time, too."
MAX_UNPACKED_BYTES = 8 * 1024 * 1024
MAX_TITLE = 200
"Characters. The longest known title of a film has 168."
RATING_FILES = ("ratings.csv", "diary.csv")
"The first of these in a zip is read. Letterboxd's diary has the ratings of single viewings."
COLUMNS = "tmdbId imdbId movieId name|title year timestamp|date userId"
CLOCK_TOLERANCE = timedelta(days=1)
"How far a rating's time may lie in the future, because clocks and time zones differ."
IGNORED_FOLDERS = ("deleted", "orphaned", "__MACOSX")
"Letterboxd puts deleted entries into the first two."


@dataclass(frozen=True)
class Entry:
    """One rating of a file; an id, a title with year, or both name the movie."""

    line: int
    value: float
    "In stars."
    at: datetime | None
    own_id: int | None
    "The movie's id on this site, which is TMDB's."
    imdb_id: str | None
    movielens_id: int | None
    title: str
    year: int | None

    @property
    def label(self) -> str:
        """Return the movie's name in the file, '' without one."""
        if self.title:
            return f"{self.title} ({self.year})" if self.year else self.title
        ids = (("TMDB", self.own_id), ("IMDb", self.imdb_id), ("MovieLens", self.movielens_id))
        return ", ".join(f"{kind} {each}" for kind, each in ids if each)


@dataclass(frozen=True)
class FileContent:
    """Ratings read from a file."""

    entries: list[Entry]
    unrated: int
    "Rows without a rating, such as movies that were only watched."
    users: int
    "Number of users; 0 without a column of users."
    report: Report
    "The report of the refused rows."


def read(file_name: str, content: bytes) -> FileContent:
    """Read the ratings of a CSV file, or of the one in a zip.

    Raises:
        BrokenDataset: no ratings can be read; the message says what the file should have.
    """
    source = unpack(content) if content.startswith(b"PK") else UploadedFile(file_name, content)
    file = TextFile(source, most_lines=MAX_LINES)
    report = Report()
    table = Table(file, "rating", optional=COLUMNS, delimiters=",;\t")
    if not any(table.has(name) for name in ("tmdbId", "imdbId", "movieId", "name|title")):
        raise BrokenDataset(
            f"{file.name} names no movies; it needs a column movieId, tmdbId or imdbId, or Name (or title) and Year."
        )
    is_own_export = "movie_id" in table.header
    entries, unrated, users = [], 0, set()
    for line, row in table.rows(report.ratings, report):
        if report.ratings.read > MAX_ROWS:
            raise BrokenDataset(f"{file.name} has more than {MAX_ROWS:,} rows; divide it into several files.")
        users.update({row[-1]} - {""})
        if not row[0].strip():
            unrated += 1
            continue
        try:
            entries.append(parse_entry(line, row, is_own_export))
        except Refused as refused:
            report.refuse(report.ratings, file.name, line, refused)
    return FileContent(entries, unrated, len(users), report)


def parse_entry(line: int, row: list[str], is_own_export: bool) -> Entry:
    """Return the row as an entry; raise Refused for an unusable field or without a movie.

    `is_own_export` says that the column of movie ids has TMDB ids instead of MovieLens ids.
    """
    rating, tmdb, imdb, movie, full_title, year_text, time, _ = row
    title, year = split_title(fields.one_line(full_title, "title", MAX_TITLE)) if full_title.strip() else ("", None)
    movie_id = fields.whole_id(movie, "movie id") if movie.strip() else None
    tmdb_id = fields.whole_id(tmdb, "tmdb id") if tmdb.strip() else None
    entry = Entry(
        line=line,
        value=fields.stars(rating.strip()),
        at=parse_past_time(time),
        own_id=tmdb_id or (movie_id if is_own_export else None),
        imdb_id=fields.imdb_id(imdb),
        movielens_id=None if is_own_export else movie_id,
        title=title,
        year=parse_year(year_text) or year,
    )
    if not entry.label:
        raise Refused("the row names no movie")
    return entry


def parse_past_time(text: str) -> datetime | None:
    """Return the time, None for an empty field; raise Refused if it is invalid or beyond CLOCK_TOLERANCE."""
    at = fields.moment(text)
    if at is not None and at > now() + CLOCK_TOLERANCE:
        raise Refused("the rating is from the future", text)
    return at


def parse_year(text: str) -> int | None:
    """Return a year from 1000 to 2999, None for an empty field; raise Refused for another text."""
    text = text.strip().removesuffix(".0")
    if text and not re.fullmatch("[12][0-9]{3}", text):
        raise Refused("year is not a year such as 1999", text)
    return int(text) if text else None


def unpack(content: bytes) -> UploadedFile:
    """Return the file of ratings in a zip; raise BrokenDataset if it is missing, unreadable or too large."""
    archives.check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            name = next(find_rating_files(archive.namelist()), None)
            if name is None:
                raise BrokenDataset(f"The zip has no {' and no '.join(RATING_FILES)} in it.")
            return UploadedFile(PurePosixPath(name).name, archives.read_file(archive, name, MAX_UNPACKED_BYTES))
    except archives.READ_ERRORS as error:
        raise BrokenDataset(f"The zip cannot be read: {error}.") from error


def find_rating_files(names: list[str]) -> Iterator[str]:
    """Yield possible files of ratings, the most likely first: at the top level, then in one folder."""
    for wanted in RATING_FILES:
        if wanted in names:
            yield wanted
        for name in names:
            folder, _, last = name.rpartition("/")
            if last == wanted and folder and "/" not in folder and folder not in IGNORED_FOLDERS:
                yield name
