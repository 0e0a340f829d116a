"""The record of each import of a data set (who, when, which file, its report), and the undoing of its ratings.

The ratings that an import wrote, and those that it replaced, are in files (`kept_files.py`): a table would take as much
room as the ratings themselves.
"""

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from recsite.errors import InvalidInput, NotFound
from recsite.extensions import db
from recsite.ratings.bulk_undoing import take_back
from recsite.ratings.bulk_writing import Written
from recsite.ratings.importers import kept_files
from recsite.ratings.importers.files import Folder
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.report import Report
from recsite.storage import audit
from recsite.storage.deadlocks import retry_deadlocks
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import DatasetImport, now


@dataclass
class Kept:
    """What an import wrote, once it did."""

    written: Written | None = None


@contextlib.contextmanager
def whole_transaction() -> Iterator[None]:
    """Commit at the end of the block, or roll everything back after an error."""
    # What was read before belongs to an older transaction: SQLite refuses its write lock to one that has read what
    # another connection changed since.
    db.session.rollback()
    try:
        yield
        db.session.commit()
    except BaseException:
        # Closing the connection also removes temporary tables, which SQLite does not roll back, and ends a COPY, in
        # which PostgreSQL accepts no ROLLBACK.
        db.session().invalidate()
        raise


@contextlib.contextmanager
def import_transaction(options: Options, report: Report) -> Iterator[Kept]:
    """Record the import and commit at the end of the block, or roll everything back after an error."""
    with whole_transaction():
        kept = Kept()
        yield kept
        report.import_id = record(options, report, kept.written)


def record(options: Options, report: Report, written: Written | None) -> int:
    """Insert the record of an import, write its ratings to a file, and return its id. Does not commit."""
    made = DatasetImport(
        source=options.source[:500],
        format=options.format or "",
        sha256=options.sha256,
        imported_by=options.operator[:150],
        report=report.as_json(),
    )
    db.session.add(made)
    db.session.flush()
    if written is not None:
        kept_files.save(made.id, written.changes)
    return made.id


@retry_deadlocks
def undo(import_id: int, by: str, most: int | None = None) -> int:
    """Take an import's ratings back and commit; return how many were changed since and stay.

    Replaced ratings are restored and new ones deleted. Movies and users stay.

    Raises:
        NotFound: no import has this id.
        InvalidInput: it is undone already, its file is not kept any more, or it wrote more than `most` ratings.
    """
    db.session.rollback()
    found = db.session.get(DatasetImport, import_id, with_for_update=True)
    if found is None:
        raise NotFound(f"No import has the id {import_id}; see 'flask import list'.")
    if found.undone_at is not None:
        raise InvalidInput(f"Import {import_id} is undone already.")
    changes = kept_files.load(import_id)
    if changes is None:
        raise InvalidInput(
            f"Import {import_id} cannot be undone: only the last {kept_files.FILES_KEPT} imports of ratings can."
        )
    if most is not None and len(changes) > most:
        raise InvalidInput(f"Import {import_id} wrote {len(changes):,} ratings, too many to take back on a page.")
    with whole_transaction():
        marked = sa.update(DatasetImport).where(DatasetImport.id == import_id, DatasetImport.undone_at.is_(None))
        db.session.execute(marked.values(undone_at=now(), undone_by=by[:150]))
        left = take_back(changes)
        audit.record(by, "undo import", "import", import_id, found.source)
    kept_files.discard(import_id)
    return left


def list_imports() -> Sequence[DatasetImport]:
    """Return all imports, newest first."""
    return db.session.scalars(sa.select(DatasetImport).order_by(DatasetImport.id.desc())).all()


def list_page(page: int, per_page: int) -> Page[DatasetImport]:
    """Return a page of the imports, newest first."""
    return paginate(sa.select(DatasetImport).order_by(DatasetImport.id.desc()), page, per_page)


def ratings_written(kept: DatasetImport) -> int:
    """Return how many ratings the import wrote, which are those that `undo` takes back."""
    counts = kept.report.get("counts", {}).get("ratings", {})
    return int(counts.get("new", 0)) + int(counts.get("changed", 0))


def can_be_undone(kept: DatasetImport, kept_ids: Collection[int]) -> bool:
    """Return whether `undo` would find all it needs, given `kept_files.try_ids()`."""
    return kept.undone_at is None and kept.id in kept_ids


def sha256_of(path: Path, files: Folder) -> str:
    """Return the SHA-256 of a file, or of all files of a folder in the order of their names."""
    total = hashlib.sha256()
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    for name in sorted(files):
        with files[name].open_raw() as stream:
            while block := stream.read(2**20):
                total.update(block)
    return total.hexdigest()
