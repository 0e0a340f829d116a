"""Files of a data set, on disk, in a zip or tar, or uploaded; those packed by gzip, bzip2 or xz are read unpacked."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from recsite.errors import BrokenDataset
from recsite.ratings.importers import archives

UNPACKERS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda raw: cast(IO[bytes], gzip.GzipFile(fileobj=raw)),
    b"BZh": lambda raw: cast(IO[bytes], bz2.BZ2File(raw)),
    b"\xfd7zXZ": lambda raw: cast(IO[bytes], lzma.LZMAFile(raw)),  # noqa: SIM115
}
"By the first bytes of a file."
PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zip")
OTHER_ARCHIVES = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xd0\xcf\x11\xe0": "old Excel",
}
SAVE_AS_CSV = "save its table of ratings as CSV or JSON, and import that"
NO_TABLES = {
    b"SQLite f": f"a database of SQLite; {SAVE_AS_CSV}",
    b"%PDF": f"a PDF; {SAVE_AS_CSV}",
    b"<?xml": f"XML; {SAVE_AS_CSV}",
    b"<!DOCTYP": "a web page; download the file itself, perhaps after a login",
    b"<html": "a web page; download the file itself, perhaps after a login",
    b"\x93NUMPY": f"an array of NumPy; {SAVE_AS_CSV}",
    b"\x80\x04": f"a pickle of Python, which is never opened; {SAVE_AS_CSV}",
    b"\x80\x05": f"a pickle of Python, which is never opened; {SAVE_AS_CSV}",
    b"version ": "a pointer of Git LFS; fetch the file itself with 'git lfs pull'",
}
"What other files are, with the way out, by their first bytes."
SPREADSHEETS = (".xlsx", ".ods", ".numbers")
WORKBOOK_FILES = frozenset(("xl/workbook.xml", "content.xml", "Index/Document.iwa"))
"Of Excel, LibreOffice and Numbers."
IGNORED_FOLDERS = ("deleted", "orphaned", "__MACOSX")
"Letterboxd puts deleted entries into the first two."
MAX_DEPTH = 3
MAX_FILES = 1000
MAX_NAMES = 12
"File names in a message."


@dataclass
class Opened:
    """An open file: its unpacked bytes, and how many of the stored ones were read."""

    stream: IO[bytes]
    raw: IO[bytes]

    @property
    def done(self) -> int:
        """Return the stored bytes read so far, of `File.size`."""
        return self.raw.tell()


@dataclass(frozen=True)
class File:
    """One file of a data set."""

    name: str
    "Without folders and without the suffix of a packed file."
    label: str
    "As messages name it."
    size: int
    "Stored bytes, in a zip unpacked ones."
    open_raw: Callable[[], IO[bytes]]

    @contextlib.contextmanager
    def open(self) -> Iterator[Opened]:
        """Open the file for reading from its beginning.

        Raises:
            BrokenDataset: it cannot be read, here or in the block.
        """
        try:
            with self.open_raw() as raw:
                head = raw.read(8)
                raw.seek(0)
                unpack = next((each for magic, each in UNPACKERS.items() if head.startswith(magic)), None)
                other = next((kind for magic, kind in OTHER_ARCHIVES.items() if head.startswith(magic)), None)
                if other:
                    raise BrokenDataset(f"{self.label} is a file of {other}; unpack it, or save it as CSV, first.")
                kind = next((kind for magic, kind in NO_TABLES.items() if head.startswith(magic)), None)
                if kind:
                    raise BrokenDataset(f"{self.label} is {kind}.")
                yield Opened(unpack(raw) if unpack else raw, raw)
        except archives.READ_ERRORS as error:
            raise BrokenDataset(f"{self.label} cannot be read: {reason_of(error)}.") from error

    def __str__(self) -> str:
        return self.label


Folder = Mapping[str, File]
"The files of one folder by name."


def uploaded(name: str, content: bytes) -> File:
    """Return a file in memory."""
    return File(plain_name(name), name, len(content), lambda: io.BytesIO(content))


@contextlib.contextmanager
def open_folders(path: Path) -> Iterator[list[Folder]]:
    """Open a folder, zip, tar or single file and yield the files of each of its folders, the uppermost first.

    Raises:
        BrokenDataset: the path does not exist or cannot be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            found = find_files(path, stack)
        except FileNotFoundError as error:
            raise BrokenDataset(f"{path} does not exist.") from error
        except (*archives.READ_ERRORS, tarfile.TarError) as error:
            raise BrokenDataset(f"{path} cannot be read: {reason_of(error)}.") from error
        yield group_by_folder(found)


def find_files(path: Path, stack: contextlib.ExitStack) -> dict[str, File]:
    """Return all files by path within this folder or archive, or the file itself."""
    if path.is_dir():
        return dict(walk_disk(path, stack))
    if zipfile.is_zipfile(path):
        archive = stack.enter_context(zipfile.ZipFile(path))
        check_is_no_spreadsheet(str(path), archive.namelist())
        return {entry.filename: zip_file(path, archive, entry) for entry in entries_of(archive)}
    if tarfile.is_tarfile(path):
        tar = stack.enter_context(tarfile.open(path))  # noqa: SIM115
        return {entry.name: tar_file(path, tar, entry) for entry in tar if entry.isfile()}
    return {path.name: disk_file(path, stack)}


def check_is_no_spreadsheet(label: str, names: Collection[str]) -> None:
    """Raise BrokenDataset if a zip with these files is the workbook of a spreadsheet."""
    if label.lower().endswith(SPREADSHEETS) or not WORKBOOK_FILES.isdisjoint(names):
        raise BrokenDataset(f"{label} is a spreadsheet; save it as CSV first.")


def walk_disk(folder: Path, stack: contextlib.ExitStack) -> Iterator[tuple[str, File]]:
    """Yield the files of a folder down to MAX_DEPTH, at most MAX_FILES of them."""
    number = 0
    for parent, folders, names in os.walk(folder):
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = sorted(folders) if depth < MAX_DEPTH else []
        for name in sorted(names):
            number += 1
            if number <= MAX_FILES:
                path = Path(parent, name)
                yield path.relative_to(folder).as_posix(), disk_file(path, stack)


def disk_file(path: Path, stack: contextlib.ExitStack) -> File:
    """Return a file on disk; a zip with a single file is that file, and stays open as long as the stack."""
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        archive = stack.enter_context(zipfile.ZipFile(path))
        entries = entries_of(archive)
        if len(entries) == 1:
            return zip_file(path, archive, entries[0])
    return File(plain_name(path.name), str(path), path.stat().st_size, lambda: path.open("rb"))


def entries_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of a zip, without its folders; `ZipInfo.is_dir` fails for an entry without a name."""
    return [entry for entry in archive.infolist() if not entry.filename.endswith("/")]


def zip_file(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> File:
    """Return a file of a zip; other methods than deflate are refused when it is opened."""

    def open_entry() -> IO[bytes]:
        archives.check_method(entry)
        return archive.open(entry)

    return File(plain_name(entry.filename), f"{path}/{entry.filename}", entry.file_size, open_entry)


def tar_file(path: Path, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> File:
    """Return a file of a tar."""
    return File(
        plain_name(entry.name), f"{path}/{entry.name}", entry.size, lambda: cast(IO[bytes], tar.extractfile(entry))
    )


def plain_name(path: str) -> str:
    """Return the last part of a path, also behind a backslash, without the suffix of a packed file."""
    name = PurePosixPath(path.replace("\\", "/")).name
    for suffix in PACKED_SUFFIXES:
        if name.lower().endswith(suffix) and "." in name[: -len(suffix)]:
            return name[: -len(suffix)]
    return name


def group_by_folder(found: Mapping[str, File]) -> list[Folder]:
    """Return the files of each folder by name, the uppermost folder first; hidden files and folders are left out."""
    folders: dict[tuple[str, ...], dict[str, File]] = {}
    for path, file in found.items():
        *parents, name = path.replace("\\", "/").split("/")
        if not name.startswith(".") and not any(part.startswith(".") or part in IGNORED_FOLDERS for part in parents):
            folders.setdefault(tuple(parents), {})[file.name] = file
    return [folders[parents] for parents in sorted(folders, key=lambda parents: (len(parents), parents))]


def join_names(folders: Sequence[Folder]) -> str:
    """Return the first MAX_NAMES file names for a message."""
    names = sorted(name for folder in folders for name in folder)
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more if names else "no files"


def reason_of(error: BaseException) -> str:
    """Return what is wrong in a few words, without the path of an OSError."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
