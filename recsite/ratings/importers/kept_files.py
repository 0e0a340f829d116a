"""The ratings that the last imports wrote and replaced, as `imports/ratings-<id>.parquet` of this host or of MEDIA_URL.

With MEDIA_URL the files are there only: every host can undo an import, and an erasure reaches all of them.
"""

import contextlib
import logging
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl
from flask import current_app

from recsite.errors import MediaUnavailable
from recsite.storage import media

FILES_KEPT = 10
"Imports that can be undone; the files of older ones are removed."
NAME = re.compile(r"ratings-([0-9]+)\.parquet")

log = logging.getLogger(__name__)


def save(import_id: int, changes: pl.DataFrame) -> None:
    """Write the ratings of an import, and remove the files of all but the last FILES_KEPT.

    Raises:
        MediaUnavailable: MEDIA_URL is set, and the file cannot be stored there.
    """
    path = path_of(import_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    store_frame(changes, path)
    for old in sorted(find_ids())[:-FILES_KEPT]:
        discard(old)


def load(import_id: int) -> pl.DataFrame | None:
    """Return the ratings of an import; None if its file is not kept any more.

    Raises:
        MediaUnavailable: MEDIA_URL is set, and the file cannot be read.
    """
    if import_id not in find_ids():
        return None
    with readable_file(path_of(import_id)) as path:
        return pl.read_parquet(path)


def discard(import_id: int) -> None:
    """Remove the file of an import; a missing one is ignored.

    Raises:
        MediaUnavailable: MEDIA_URL is set, and the file cannot be removed.
    """
    path = path_of(import_id)
    path.unlink(missing_ok=True)
    if media.is_shared():
        media.connect().remove(key_of(path))


def find_ids() -> set[int]:
    """Return the ids of the imports whose files are kept.

    Raises:
        MediaUnavailable: MEDIA_URL is set, and the files cannot be listed.
    """
    shared = media.connect().list_folder("imports") if media.is_shared() else {}
    names = (*shared, *(path.name for path in folder().glob("ratings-*")))
    return {int(found[1]) for name in names if (found := NAME.fullmatch(name))}


def try_ids() -> set[int]:
    """Return the ids as `find_ids` does; if the files cannot be listed, log that and return none."""
    try:
        return find_ids()
    except MediaUnavailable as error:
        log.warning("no import can be undone: %s", error)
        return set()


def remove_users(user_ids: Collection[int]) -> list[str]:
    """Remove the ratings of these users from the files of all imports; return the names of the files that changed.

    Raises:
        MediaUnavailable: MEDIA_URL is set, and a file cannot be rewritten.
    """
    changed = []
    for import_id in sorted(find_ids()):
        with readable_file(path_of(import_id)) as path:
            frame = pl.read_parquet(path)
        rest = frame.filter(~pl.col("user_id").is_in(list(user_ids)))
        if len(rest) < len(frame):
            store_frame(rest, path_of(import_id))
            changed.append(path_of(import_id).name)
    return changed


@contextlib.contextmanager
def readable_file(path: Path) -> Iterator[Path]:
    """Yield this host's file, or one that is fetched from MEDIA_URL and removed after the block."""
    if path.exists() or not media.is_shared():
        yield path
        return
    with partial_of(path) as partial:
        media.connect().download(key_of(path), partial)
        yield partial


def store_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a whole file or none, below MEDIA_URL if that is set."""
    with partial_of(path) as partial:
        frame.write_parquet(partial)
        if media.is_shared():
            media.connect().upload(partial, key_of(path))
            path.unlink(missing_ok=True)
        else:
            partial.replace(path)


@contextlib.contextmanager
def partial_of(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file beside this one, which only the owner and the group may read; remove it after."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        partial.touch(0o640)
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def folder() -> Path:
    """Return the folder of the files on this host."""
    root: Path = current_app.config["MEDIA_ROOT"]
    return root / "imports"


def path_of(import_id: int) -> Path:
    """Return the file of an import's ratings on this host."""
    return folder() / f"ratings-{import_id}.parquet"


def key_of(path: Path) -> str:
    """Return the key of a file below MEDIA_URL."""
    return f"imports/{path.name}"
