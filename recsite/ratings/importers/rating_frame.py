"""The ratings of a file in columns of numbers: each different user, movie and rating is parsed once, not each row."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from recsite.errors import BrokenDataset
from recsite.ml.progress import Progress
from recsite.ratings.importers import scales, times
from recsite.ratings.importers.frames import LINE, Position, read_frames
from recsite.ratings.importers.headings import MOVIE_COLUMNS, check_headings, has_movie
from recsite.ratings.importers.report import REFUSALS_KEPT, Count, Refusal, Refused, Report, printable
from recsite.ratings.importers.scales import Scale
from recsite.ratings.importers.tables import Table, no_column

MAX_RATING_TEXTS = 100_000
"Different texts in the column of ratings."
PLAIN_NUMBERS = ((r"^([1-9]\d{8,9})(?:\.0*)?$", 10**6), (r"^([1-9]\d{11,12})$", 10**3))
"""Plain seconds since 1970, from 1973 on (eight digits may be a day), and milliseconds; with their microseconds.

Other spellings are parsed one by one, which takes a minute for ten million different ones.
"""
ISO_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d")
MICROSECONDS = pl.Datetime("us", "UTC")

T = TypeVar("T")


class Texts:
    """The different texts of one or more columns, numbered in the order in which they were first seen."""

    def __init__(self, columns: Sequence[str], code: str) -> None:
        self.columns, self.code = list(columns), code
        schema = dict.fromkeys(self.columns, pl.String) | {code: pl.UInt32}
        self.known = pl.DataFrame(schema=schema)

    def encode(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with the number of each row's texts in the column `code`, in the same order."""
        seen = frame.select(self.columns).unique(maintain_order=True)
        new = seen.join(self.known, on=self.columns, how="anti")
        numbers = pl.int_range(len(self.known), len(self.known) + pl.len(), dtype=pl.UInt32).alias(self.code)
        self.known = pl.concat([self.known, new.with_columns(numbers)])
        return frame.join(self.known, on=self.columns, how="left", maintain_order="left")

    def rows(self) -> list[dict[str, str]]:
        """Return the texts by column, in the order of their numbers."""
        return self.known.select(self.columns).to_dicts()

    def column(self, name: str) -> list[str]:
        """Return the texts of one column, in the order of their numbers."""
        return self.known[name].to_list()


@dataclass
class RatingFrame:
    """The ratings of a file, before users and movies are known."""

    file_name: str
    rows: pl.DataFrame
    "Columns: line, user and movie (numbers of their texts), value (in stars), timestamp (UTC, null without one)."
    users: list[str]
    "Texts by number."
    movies: list[dict[str, str]]
    "Texts of the movie's columns by number, see `headings.MOVIE_COLUMNS`."
    scale: Scale


def read_ratings(
    table: Table,
    columns: Mapping[str, int],
    scale: Scale | None,
    report: Report,
    on_progress: Progress,
) -> RatingFrame:
    """Read all ratings of a table.

    Args:
        table: the table.
        columns: positions of its columns by meaning, see `headings.find_columns`; user and rating must be among them.
        scale: of the ratings; None finds it out from all of them.
        report: where unusable rows are recorded.
        on_progress: called after each block with the rows read and those expected.

    Raises:
        BrokenDataset: the file cannot be read, or its scale is not certain.
    """
    check_columns(table, columns)
    texts = FileTexts([name for name in MOVIE_COLUMNS if name in columns])
    wanted = {name: columns[name] for name in ("user", "rating", "timestamp", *MOVIE_COLUMNS) if name in columns}
    position, blocks = Position(table.size), []
    for frame in read_frames(table, wanted, report.ratings, report, position):
        blocks.append(texts.encode(frame))
        if len(texts.ratings.known) > MAX_RATING_TEXTS:
            raise BrokenDataset(f"{table.name} has too many different ratings; is another column meant?")
        on_progress(report.ratings.read, position.expected_rows(report.ratings.read))
    if not blocks:
        raise BrokenDataset(f"{table.name} has no ratings in it.")
    rows = pl.concat(blocks, how="diagonal")
    rows, scale = with_values(rows, texts.ratings.column("rating"), scale, table.name, report)
    rows = with_times(rows, texts.odd_times.column("timestamp"), table.name, report)
    on_progress(report.ratings.read, report.ratings.read)
    rows = rows.select(
        LINE, pl.col("user_number").alias("user"), pl.col("movie_number").alias("movie"), "value", "timestamp"
    )
    return RatingFrame(table.name, rows, texts.users.column("user"), texts.movies.rows(), scale)


def check_columns(table: Table, columns: Mapping[str, int]) -> None:
    """Raise BrokenDataset unless there is one column each for users, movies and ratings."""
    has_column = {"user_id": "user" in columns, "movie_id": has_movie(columns), "rating": "rating" in columns}
    for name, is_there in has_column.items():
        if not is_there:
            raise BrokenDataset(no_column(table, name))
    check_headings(table.header, table.name)


class FileTexts:
    """The different texts of a file of ratings, by column."""

    def __init__(self, movie_columns: Sequence[str]) -> None:
        self.users = Texts(["user"], "user_number")
        self.movies = Texts(movie_columns, "movie_number")
        self.ratings = Texts(["rating"], "rating_number")
        self.odd_times = Texts(["timestamp"], "odd_time")

    def encode(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the numbers of the texts in place of them, with `at` and `odd_time` if there is a column of times."""
        if "timestamp" in frame.columns:
            frame = parse_plain_times(frame, self.odd_times)
        for texts in (self.users, self.movies, self.ratings):
            frame = texts.encode(frame)
        times_read = [name for name in ("at", "odd_time") if name in frame.columns]
        return frame.select(LINE, "user_number", "movie_number", "rating_number", *times_read)


def parse_plain_times(frame: pl.DataFrame, odd_times: Texts) -> pl.DataFrame:
    """Return the frame with `at` for seconds and ISO times, and `odd_time`, the number of another text, else null."""
    text = pl.col("timestamp")
    frame = frame.with_columns(pl.lit(None, MICROSECONDS).alias("at"))
    for pattern, microseconds in PLAIN_NUMBERS:
        if frame["at"].null_count():
            number = (text.str.extract(pattern, 1).cast(pl.Int64) * microseconds).cast(MICROSECONDS)
            frame = frame.with_columns(pl.coalesce("at", number).alias("at"))
    for form in ISO_FORMS:
        if not frame["at"].null_count():
            break
        found = text.str.to_datetime(form, time_unit="us", strict=False, exact=True).dt.replace_time_zone("UTC")
        frame = frame.with_columns(pl.coalesce("at", found).alias("at"))
    # Times before 1970 go the careful way, which refuses them.
    is_plain = pl.col("at") >= times.EPOCH
    frame = frame.with_columns(pl.when(is_plain).then("at").alias("at"))
    odd = odd_times.encode(frame.filter(pl.col("at").is_null() & (text != "")).select("timestamp").unique())
    return frame.join(
        odd.with_columns(pl.lit(None, MICROSECONDS).alias("at")),
        on=["timestamp", "at"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )


def with_values(
    rows: pl.DataFrame, texts: Sequence[str], scale: Scale | None, file_name: str, report: Report
) -> tuple[pl.DataFrame, Scale]:
    """Return the rows with `value` in stars, without the refused ones, and the scale."""
    numbers = dict(rows["rating_number"].value_counts().iter_rows())
    counts: Counter[str] = Counter()
    for number, text in enumerate(texts):
        counts[text] += numbers.get(number, 0)
    scale = scale or scales.find_scale(counts, file_name)
    rows = parse_texts(
        rows, "rating_number", "value", texts, lambda text: scales.stars(text, scale), file_name, report, report.ratings
    )
    return rows.with_columns(pl.col("value").cast(pl.Float32)), scale


def with_times(rows: pl.DataFrame, texts: Sequence[str], file_name: str, report: Report) -> pl.DataFrame:
    """Return the rows with `timestamp`, null where the file gives none that can be understood."""
    if "at" not in rows.columns:
        return rows.with_columns(pl.lit(None, MICROSECONDS).alias("timestamp"))
    day_first = times.has_day_first(texts)
    has_day_numbers = rows["at"].is_null().all() and times.are_day_numbers(texts)
    if texts:
        rows = parse_texts(
            *(rows, "odd_time", "found", texts),
            lambda text: times.moment(text, day_first, has_day_numbers=has_day_numbers),
            *(file_name, report, None),
        )
        rows = rows.with_columns(pl.coalesce("at", pl.col("found").cast(MICROSECONDS)).alias("at"))
    return rows.rename({"at": "timestamp"})


def parse_texts(
    rows: pl.DataFrame,
    code: str,
    result: str,
    texts: Sequence[T],
    parse: Callable[[T], object],
    file_name: str,
    report: Report,
    count: Count | None,
) -> pl.DataFrame:
    """Return the rows with what `parse` makes of the text that the column `code` numbers, in the column `result`.

    Where `parse` raises Refused, rows are recorded, and dropped unless `count` is None: an optional field is null.
    """
    values: list[object] = []
    refused: dict[int, Refused] = {}
    for number, text in enumerate(texts):
        try:
            values.append(parse(text))
        except Refused as error:
            refused[number] = error
            values.append(None)
    found = pl.DataFrame(
        {code: pl.Series(range(len(values)), dtype=pl.UInt32), result: pl.Series(values, strict=False)}
    )
    if refused:
        record(rows, code, refused, file_name, report, count)
        if count is not None:
            rows = rows.filter(~pl.col(code).is_in(list(refused)))
    return rows.join(found, on=code, how="left", maintain_order="left").drop(code)


def record(
    rows: pl.DataFrame, code: str, refused: Mapping[int, Refused], file_name: str, report: Report, count: Count | None
) -> None:
    """Record the rows whose text is refused, by reason."""
    reasons = pl.DataFrame(
        {
            code: pl.Series(list(refused), dtype=pl.UInt32),
            "reason": [error.reason for error in refused.values()],
            "given": [printable(error.given) for error in refused.values()],
        }
    )
    affected = rows.select(LINE, code).join(reasons, on=code)
    for (reason,), group in affected.group_by("reason"):
        first = group.sort(LINE).head(REFUSALS_KEPT)
        refusals = [Refusal(file_name, line, given) for line, given in first.select(LINE, "given").iter_rows()]
        if count is None:
            report.empty(len(group), str(reason), refusals)
        else:
            report.refuse_rows(count, len(group), str(reason), refusals)
