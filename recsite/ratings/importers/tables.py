"""Tables of text: CSV with any usual separator, and the files of MovieLens that have no header."""

import contextlib
import csv
import io
import itertools
from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from recsite.errors import BrokenDataset
from recsite.ratings.importers.encodings import check_encoding, find_encoding
from recsite.ratings.importers.fields import UNUSABLE_TEXT
from recsite.ratings.importers.files import File
from recsite.ratings.importers.headings import normalize
from recsite.ratings.importers.report import Count, Refusal, Refused, Report

MAX_LINE = 1_000_000
"Characters. Longer lines are read in pieces, which bounds the memory for a file without line ends."
MAX_COLUMNS = 1000
MAX_LINE_SHOWN = 80
"Characters of a line in a message."
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", "::": "double colons", " ": "blanks"}
ENCODING_NAMES = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252"}
END = "\ue000end\ue000"
"Follows the last line, so that a quote without an end shows."
Row = tuple[int, list[str]]
"Number of the row's first line, from 1, and its fields."


class Table(Protocol):
    """Rows of text under a header."""

    name: str
    header: list[str]
    form: str
    "What the file is, as in 'text in UTF-8 between commas'."
    size: int
    "Stored bytes, for the progress; 0 for rows in memory."

    def rows(self, count: Count, report: Report) -> Iterator[Row]:
        """Yield the rows, with as many fields as the header has; refuse others."""


class TextTable:
    """A text file with one row a line, or a row on several lines where quotes say so.

    Args:
        file: the file.
        encoding: its encoding; None finds it out.
        header: names for the columns of a file without a header, which has no quotes either.
        separator: what stands between the fields; None finds it out from the header.
        most_lines: a longer file raises BrokenDataset.

    Raises:
        BrokenDataset: the file cannot be read, is empty, or has no header.
    """

    def __init__(
        self,
        file: File,
        encoding: str | None = None,
        header: Sequence[str] | None = None,
        separator: str | None = None,
        most_lines: int | None = None,
    ) -> None:
        self.file, self.name, self.size, self.most_lines = file, file.name, file.size, most_lines
        self.has_header = header is None
        self.encoding = check_encoding(encoding) if encoding else find_encoding(file)
        self.lines_before_rows = 0
        with contextlib.closing(self.lines()) as lines:
            first, told = self.find_first_line(lines)
            self.has_plain_ends = first.endswith("\n")
            self.separator = separator or told or find_separator(first)
            self.has_quotes = self.has_header and len(self.separator) == 1
            self.header = list(header or ()) or self.read_header(first, lines)
        encoding_name = ENCODING_NAMES.get(self.encoding, self.encoding.upper())
        self.form = f"text in {encoding_name} between {SEPARATORS.get(self.separator, repr(self.separator))}"
        if header and len(first.split(self.separator)) != len(header):
            raise BrokenDataset(
                f"{file} should have {len(header)} fields a line between {SEPARATORS[self.separator]}, "
                f"but its first line is {quote_line(first)}."
            )

    @property
    def is_plain(self) -> bool:
        """Return whether Polars may read it: of several blanks in a row only the first separates."""
        return self.encoding == "utf-8-sig" and self.has_plain_ends and self.separator != " "

    def lines(self) -> Generator[str]:
        """Yield each line with its end; invalid bytes become surrogates.

        Raises:
            BrokenDataset: reading fails, or the file has more than `most_lines` lines.
        """
        with (
            self.file.open() as opened,
            io.TextIOWrapper(opened.stream, self.encoding, errors="surrogateescape", newline="") as text,
        ):
            try:
                lines = iter(lambda: text.readline(MAX_LINE), "")
                yield from itertools.islice(lines, self.most_lines)
                is_longer = next(lines, None) is not None
            except UnicodeError as error:
                raise BrokenDataset(
                    f"{self.file} is not in {self.encoding}; say with --encoding what it is in."
                ) from error
        if is_longer:
            raise BrokenDataset(f"{self.file} has more than {self.most_lines:,} lines; divide it into several files.")

    def find_first_line(self, lines: Iterator[str]) -> tuple[str, str | None]:
        """Return the first line with text, and the separator of a line before it such as 'sep=;', which Excel reads."""
        told = None
        for number, line in enumerate(lines):
            if line.lower().startswith("sep=") and len(line.rstrip("\r\n")) == 5:
                told = line[4]
            elif line.strip():
                self.lines_before_rows = number
                return line, told
        wanted = "its first line should name the columns" if self.has_header else "it should have rows"
        raise BrokenDataset(f"{self.file} is empty; {wanted}.")

    def read_header(self, first: str, lines: Iterator[str]) -> list[str]:
        """Return the names in the first row; raise BrokenDataset if it cannot be the header of a table."""
        if not self.has_quotes:
            self.lines_before_rows += 1
            return [name.strip() for name in first.split(self.separator)]
        try:
            reader = csv.reader(itertools.chain([first], lines), delimiter=self.separator, skipinitialspace=True)
            header = [name.strip() for name in next(reader)]
        except (csv.Error, TypeError) as error:
            raise BrokenDataset(f"{self.file} has no header that can be read: {error}.") from error
        if len(header) > MAX_COLUMNS:
            raise BrokenDataset(f"{self.file} has more than {MAX_COLUMNS:,} columns; it is no table of ratings.")
        self.lines_before_rows += reader.line_num
        return header

    def rows(self, count: Count, report: Report) -> Iterator[Row]:
        """Yield the rows, with as many fields as the header has; refuse others."""
        with contextlib.closing(self.lines()) as lines:
            for _ in itertools.islice(lines, self.lines_before_rows):
                pass
            yield from self.parse(lines, self.lines_before_rows, count, report)

    def parse(self, lines: Iterator[str], before: int, count: Count, report: Report) -> Iterator[Row]:
        """Yield the rows of these lines, of which `before` others stand before; refuse unusable ones."""
        records = self.read_quoted(lines) if self.has_quotes else self.split(lines)
        for number, fields in records:
            if isinstance(fields, int):
                # Each of these lines may be a row, and all of them are lost.
                count.read += fields
                first = Refusal(self.name, before + number, "")
                report.refuse_rows(count, fields, "a quoted field has no end", [first])
                continue
            if not any(fields):
                continue
            count.read += 1
            if len(fields) == len(self.header):
                yield before + number, fields
            else:
                given = self.separator.join(fields)
                report.refuse(count, self.name, before + number, Refused(self.width_message(), given))

    def width_message(self) -> str:
        """Return why a row with another number of fields is refused."""
        if self.has_header:
            return "the row does not have as many fields as the first line"
        return f"the row does not have {len(self.header)} fields"

    def split(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str] | int]]:
        """Yield the fields of each line, without quotes."""
        for number, line in enumerate(lines, 1):
            yield number, line.rstrip("\r\n").split(self.separator)

    def read_quoted(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str] | int]]:
        """Yield the fields of each row, or the lines that an unclosed quote takes, with the first line's number."""
        reader = csv.reader(itertools.chain(lines, [END]), delimiter=self.separator, skipinitialspace=True)
        while True:
            number = reader.line_num + 1
            try:
                fields = next(reader)
            except csv.Error:
                # A quoted field ends at csv.field_size_limit(), 131,072 characters, and reading goes on after it. A
                # larger limit would only lose more rows.
                yield number, reader.line_num + 1 - number
                continue
            if fields == [END]:
                return
            if fields and fields[-1].endswith(END):
                # The field that the file ends in.
                yield number, reader.line_num - number
                return
            yield number, fields


class RecordTable:
    """A table whose rows are in memory."""

    size = 0

    def __init__(self, name: str, form: str, header: list[str], records: list[list[str]]) -> None:
        self.name, self.form, self.header, self.records = name, form, header, records

    def rows(self, count: Count, _report: Report) -> Iterator[Row]:
        """Yield the rows, numbered from 1."""
        for number, record in enumerate(self.records, 1):
            count.read += 1
            yield number, list(record)


def select(table: Table, required: str, optional: str, count: Count, report: Report) -> Iterator[Row]:
    """Return the rows with these columns only, in this order; a missing optional column is ''.

    Args:
        table: the table.
        required: names of columns, separated by blanks; of names joined by '|' the first one found counts.
        optional: names of others.
        count: where rows are counted.
        report: where refused rows are recorded.

    Raises:
        BrokenDataset: a required column is missing.
    """
    header = [normalize(name) for name in table.header]
    places = []
    for column in (required + " " + optional).split():
        found = [header.index(name) for name in map(normalize, column.split("|")) if name in header]
        if not found and column in required.split():
            raise BrokenDataset(no_column(table, column))
        places.append(found[0] if found else len(header))
    return ((line, [[*row, ""][place] for place in places]) for line, row in table.rows(count, report))


def find_separator(header: str) -> str:
    """Return the separator that the header has most of; blanks only without another one, for names have them, too."""
    found = max((sign for sign in SEPARATORS if sign != " "), key=header.count)
    return found if found in header or " " not in header.strip() else " "


def no_column(table: Table, column: str) -> str:
    """Return the message for a table without a column."""
    return f"{table.name} has no column {column!r}; its first line is {quote_line(','.join(table.header))}."


def quote_line(line: str) -> str:
    """Return the beginning of a line for a message."""
    return "no text" if UNUSABLE_TEXT.search(line) else repr(line[:MAX_LINE_SHOWN].rstrip())
