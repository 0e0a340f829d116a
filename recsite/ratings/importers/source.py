"""Readers of a file of a data set, or of one in a folder or zip, as lines, rows or a CSV table."""

import contextlib
import csv
import io
import itertools
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from recsite.errors import BrokenDataset
from recsite.ratings.importers import archives
from recsite.ratings.importers.fields import UNUSABLE_TEXT
from recsite.ratings.importers.report import Count, Refused, Report

MAX_LINE = 1_000_000
"Characters. Longer lines are read in pieces, which bounds the memory for a file without line ends."
MAX_COLUMNS = 1000
MAX_NAMES = 12
"File names in a message."
MAX_LINE_SHOWN = 80
"Characters of a line in a message."


@dataclass(frozen=True)
class UploadedFile:
    """An uploaded file in memory."""

    name: str
    content: bytes

    def open(self, _mode: str = "rb") -> IO[bytes]:
        """Return a stream of the bytes."""
        return io.BytesIO(self.content)

    def __str__(self) -> str:
        return self.name


Entry = Path | zipfile.Path
"A file or folder on disk or in a zip."
Source = Entry | UploadedFile
Row = tuple[int, list[str]]
"Number of the row's first line, from 1, and its fields."


@contextlib.contextmanager
def open_folder(path: Path, wanted: Sequence[str]) -> Iterator[dict[str, Entry]]:
    """Open a folder or zip and yield its files by name; raise BrokenDataset if it cannot be read.

    If it has none of the `wanted` names but a single folder, that folder's files are yielded.
    """
    try:
        archive = None if path.is_dir() else zipfile.ZipFile(path)
        files = list_files(zipfile.Path(archive) if archive else path, wanted)
    except FileNotFoundError as error:
        raise BrokenDataset(f"{path} does not exist.") from error
    except archives.READ_ERRORS as error:
        raise BrokenDataset(f"{path} is neither a folder nor a zip that can be read: {error}.") from error
    with archive or contextlib.nullcontext():
        yield files


@contextlib.contextmanager
def open_file(path: Path, name: str) -> Iterator[Source]:
    """Yield this file of a folder or zip, or the path itself if it is a file; raise BrokenDataset if there is none."""
    if path.is_file() and not zipfile.is_zipfile(path):
        yield path
        return
    with open_folder(path, [name]) as files:
        if name not in files:
            raise BrokenDataset(f"{path} has no {name}. Found {join_names(files)}.")
        yield files[name]


def list_files(folder: Entry, wanted: Sequence[str]) -> dict[str, Entry]:
    """Return the files by name, see `open_folder`. Names of folders end with '/'."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
    files = {entry.name: entry for entry in entries if entry.is_file()}
    folders = {f"{entry.name}/": entry for entry in entries if entry.is_dir()}
    if len(folders) == 1 and files.keys().isdisjoint(wanted):
        return list_files(next(iter(folders.values())), wanted)
    return files | folders


def join_names(files: Mapping[str, Source]) -> str:
    """Return the first MAX_NAMES names for a message."""
    names = sorted(files)
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more if names else "no files"


class TextFile:
    """A text file, read by lines, with its progress in bytes."""

    def __init__(self, source: Source, encoding: str = "utf-8-sig", most_lines: int | None = None) -> None:
        self.source = source
        self.name = source.name
        self.encoding = encoding
        self.most_lines = most_lines
        self.binary: IO[bytes] | None = None
        try:
            self.size = size_of(source)
        except OSError as error:
            raise BrokenDataset(f"{source} cannot be read: {error.strerror}.") from error

    @property
    def done(self) -> int:
        """Return the bytes read so far, of `size`."""
        if self.binary is None:
            return 0
        return self.size if self.binary.closed else self.binary.tell()

    def lines(self) -> Iterator[str]:
        """Yield each line with its line end; invalid bytes become surrogates.

        Raises:
            BrokenDataset: reading fails, or the file has more than `most_lines` lines.
        """
        if isinstance(self.source, zipfile.Path):
            archives.check_method(self.source.root.getinfo(self.source.at))
        lines = self.read_lines()
        yield from itertools.islice(lines, self.most_lines)
        if next(lines, None) is not None:
            raise BrokenDataset(f"{self.source} has more than {self.most_lines:,} lines; divide it into several files.")

    def read_lines(self) -> Iterator[str]:
        """Yield each line; raise BrokenDataset if reading fails."""
        try:
            with (
                self.source.open("rb") as binary,
                io.TextIOWrapper(binary, self.encoding, errors="surrogateescape", newline="") as text,
            ):
                self.binary = binary
                while line := text.readline(MAX_LINE):
                    yield line
        except archives.READ_ERRORS as error:
            raise BrokenDataset(f"{self.source} cannot be read: {error}.") from error

    def rows(self, separator: str, width: int, count: Count, report: Report) -> Iterator[Row]:
        """Yield the rows of a file without header and quotes; lines with another number of fields are refused.

        A first line with another number of fields, or none, raises BrokenDataset: the format is another.
        """
        number = 0
        for number, line in enumerate(self.lines(), 1):
            fields = line.rstrip("\r\n").split(separator)
            if number == 1 and len(fields) != width:
                raise BrokenDataset(
                    f"{self.source} should have {width} fields a line between {separator!r}, "
                    f"but its first line is {quote_line(line)}."
                )
            if fields == [""]:
                continue
            count.read += 1
            if len(fields) == width:
                yield number, fields
            else:
                report.refuse(count, self.name, number, Refused(f"the row does not have {width} fields", line))
        if number == 0:
            raise BrokenDataset(f"{self.source} is empty.")


def size_of(source: Source) -> int:
    """Return the size in bytes, unpacked for a file in a zip."""
    if isinstance(source, UploadedFile):
        return len(source.content)
    return source.root.getinfo(source.at).file_size if isinstance(source, zipfile.Path) else source.stat().st_size


class Table:
    """A CSV file with a header; columns are found by name, regardless of order, case and underscores.

    Args:
        file: the file.
        columns: names of required columns, separated by spaces. Of names joined by '|' the first one found is used.
        optional: names of columns whose fields are '' if the column is missing.
        delimiters: possible delimiters; the most frequent one in the first line is used.

    Raises:
        BrokenDataset: the file is empty or a required column is missing.
    """

    def __init__(self, file: TextFile, columns: str, optional: str = "", delimiters: str = ",") -> None:
        self.file = file
        lines = file.lines()
        first = next(lines, "")
        if not first.strip():
            raise BrokenDataset(f"{file.source} is empty; its first line should name {', '.join(columns.split())}.")
        self.reader = csv.reader(itertools.chain([first], lines), delimiter=max(delimiters, key=first.count))
        self.header = [name.strip() for name in self.read_header()]
        header = [normalize_name(name) for name in self.header]
        self.width = len(header)
        self.indices = []
        "Index of each column in a row; a missing one has that of the '' that `rows` appends."
        for column in columns.split() + optional.split():
            names = [normalize_name(name) for name in column.split("|")]
            found = [header.index(name) for name in names if name in header]
            if not found and column in columns.split():
                raise BrokenDataset(f"{file.source} has no column {column!r}; its first line is {quote_line(first)}.")
            self.indices.append(found[0] if found else self.width)

    def read_header(self) -> list[str]:
        """Return the fields of the first row; raise BrokenDataset if it cannot be the header of a table."""
        try:
            header = next(self.reader)
        except csv.Error as error:
            raise BrokenDataset(f"{self.file.source} has no header that can be read: {error}.") from error
        if len(header) > MAX_COLUMNS:
            raise BrokenDataset(f"{self.file.source} has more than {MAX_COLUMNS:,} columns; it is no table of ratings.")
        return header

    def has(self, column: str) -> bool:
        """Return whether the file has a column with one of these names, which '|' joins."""
        header = {normalize_name(name) for name in self.header}
        return any(normalize_name(name) in header for name in column.split("|"))

    def rows(self, count: Count, report: Report) -> Iterator[Row]:
        """Yield the requested columns; rows with another number of fields than the header are refused."""
        while True:
            line = self.reader.line_num + 1
            try:
                fields = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                # An unclosed quote ends at csv.field_size_limit(), 131,072 characters, and reading goes on after it. A
                # larger limit would only lose more rows.
                count.read += 1
                report.refuse(count, self.file.name, line, Refused("a quoted field has no end", str(error)))
                continue
            if not fields:
                continue
            count.read += 1
            if len(fields) != self.width:
                wrong = Refused("the row does not have as many fields as the first line", ",".join(fields))
                report.refuse(count, self.file.name, line, wrong)
                continue
            fields.append("")
            yield line, [fields[index] for index in self.indices]


def quote_line(line: str) -> str:
    """Return the beginning of a line for a message."""
    return "no text" if UNUSABLE_TEXT.search(line) else repr(line[:MAX_LINE_SHOWN].rstrip())


def normalize_name(name: str) -> str:
    """Return a column name without case and underscores: user_id, userId and USERID are equal."""
    return name.strip().lower().replace("_", "")
