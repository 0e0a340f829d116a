"""Files made to exhaust the site: what they unpack to, how long they take to read, and what stays in memory."""

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from recsite.errors import BrokenDataset
from recsite.ratings.history.reading import MAX_LINES, MAX_ROWS, read_upload
from recsite.ratings.importers import fields
from recsite.ratings.importers.archives import MAX_FILES
from recsite.ratings.importers.detection import METADATA
from recsite.ratings.importers.report import Refused
from recsite.ratings.importers.titles import MAX_NORMALIZED, normalize_title
from tests.ratings.importing import import_movielens, import_tmdb

MB = 2**20
METHODS = {"deflate": zipfile.ZIP_DEFLATED, "bz2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def bomb(method: int, name: str = "ratings.csv", said_size: int | None = None) -> bytes:
    """Return a small zip with 64 MB of zeros in it, whose size in both headers is `said_size` if that is given."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive, archive.open(name, "w") as file:
        for _ in range(64):
            file.write(b"0" * MB)
    packed = bytearray(content.getvalue())
    if said_size is not None:
        # The size stands 24 bytes into the entry of the directory, and 22 bytes into the file's own header.
        struct.pack_into("<I", packed, packed.index(b"PK\x01\x02") + 24, said_size)
        struct.pack_into("<I", packed, 22, said_size)
    return bytes(packed)


def zip_of(files: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def peak_memory(work: Callable[[], object]) -> int:
    """Return the most bytes that Python held at once during the work, beyond those before it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("said_size", (None, 10, 7 * MB), ids=("true size", "ten bytes", "seven megabytes"))
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_zip_bomb_is_refused_within_little_memory_whatever_size_it_claims(method: int, said_size: int | None) -> None:
    content = bomb(method, said_size=said_size)

    def refuse() -> None:
        with pytest.raises(BrokenDataset):
            read_upload("mine.zip", content)

    assert peak_memory(refuse) < 32 * MB


@pytest.mark.parametrize("method", (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA), ids=("bz2", "lzma"))
def test_a_data_set_packed_by_another_method_than_deflate_is_refused(app: Flask, tmp_path: Path, method: int) -> None:
    files = dict.fromkeys(("movies.csv", "ratings.csv", "links.csv"), "movieId\n")
    (tmp_path / "ml.zip").write_bytes(zip_of(files, method))
    (tmp_path / "tmdb.zip").write_bytes(zip_of({METADATA: "id,title,overview,release_date\n"}, method))

    for load, path in ((import_movielens, tmp_path / "ml.zip"), (import_tmdb, tmp_path / "tmdb.zip")):
        with pytest.raises(BrokenDataset, match=r"is packed with a method other than deflate; make an ordinary zip\."):
            load(path)


def test_a_zip_of_very_many_files_is_refused_before_its_directory_is_read() -> None:
    content = zip_of({f"{number}.csv": "" for number in range(MAX_FILES)} | {"ratings.csv": "tmdbId,rating\n949,4\n"})

    with pytest.raises(BrokenDataset, match="has more than 1,000 files in it"):
        read_upload("mine.zip", content)


def test_a_damaged_zip_is_refused_wherever_it_is_damaged() -> None:
    whole = zip_of({"ratings.csv": "tmdbId,rating\n949,4\n"})

    for place in range(4, len(whole)):
        for value in (0, 0x7F, 0xFF):
            damaged = bytearray(whole)
            damaged[place] = value
            try:
                entries = read_upload("mine.zip", bytes(damaged)).entries
            except BrokenDataset:
                continue
            assert [(entry.own_id, entry.value) for entry in entries] == [(949, 4.0)], place


@pytest.mark.parametrize(
    "text",
    ("Name,Rating\n" + "\n" * MAX_LINES, 'Name,Rating\n"' + "\n" * MAX_LINES, "Name,Rating\r" + "\r" * MAX_LINES),
    ids=("empty lines", "in quotes", "carriage returns"),
)
def test_a_file_of_too_many_lines_is_refused_even_if_they_are_empty(text: str) -> None:
    with pytest.raises(BrokenDataset, match="has more than 200,000 lines; divide it into several files"):
        read_upload("mine.zip", zip_of({"ratings.csv": text}))


def test_a_file_of_too_many_columns_is_refused() -> None:
    with pytest.raises(BrokenDataset, match=r"has more than 1,000 columns; it is no table of ratings\."):
        read_upload("mine.csv", b"Name,Rating" + b"," * 1000 + b"\n")


def test_a_header_without_an_end_is_refused() -> None:
    with pytest.raises(BrokenDataset, match="has no header that can be read"):
        read_upload("mine.csv", b'Name,Rating,"' + b"x" * 200_000)


def test_a_title_longer_than_any_film_has_is_refused() -> None:
    file = read_upload("mine.csv", f"Name,Rating\n{'x' * 201},4\n{'x' * 200},4\n".encode())

    assert [(each.line, reason) for reason, some in file.report.refusals.items() for each in some] == [
        (2, "title is longer than 200 characters")
    ]


@pytest.mark.parametrize("title", ("\ufdfa" * 500, "&" * 500, "x" * 500), ids=("U+FDFA", "and", "x"))
def test_a_title_that_grows_when_it_is_normalized_is_cut(title: str) -> None:
    assert len(normalize_title(title)) <= MAX_NORMALIZED


def test_ids_with_much_white_space_leave_nothing_in_memory() -> None:
    def read_ids() -> None:
        for number in range(1, 400):
            with pytest.raises(Refused):
                fields.whole_id(f"{number}{' ' * 100_000}", "movie id")
        assert fields.whole_id(" 862.0 ", "movie id") == 862

    tracemalloc.start()
    try:
        read_ids()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 4 * MB


def test_fifty_thousand_rows_are_still_read() -> None:
    assert len(read_upload("mine.csv", b"tmdbId,rating\n" + b"949,4\n" * MAX_ROWS).entries) == MAX_ROWS
