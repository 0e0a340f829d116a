"""The rows of an exported file: a file is replaced whole, and the rows of erased users are removed from it."""

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl

from recsite.ml import latest


def remove_rows(path: Path, user_ids: Collection[int]) -> bool:
    """Rewrite the file without the rows of these users; return whether there were any."""
    if path.suffix == ".parquet":
        return remove_from_parquet(path, user_ids)
    start = '{{"user_id":{},' if path.suffix == ".jsonl" else "{},"
    return remove_lines(path, tuple(start.format(user_id) for user_id in user_ids))


def remove_from_parquet(path: Path, user_ids: Collection[int]) -> bool:
    """Rewrite the file without the rows of these users; return whether there were any."""
    rows, is_theirs = pl.scan_parquet(path), pl.col("user_id").is_in(list(user_ids))
    if not rows.filter(is_theirs).select(pl.len()).collect(engine="streaming").item():
        return False
    with replacement_of(path) as partial:
        rows.filter(~is_theirs).sink_parquet(partial)
    return True


def remove_lines(path: Path, starts: tuple[str, ...]) -> bool:
    """Rewrite the file without lines that begin with one of `starts`; return whether there were any."""
    with path.open(newline="", encoding="utf-8") as lines:
        if not any(line.startswith(starts) for line in lines):
            return False
        lines.seek(0)
        with replacement_of(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            file.writelines(line for line in lines if not line.startswith(starts))
    return True


@contextlib.contextmanager
def replacement_of(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file; after the block sync it and rename it to `path`, after an error delete it."""
    partial = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        # Only the owner and the group may read what users rated.
        partial.touch(0o640)
        yield partial
        latest.flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
