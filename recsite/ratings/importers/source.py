"""Where the rows of a data set come from: a file, or a file in a folder or a zip, read line by line."""

import contextlib
import csv
import io
import itertools
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from recsite.errors import BrokenDataset
from recsite.ratings.importers.fields import UNUSABLE_TEXT
from recsite.ratings.importers.report import Count, Refused, Report

LONGEST_LINE = 1_000_000
"In characters. A longer line comes in pieces, so that a file without line ends does not fill the memory."
NAMES_SHOWN = 12


@dataclass(frozen=True)
class Sent:
    """A file that came with a request, in memory."""

    name: str
    content: bytes

    def open(self, _mode: str = "rb") -> IO[bytes]:
        """Its bytes."""
        return io.BytesIO(self.content)

    def __str__(self) -> str:
        return self.name


Entry = Path | zipfile.Path
"A file or folder on the disk or in a zip."
Place = Entry | Sent
Row = tuple[int, list[str]]
"The line where the row begins, counted from 1, and its fields."


@contextlib.contextmanager
def opened(path: Path, looked_for: Sequence[str]) -> Iterator[dict[str, Entry]]:
    """The files of a folder or a zip by name; of the one folder inside, where `looked_for` are not at the top.

    Raises BrokenDataset if there is no such folder or zip.
    """
    try:
        archive = None if path.is_dir() else zipfile.ZipFile(path)
        files = files_of(zipfile.Path(archive) if archive else path, looked_for)
    except FileNotFoundError as error:
        raise BrokenDataset(f"{path} does not exist.") from error
    except (zipfile.BadZipFile, OSError) as error:
        raise BrokenDataset(f"{path} is neither a folder nor a zip that can be read: {error}.") from error
    with archive or contextlib.nullcontext():
        yield files


@contextlib.contextmanager
def opened_file(path: Path, name: str) -> Iterator[Place]:
    """This file, or the one of this name in a folder or zip; raises BrokenDataset if it is not there."""
    if path.is_file() and not zipfile.is_zipfile(path):
        yield path
        return
    with opened(path, [name]) as files:
        if name not in files:
            raise BrokenDataset(f"{path} has no {name}. Found {named(files)}.")
        yield files[name]


def files_of(folder: Entry, looked_for: Sequence[str]) -> dict[str, Entry]:
    """See opened; folders are there too, with a '/' behind the name."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
    files = {entry.name: entry for entry in entries if entry.is_file()}
    folders = {f"{entry.name}/": entry for entry in entries if entry.is_dir()}
    if len(folders) == 1 and files.keys().isdisjoint(looked_for):
        return files_of(next(iter(folders.values())), looked_for)
    return files | folders


def named(files: Mapping[str, Place]) -> str:
    """The names for a message, the first ones of many."""
    names = sorted(files)
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more if names else "no files"


class TextFile:
    """A file read line by line, and how much of it there is."""

    def __init__(self, place: Place, encoding: str = "utf-8-sig") -> None:
        self.place = place
        self.name = place.name
        self.encoding = encoding
        self.binary: IO[bytes] | None = None
        try:
            self.size = size_of(place)
        except OSError as error:
            raise BrokenDataset(f"{place} cannot be read: {error.strerror}.") from error

    @property
    def done(self) -> int:
        """How many of its `size` bytes have been read."""
        if self.binary is None:
            return 0
        return self.size if self.binary.closed else self.binary.tell()

    def lines(self) -> Iterator[str]:
        """Every line with its end. Bytes that are no text in this encoding stand as halves of surrogate pairs.

        Raises BrokenDataset where the file cannot be read on.
        """
        try:
            with (
                self.place.open("rb") as binary,
                io.TextIOWrapper(binary, self.encoding, errors="surrogateescape", newline="") as text,
            ):
                self.binary = binary
                while line := text.readline(LONGEST_LINE):
                    yield line
        # zipfile raises RuntimeError for an encrypted file and for a way of packing that it does not know.
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise BrokenDataset(f"{self.place} cannot be read: {error}.") from error

    def rows(self, separator: str, width: int, count: Count, report: Report) -> Iterator[Row]:
        """The fields of every line of a file without header or quotes; lines of another width are refused.

        Raises BrokenDataset if the first line is one of those, for then it is another kind of file.
        """
        number = 0
        for number, line in enumerate(self.lines(), 1):
            fields = line.rstrip("\r\n").split(separator)
            if number == 1 and len(fields) != width:
                raise BrokenDataset(
                    f"{self.place} should have {width} fields a line between {separator!r}, "
                    f"but its first line is {shown(line)}."
                )
            if fields == [""]:
                continue
            count.read += 1
            if len(fields) == width:
                yield number, fields
            else:
                report.refuse(count, self.name, number, Refused(f"the row does not have {width} fields", line))
        if number == 0:
            raise BrokenDataset(f"{self.place} is empty.")


def size_of(place: Place) -> int:
    """In bytes; of a file in a zip, once unpacked."""
    if isinstance(place, Sent):
        return len(place.content)
    return place.root.getinfo(place.at).file_size if isinstance(place, zipfile.Path) else place.stat().st_size


class Table:
    """A CSV file with a header; columns are found by name, whatever their order, their case and their underscores.

    `columns` must be there, `optional` ones are '' where they are not; of spellings joined by '|' the first that is
    there counts. Raises BrokenDataset when a column is missing.
    """

    def __init__(self, file: TextFile, columns: str, optional: str = "", delimiters: str = ",") -> None:
        self.file = file
        lines = file.lines()
        first = next(lines, "")
        if not first.strip():
            raise BrokenDataset(f"{file.place} is empty; its first line should name {', '.join(columns.split())}.")
        self.reader = csv.reader(itertools.chain([first], lines), delimiter=max(delimiters, key=first.count))
        self.header = [name.strip() for name in next(self.reader)]
        "The names of the columns as the file spells them."
        header = [bare(name) for name in self.header]
        self.width = len(header)
        self.where = []
        "The places of the columns asked for; behind the last field for one that is not there."
        for column in columns.split() + optional.split():
            there = [header.index(bare(name)) for name in column.split("|") if bare(name) in header]
            if not there and column in columns.split():
                raise BrokenDataset(f"{file.place} has no column {column!r}; its first line is {shown(first)}.")
            self.where.append(there[0] if there else self.width)

    def has(self, column: str) -> bool:
        """Whether the column is there in one of these spellings."""
        return not {bare(name) for name in column.split("|")}.isdisjoint(bare(name) for name in self.header)

    def rows(self, count: Count, report: Report) -> Iterator[Row]:
        """The fields of every row, in the order asked for; rows with too few or too many fields are refused."""
        while True:
            line = self.reader.line_num + 1
            try:
                fields = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                # A quote that is never closed ends here, at csv.field_size_limit() of 131,072 characters, and reading
                # goes on behind. A larger limit would only swallow more rows before anybody notices.
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
            yield line, [fields[place] for place in self.where]


def shown(line: str) -> str:
    """The beginning of a line, for a message."""
    return "no text" if UNUSABLE_TEXT.search(line) else repr(line[:80].rstrip())


def bare(name: str) -> str:
    """A column's name without what spellings differ in: user_id, userId and USERID are one."""
    return name.strip().lower().replace("_", "")
