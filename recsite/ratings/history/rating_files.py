"""The file with a person's ratings among those of an export."""

import io
import zipfile
from collections.abc import Iterable, Sequence

from recsite.errors import BrokenDataset
from recsite.ratings.importers import archives
from recsite.ratings.importers.files import (
    File,
    Folder,
    check_is_no_spreadsheet,
    entries_of,
    group_by_folder,
    join_names,
    uploaded,
)

MAX_UNPACKED_BYTES = 8 * 1024 * 1024
RATING_FILES = (
    *("ratings.csv", "diary.csv", "reviews.csv", "watched.csv", "watchlist.csv"),
    *("ratings-movies.json", "ratings_movies.json", "ratings-movies-1.json", "ratings.json", "movies.json"),
)
"The first of these in a folder that has rows is read. Letterboxd's diary has the ratings of single viewings."
HEAD = 2**16


def unpack(content: bytes) -> File:
    """Return the file of ratings in an uploaded zip; raise BrokenDataset if there is none, or it is too large."""
    archives.check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_is_no_spreadsheet("The file", archive.namelist())
            names = {entry.filename: uploaded(entry.filename, b"") for entry in entries_of(archive)}
            found = [
                uploaded(file.name, archives.read_file(archive, file.label, MAX_UNPACKED_BYTES))
                for file in find_rating_files(group_by_folder(names))
            ]
    except archives.READ_ERRORS as error:
        raise BrokenDataset(f"The zip cannot be read: {error}.") from error
    return first_with_rows(found)


def find_rating_files(folders: Sequence[Folder]) -> list[File]:
    """Return the files of ratings, the likeliest first, else the only file; raise BrokenDataset if there is none."""
    by_folder = [{each.lower(): file for each, file in folder.items()} for folder in folders]
    if found := [files[name] for name in RATING_FILES for files in by_folder if name in files]:
        check_is_whole(name for files in by_folder for name in files)
        return found
    files = [file for folder in folders for file in folder.values()]
    if len(files) == 1:
        return files
    raise BrokenDataset(f"The zip has no {' and no '.join(RATING_FILES[:2])} in it. Found {join_names(folders)}.")


def check_is_whole(names: Iterable[str]) -> None:
    """Raise BrokenDataset if Trakt divided the ratings among several files."""
    if {"ratings-movies-1.json", "ratings-movies-2.json"} <= set(names):
        raise BrokenDataset(
            "The ratings are in several files, ratings-movies-1.json and the following. Import them one after another."
        )


def first_with_rows(files: Sequence[File]) -> File:
    """Return the first file that has more than headings, else the first one."""
    return next((file for file in files if has_rows(file)), files[0])


def has_rows(file: File) -> bool:
    """Return whether a file has more than a line of headings or an empty list."""
    with file.open() as opened:
        head = opened.stream.read(HEAD).strip()
    return head != b"[]" and (b"\n" in head or b"\r" in head or head.startswith((b"[", b"{")))
