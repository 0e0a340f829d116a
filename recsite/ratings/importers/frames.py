"""Tables of millions of rows, read by Polars in blocks; rows that are not plain go through Python's csv module.

Polars parses millions of rows a second, and it is lenient: it takes a row that is too short. So a block goes through
it only if every line has the right number of fields and quotes enclose whole fields.
"""

import contextlib
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import chain, islice

import polars as pl

from recsite.ratings.importers.files import Opened
from recsite.ratings.importers.report import Count, Report
from recsite.ratings.importers.tables import MAX_LINE, Row, Table, TextTable

BLOCK_BYTES = 2**23
BLOCK_ROWS = 200_000
UNIT_SEPARATOR = "\x1f"
"Stands in for '::', because Polars takes a separator of one byte."
LINE = "line"
"The column with the number of a row's first line."


class Position:
    """How far the reading of a file is, as a share of its bytes."""

    def __init__(self, size: int) -> None:
        self.size, self.done = size, 0

    def expected_rows(self, rows: int) -> int:
        """Return how many rows the whole file will have had, by the share that is read."""
        return rows if not self.done else max(rows, round(rows * self.size / self.done))


def read_frames(
    table: Table, columns: Mapping[str, int], count: Count, report: Report, position: Position
) -> Iterator[pl.DataFrame]:
    """Yield the rows in blocks, each with LINE and the wanted columns as text.

    Args:
        table: the table.
        columns: positions of the wanted columns by the names to give them.
        count: where rows are counted.
        report: where refused rows are recorded.
        position: is kept up to date.
    """
    if isinstance(table, TextTable) and table.is_plain:
        yield from read_blocks(table, columns, count, report, position)
        return
    for rows in batched_rows(table.rows(count, report)):
        yield to_frame(rows, columns)
    position.done = position.size


def batched_rows(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    """Yield the rows in blocks."""
    while block := list(islice(rows, BLOCK_ROWS)):
        yield block


def read_blocks(
    table: TextTable, columns: Mapping[str, int], count: Count, report: Report, position: Position
) -> Iterator[pl.DataFrame]:
    """Yield the frames of a file in UTF-8."""
    with table.file.open() as opened:
        line = table.lines_before_rows
        for _ in range(line):
            opened.stream.readline()
        while block := read_block(opened):
            position.done = opened.done
            lines = block.count(b"\n") + (not block.endswith(b"\n"))
            frame = read_plain(block, table)
            if frame is not None:
                frame = without_empty(frame.with_row_index(LINE, line + 1))
                count.read += len(frame)
                yield frame.select(LINE, *(pl.col(str(place)).alias(name) for name, place in columns.items()))
            else:
                rows, lines = read_carefully(block, opened, table, line, count, report)
                yield to_frame(rows, columns)
            line += lines


def read_block(opened: Opened) -> bytes:
    """Return the next BLOCK_BYTES up to the end of a line, b'' at the end of the file."""
    block = opened.stream.read(BLOCK_BYTES)
    return block if block.endswith(b"\n") or not block else block + opened.stream.readline(MAX_LINE)


def read_plain(block: bytes, table: TextTable) -> pl.DataFrame | None:
    """Return all columns of a block as text, or None if a line of it is not plain."""
    separator, width = table.separator.encode(), len(table.header)
    has_quotes = table.has_quotes and b'"' in block
    if has_quotes and not plain_lines(separator, width).fullmatch(block):
        return None
    separators = block.count(separator)
    if len(separator) > 1:
        if UNIT_SEPARATOR.encode() in block:
            return None
        block = block.replace(separator, UNIT_SEPARATOR.encode())
    try:
        frame = pl.read_csv(
            block,
            has_header=False,
            separator=UNIT_SEPARATOR if len(separator) > 1 else table.separator,
            quote_char='"' if has_quotes else None,
            schema={str(place): pl.String for place in range(width)},
            empty_string_is_null=False,
        )
    # A longer row, or invalid UTF-8.
    except pl.exceptions.PolarsError:
        return None
    # Polars refuses a longer row; a shorter one is missed here. Rows of other line ends would be counted wrongly.
    is_whole = has_quotes or separators == (width - 1) * len(frame)
    return frame if is_whole and b"\0" not in block and b"\r" not in block.replace(b"\r\n", b"") else None


def without_empty(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame without the rows of empty fields that spreadsheets write below a table."""
    if not (frame["0"] == "").any():
        return frame
    return frame.filter(pl.any_horizontal(pl.exclude(LINE) != ""))


def plain_lines(separator: bytes, width: int) -> re.Pattern[bytes]:
    """Return the pattern of lines with this many fields, each without quotes or within quotes."""
    sign = re.escape(separator)
    one = rb'(?:"[^"\n]*+"|[^"\n' + sign + rb"]*+)"
    return re.compile(rb"(?:%b(?:%b%b){%d}\r?(?:\n|\Z))*+" % (one, sign, one, width - 1))


def read_carefully(
    block: bytes, opened: Opened, table: TextTable, line: int, count: Count, report: Report
) -> tuple[list[Row], int]:
    """Return the rows of a block, and its number of lines with those after it that belong to its last row."""
    taken = total = 0

    def lines() -> Generator[str]:
        nonlocal taken, total
        # A single line may have Macintosh's line ends in it, and is taken whole.
        for part in chain([block], iter(lambda: opened.stream.readline(MAX_LINE), b"")):
            within = part.splitlines(keepends=True)
            total += len(within)
            for each in within:
                taken += 1
                yield each.decode("utf-8", "surrogateescape")

    rows = []
    with contextlib.closing(lines()) as source:
        for row in table.parse(source, line, count, report):
            rows.append(row)
            if taken >= total:
                break
    return rows, taken


def to_frame(rows: Sequence[Row], columns: Mapping[str, int]) -> pl.DataFrame:
    """Return the wanted columns of these rows; characters that no database takes become U+FFFD."""
    texts = {
        name: pl.Series(name, [storable(fields[place]) for _, fields in rows], dtype=pl.String)
        for name, place in columns.items()
    }
    return pl.DataFrame({LINE: pl.Series(LINE, [number for number, _ in rows], dtype=pl.UInt32), **texts})


def storable(text: str) -> str:
    """Return the text with invalid bytes and NUL as U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")
