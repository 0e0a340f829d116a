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
from recsite.ratings.importers.report import Count, Refused, Report

MAX_LINE = 1_000_000
"Characters. Longer lines are read in pieces, which bounds the memory for a file without line ends."
MAX_COLUMNS = 1000
MAX_LINE_SHOWN = 80
"Characters of a line in a message."
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", "::": "double colons"}
ENCODING_NAMES = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252"}
Row = tuple[int, list[str]]
"Number of the row's first line, from 1, and its fields."


class Table(Protocol):
    """Rows of text under a header."""

    name: str
    header: list[str]
    form: str
    "What the file is, as in 'text in UTF-8 between commas'."

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
        self.file, self.name, self.most_lines, self.has_header = file, file.name, most_lines, header is None
        self.encoding = check_encoding(encoding) if encoding else find_encoding(file)
        self.lines_before_rows = 0
        with contextlib.closing(self.lines()) as lines:
            first, told = self.find_first_line(lines)
            self.has_plain_ends = first.endswith("\n")
            self.separator = separator or told or max(SEPARATORS, key=first.count)
            self.header = list(header or ()) or self.read_header(first, lines)
        encoding_name = ENCODING_NAMES.get(self.encoding, self.encoding.upper())
        self.form = f"text in {encoding_name} between {SEPARATORS.get(self.separator, repr(self.separator))}"
        if header and len(first.split(self.separator)) != len(header):
            raise BrokenDataset(
                f"{file} should have {len(header)} fields a line between {SEPARATORS[self.separator]}, "
                f"but its first line is {quote_line(first)}."
            )

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
        try:
            reader = csv.reader(itertools.chain([first], lines), delimiter=self.separator)
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
        records = self.read_quoted(lines) if self.has_header else self.split(lines)
        for number, fields in records:
            if fields is None:
                count.read += 1
                report.refuse(count, self.name, before + number, Refused("a quoted field has no end"))
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

    def split(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str] | None]]:
        """Yield the fields of each line, without quotes."""
        for number, line in enumerate(lines, 1):
            yield number, line.rstrip("\r\n").split(self.separator)

    def read_quoted(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str] | None]]:
        """Yield the fields of each row, None for an unclosed quote, with the number of its first line."""
        reader = csv.reader(lines, delimiter=self.separator)
        while True:
            number = reader.line_num + 1
            try:
                yield number, next(reader)
            except StopIteration:
                return
            except csv.Error:
                # A quoted field ends at csv.field_size_limit(), 131,072 characters, and reading goes on after it. A
                # larger limit would only lose more rows.
                yield number, None


class RecordTable:
    """A table whose rows are in memory."""

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


def no_column(table: Table, column: str) -> str:
    """Return the message for a table without a column."""
    return f"{table.name} has no column {column!r}; its first line is {quote_line(','.join(table.header))}."


def quote_line(line: str) -> str:
    """Return the beginning of a line for a message."""
    return "no text" if UNUSABLE_TEXT.search(line) else repr(line[:MAX_LINE_SHOWN].rstrip())
