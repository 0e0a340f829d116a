"""Files of exports: a dated one for each day and format, `latest.*` beside them, and the removal of erased users.

Readers never see a partial file, and one process at a time writes into a folder. With MEDIA_URL the files are below it
only: `shared_exports.py` moves them there.
"""

import contextlib
import csv
import fcntl
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from flask import current_app

from recsite.ml import latest
from recsite.ratings import shared_exports
from recsite.ratings.exported_rows import remove_rows, replacement_of
from recsite.ratings.shared_exports import OF_USERS
from recsite.storage import media
from recsite.storage.tables import now

FORMATS = ("csv", "jsonl", "parquet")
PARTIAL_FILES = ".*.part"

Rows = Iterable[Iterable[Any]]
Schema = dict[str, type[pl.DataType]]
"The columns of a table, in their order, with their types in Parquet."


def publish(kind: str, file_format: str, write: Callable[[Path], None]) -> Path:
    """Let `write` fill the dated file of today, and point latest.* to it; return the dated file.

    A second export on the same day replaces the first. With MEDIA_URL set, the files are there only: `address_of` says
    where.

    Raises:
        MediaUnavailable: MEDIA_URL is set, and the file cannot be stored there.
    """
    started = now()
    with locked_folder(kind) as folder:
        dated = folder / f"{started:%Y-%m-%d}.{file_format}"
        with replacement_of(dated) as partial:
            write(partial)
        if media.is_shared():
            shared_exports.move(kind, dated, started)
            return dated
        latest.point_at(folder / f"latest.{file_format}", dated.name)
        remove_old(folder, dated)
    return dated


def write_csv(path: Path, header: Sequence[str], rows: Rows) -> None:
    """Write the rows below a line of column names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(header)
        lines.writerows(rows)


def write_jsonl(path: Path, header: Sequence[str], rows: Rows) -> None:
    """Write each row as a JSON object on a line of its own."""
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for row in rows:
            file.write(encoder.encode(dict(zip(header, row, strict=True))) + b"\n")


def write_parquet(path: Path, schema: Schema, rows: Rows) -> None:
    """Write the rows as Parquet. They pass through a CSV file beside it, so that memory holds a part of them only."""
    passing = path.with_name(f"{path.name}.part")
    try:
        passing.touch(0o640)
        write_csv(passing, list(schema), rows)
        pl.scan_csv(passing, schema=schema).sink_parquet(path)
    finally:
        passing.unlink(missing_ok=True)


def remove_old(folder: Path, newest: Path) -> None:
    """Remove all but the last EXPORTS_KEPT dated files of a format, and what killed exports left; never `newest`."""
    kept = current_app.config["EXPORTS_KEPT"]
    dated = [path for path in dated_files(folder, newest.suffix) if path != newest]
    for path in (*folder.glob(PARTIAL_FILES), *(dated[: -(kept - 1) or None] if kept else ())):
        path.unlink(missing_ok=True)


def dated_files(folder: Path, suffix: str = "") -> list[Path]:
    """Return the dated exports in this folder, the oldest first; with a suffix such as '.csv', of this format only."""
    suffixes = (suffix,) if suffix else tuple(f".{file_format}" for file_format in FORMATS)
    return sorted(path for path in folder.glob("[0-9]*") if path.suffix in suffixes)


def remove_users(user_ids: Collection[int]) -> list[str]:
    """Remove these users' rows from all exports of ratings and suggestions; return the names of the changed files.

    Waits for a running export and cleans its file too. Deletes what a killed export left.

    Raises:
        MediaUnavailable: MEDIA_URL is set, and the files there cannot be rewritten.
    """
    changed = []
    for kind in OF_USERS:
        with locked_folder(kind) as folder:
            for partial in folder.glob(PARTIAL_FILES):
                partial.unlink()
            changed += [path.name for path in dated_files(folder) if remove_rows(path, user_ids)]
            if media.is_shared():
                changed += shared_exports.remove_users(kind, folder, user_ids)
    return changed


def size_of_users() -> int:
    """Return the bytes of all exports of ratings and suggestions."""
    return sum(path.stat().st_size for kind in OF_USERS for path in dated_files(export_folder(kind)))


def address_of(dated: Path) -> str:
    """Return where the dated file is, for people."""
    if media.is_shared():
        return media.connect().address(shared_exports.key_of(dated.parent.name, dated.name))
    return str(dated)


def export_folder(kind: str) -> Path:
    """Return the folder of the exports of this kind."""
    folder: Path = current_app.config["MEDIA_ROOT"] / "exports" / kind
    return folder


@contextlib.contextmanager
def locked_folder(kind: str) -> Iterator[Path]:
    """Create the folder and lock it for one writer; the lock ends with the process."""
    folder = export_folder(kind)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)
