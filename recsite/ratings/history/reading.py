"""Reader of a person's own ratings: exports of Letterboxd, IMDb, Trakt, MovieLens and this site, or a similar table."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recsite.errors import BrokenDataset
from recsite.ratings.history.rating_files import unpack
from recsite.ratings.importers import fields, scales, times
from recsite.ratings.importers.files import File, uploaded
from recsite.ratings.importers.headings import check_headings, find_columns, has_movie, normalize
from recsite.ratings.importers.movielens import split_title
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.records import open_table
from recsite.ratings.importers.report import Refused, Report
from recsite.ratings.importers.scales import Scale
from recsite.ratings.importers.tables import Table, no_column
from recsite.ratings.importers.times import is_null
from recsite.storage.tables import now

MAX_ROWS = 50_000
MAX_LINES = 4 * MAX_ROWS
"Lines, because a quoted field may have several. Empty lines take time, too."
MAX_TITLE = 200
"Characters. The longest known title of a film has 168."
CLOCK_TOLERANCE = timedelta(days=1)
"How far a rating's time may lie in the future, because clocks and time zones differ."
SERIES = frozenset(
    ("tvseries", "tvminiseries", "tvepisode", "series", "miniseries", "episode", "show", "season", "tv", "tvshow")
)
OTHERS = frozenset(("videogame", "podcastseries", "podcastepisode", "musicvideo"))
"Types of what is no film, as `normalize` writes them."
NO_FILM = "a series, an episode or a game, not a film"


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
    uri: str = ""
    "The film's address at Letterboxd."

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
    series: int
    "Rows about something that is no film."
    users: int
    "Number of users; 0 without a column of users."
    form: str
    "What the file was taken for."
    report: Report
    "The report of the refused rows."


def read_upload(file_name: str, content: bytes, options: Options | None = None) -> FileContent:
    """Read an uploaded file, within bounds of lines, rows and unpacked bytes.

    Raises:
        BrokenDataset: no ratings can be read; the message says what the file should have.
    """
    file = unpack(content) if content.startswith(b"PK") else uploaded(file_name, content)
    return read(file, options or Options(), MAX_LINES)


def read(file: File, options: Options, most_lines: int | None = None) -> FileContent:
    """Read a file of ratings.

    Raises:
        BrokenDataset: no ratings can be read; the message says what the file should have.
    """
    table = open_table(file, options.encoding, most_lines)
    columns = find_columns(table.header)
    is_letterboxd = "uri" in columns
    if "rating" not in columns and not is_letterboxd:
        raise BrokenDataset(no_column(table, "rating"))
    if not has_movie(columns):
        raise BrokenDataset(
            f"{file.name} names no movies; it needs a column movieId, tmdbId or imdbId, or Name (or title) and Year."
        )
    check_headings(table.header, table.name)
    report = Report()
    rows = read_rows(table, columns, report, MAX_ROWS if most_lines else None)
    name_titles(rows)
    series = [row for row in rows if normalize(row[1].get("type", "")) in SERIES | OTHERS]
    left = [row for row in rows if normalize(row[1].get("type", "")) not in SERIES | OTHERS]
    rated = [row for row in left if not is_null(row[1].get("rating", ""))]
    scale = options.scale or scale_of(table, [row["rating"] for _, row in rated])
    reader = EntryReader(
        table, columns, scale, find_time_parser([row.get("timestamp", "") for _, row in rated]), report
    )
    entries = [entry for line, row in rated if (entry := reader.read(line, row))]
    users = len({row["user"] for _, row in rows if not is_null(row.get("user", ""))})
    form = f"{table.name}: {table.form}, ratings {scale}"
    return FileContent(entries, len(left) - len(rated), len(series), users, form, report)


def check_has_ratings(content: FileContent, file_name: str) -> None:
    """Raise BrokenDataset if the file has no ratings of films, not even refused ones."""
    if content.entries or content.report.ratings.refused:
        return
    if content.unrated or content.series:
        kinds = "films without ratings" if content.unrated else "series and games"
        raise BrokenDataset(f"{file_name} has no ratings of films in it, only {kinds}.")
    raise BrokenDataset(f"{file_name} has no ratings in it.")


def read_rows(
    table: Table, columns: Mapping[str, int], report: Report, most_rows: int | None
) -> list[tuple[int, dict[str, str]]]:
    """Return the line and the fields by meaning of each row; raise BrokenDataset if there are too many rows."""
    rows = []
    for line, row in table.rows(report.ratings, report):
        if most_rows and report.ratings.read > most_rows:
            raise BrokenDataset(f"{table.name} has more than {most_rows:,} rows; divide it into several files.")
        rows.append((line, {meaning: row[place] for meaning, place in columns.items()}))
    return rows


def name_titles(rows: Sequence[tuple[int, dict[str, str]]]) -> None:
    """Make a column such as 'Film' one of titles if most of it is neither an id nor an address."""
    named = [row["movie"] for _, row in rows if not is_null(row.get("movie", ""))]
    texts = [text for text in named if not re.fullmatch(r"(?:[a-z]+:)?\S*\d", text.strip())]
    if len(texts) * 2 > len(named) and "title" not in rows[0][1]:
        for _, row in rows:
            row["title"] = row.pop("movie")


def scale_of(table: Table, ratings: Sequence[str]) -> Scale:
    """Return the scale that the headings tell, else the one that the ratings fit."""
    names = {normalize(name) for name in table.header}
    is_of_ten = names & {"const", "ratedat"} or {"tmdbid", "yourrating"} <= names
    if is_of_ten or ("rating10" in names and "rating" not in names):
        return scales.TEN
    return scales.find_scale(Counter(ratings), table.name) if ratings else scales.STARS


@dataclass
class EntryReader:
    """Makes entries of the rows of one table."""

    table: Table
    columns: Mapping[str, int]
    scale: Scale
    parse_time: Callable[[str], datetime | None]
    report: Report

    def __post_init__(self) -> None:
        names = {normalize(name) for name in self.table.header}
        self.has_film_uris = not names & {"rewatch", "watcheddate"}
        "Whether addresses name films; those of a diary name single viewings."

    def read(self, line: int, row: Mapping[str, str]) -> Entry | None:
        """Return the row as an entry, None if it is refused; an unusable optional field stays empty."""
        try:
            return self.parse(line, row)
        except Refused as refused:
            self.report.refuse(self.report.ratings, self.table.name, line, refused)
            return None

    def parse(self, line: int, row: Mapping[str, str]) -> Entry:
        """Return the row as an entry; raise Refused for an unusable rating or without a movie."""
        place = self.table.name, line
        value = scales.stars(row["rating"], self.scale)
        full_title = row.get("title", "")
        name = fields.one_line(full_title, "title", MAX_TITLE) if not is_null(full_title) else ""
        title, year = split_title(name) if name else ("", None)
        movie = row.get("movie", "")
        imdb = row.get("imdb", "") or (movie if movie.strip().startswith("tt") else "")
        own = row.get("tmdb", "") or ("" if movie.strip().startswith("tt") else movie)
        optional = self.report.optional
        entry = Entry(
            line=line,
            value=value,
            at=optional(self.parse_time, row.get("timestamp", ""), None, *place),
            own_id=optional(parse_id, own, None, *place),
            imdb_id=optional(fields.imdb_id, imdb, None, *place),
            movielens_id=optional(parse_id, row.get("movielens", ""), None, *place),
            title=title,
            year=optional(parse_year, row.get("year", ""), None, *place) or year or year_of(row.get("released", "")),
            uri=row.get("uri", "").strip()[:200] if self.has_film_uris else "",
        )
        if not entry.label:
            raise Refused("the row names no movie")
        return entry


def parse_id(text: str) -> int | None:
    """Return a movie's id; None for an empty field."""
    return None if is_null(text) else fields.whole_id(text, "movie id")


def find_time_parser(texts: Sequence[str]) -> Callable[[str], datetime | None]:
    """Return what parses the times of a column that has these texts."""
    day_first, has_day_numbers = times.has_day_first(texts), times.are_day_numbers(texts)

    def parse_past_time(text: str) -> datetime | None:
        """Return the time, None for an empty field; raise Refused if it is invalid or beyond CLOCK_TOLERANCE."""
        at = times.moment(text, day_first, has_day_numbers=has_day_numbers)
        if at is not None and at > now() + CLOCK_TOLERANCE:
            raise Refused("the rating is from the future", text)
        return at

    return parse_past_time


def parse_year(text: str) -> int | None:
    """Return a year from 1000 to 2999, None for an empty field; raise Refused for another text."""
    if is_null(text):
        return None
    text = text.strip().removesuffix(".0")
    if not re.fullmatch("[12][0-9]{3}", text):
        raise Refused("year is not a year such as 1999", text)
    return int(text)


def year_of(released: str) -> int | None:
    """Return the year of a day of release; None for another text."""
    try:
        found = times.day(released)
    except Refused:
        return None
    return found.year if found else None
