"""Imports of users' files: read, matched, and stored until the user saves or discards them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from recsite.errors import MovieNotFound, NotFound
from recsite.extensions import db
from recsite.ratings.history import matching, reading
from recsite.ratings.history.matching import Matches
from recsite.ratings.history.reading import Entry, FileContent
from recsite.ratings.importers.options import Options
from recsite.ratings.writing import lock_user
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import HistoryImport, HistoryRow, Movie, Rating

MAX_IMPORTS = 10
"Imports kept for each user; older ones are deleted and cannot be undone."
MAX_NAMES = 500
"Entries kept of each list in a report."
MAX_CANDIDATES = 5
"Movies named for each ambiguous title."
MAX_FILE_NAME = 255
"Characters."

rows_table: sa.Table = HistoryRow.__table__
ratings_table: sa.Table = Rating.__table__
WITH_RATINGS = (
    sa.select(
        rows_table.c.movie_id,
        rows_table.c.value,
        rows_table.c.timestamp,
        rows_table.c.former_value,
        rows_table.c.former_timestamp,
        ratings_table.c.value.label("current_value"),
        ratings_table.c.timestamp.label("current_timestamp"),
    )
    .outerjoin_from(
        rows_table,
        ratings_table,
        (ratings_table.c.movie_id == rows_table.c.movie_id) & (ratings_table.c.user_id == sa.bindparam("user")),
    )
    .where(rows_table.c.import_id == sa.bindparam("import"))
    .order_by(rows_table.c.movie_id)
)
"Each row of an import with the user's present rating of its movie, by movie id."


@dataclass(frozen=True)
class Comparison:
    """Numbers of an import's rows, compared with the user's present ratings."""

    new: int
    same: int
    "Already rated with the same value."
    other: int
    "Already rated with another value."


@dataclass(frozen=True)
class MatchedRow:
    """A row of an import as its page shows it."""

    movie: Movie
    value: float
    "The rating in the file, in stars; `current` is the user's present one."
    current: float | None


def propose(user_id: int, file_name: str, content: bytes, scale_name: str | None = None) -> int:
    """Read and match an uploaded file, store its rows until the user decides, and commit; return the import's id.

    No rating changes. The user's earlier undecided import is deleted, so this one may be gone by the time it is read.

    Raises:
        BrokenDataset: the file cannot be read or has no ratings; the message says why.
        UserNotFound: no user has this id.
    """
    file_name = clean_file_name(file_name)
    file = reading.read_upload(file_name, content, Options(scale_name=scale_name))
    reading.check_has_ratings(file, file_name)
    return store(user_id, file_name, file, matching.match(file.entries))


def store(user_id: int, file_name: str, file: FileContent, matches: Matches) -> int:
    """Store the rows of a file until the user decides, and commit; return the import's id."""
    # Uploads of one user at the same time would otherwise delete the same imports in different orders.
    lock_user(user_id)
    delete_old_imports(user_id)
    created = HistoryImport(user_id=user_id, file_name=file_name, report=report_of(file, matches))
    db.session.add(created)
    db.session.flush()
    import_id = created.id
    if matches.found:
        db.session.execute(
            sa.insert(rows_table),
            [
                {"import_id": import_id, "movie_id": movie_id, "value": entry.value, "timestamp": entry.at}
                for movie_id, entry in matches.found.items()
            ],
        )
    db.session.commit()
    return import_id


def clean_file_name(name: str) -> str:
    """Return the name for people: white space and unprintable characters, such as NUL, as single spaces."""
    printable = "".join(char if char.isprintable() else " " for char in name[: 2 * MAX_FILE_NAME])
    return " ".join(printable.split())[:MAX_FILE_NAME] or "the file"


def report_of(file: FileContent, matches: Matches) -> dict[str, Any]:
    """Return the report of an import as JSON: counts, and the first MAX_NAMES entries of each list."""
    refused = [
        {"line": each.line, "reason": reason, "given": each.given}
        for reason, refusals in file.report.refusals.items()
        for each in refusals
    ]
    ambiguous = [
        describe(entry) | {"movies": [list(movie) for movie in candidates[:MAX_CANDIDATES]]}
        for entry, candidates in matches.ambiguous[:MAX_NAMES]
    ]
    not_found = [describe(entry) for entry in matches.not_found[:MAX_NAMES]]
    emptied = [{"reason": reason, "count": number} for reason, number in file.report.emptied.most_common()]
    return {
        "read": file.report.ratings.read,
        "form": file.form,
        "unrated": file.unrated,
        "series": file.series,
        "emptied": emptied,
        "users": file.users,
        "matched": len(matches.found),
        "merged": matches.merged,
        "nearly": matches.nearly,
        "ambiguous": ambiguous,
        "ambiguous_count": len(matches.ambiguous),
        "not_found": not_found,
        "not_found_count": len(matches.not_found),
        "refused": sorted(refused, key=lambda each: each["line"]),
        "refused_count": file.report.ratings.refused,
    }


def describe(entry: Entry) -> dict[str, Any]:
    """Return an entry without a movie as JSON, with all that matching it by hand needs."""
    at = entry.at.isoformat() if entry.at else None
    return {"line": entry.line, "label": entry.label, "value": entry.value, "at": at}


def match_by_hand(user_id: int, import_id: int, line: int, movie_id: int) -> None:
    """Give a row that is ambiguous or not found this movie, in place of another row's with the same one, and commit.

    Raises:
        NotFound: this user has no undecided import with this id, or it has no such row.
        MovieNotFound: no visible movie has this id.
    """
    lock_user(user_id)
    found = find_import(user_id, import_id)
    report = dict(found.report)
    for kind in ("ambiguous", "not_found"):
        row = next((each for each in report[kind] if each["line"] == line and "value" in each), None)
        if row is not None and found.state == "waiting":
            break
    else:
        raise NotFound("This row waits for no movie.")
    if db.session.scalar(sa.select(Movie.id).where(Movie.id == movie_id, ~Movie.is_hidden)) is None:
        raise MovieNotFound
    report[kind] = [each for each in report[kind] if each["line"] != line]
    report[f"{kind}_count"] -= 1
    at = datetime.fromisoformat(row["at"]) if row["at"] else None
    is_new = save_match(found.id, movie_id, row["value"], at)
    report["matched" if is_new else "merged"] += 1
    found.report = report
    db.session.commit()


def save_match(import_id: int, movie_id: int, value: float, at: datetime | None) -> bool:
    """Insert or replace an import's row of this movie; return whether there was none. Does not commit."""
    before = db.session.get(HistoryRow, (import_id, movie_id))
    if before is None:
        db.session.add(HistoryRow(import_id=import_id, movie_id=movie_id, value=value, timestamp=at))
        return True
    before.value, before.timestamp = value, at
    return False


def find_import(user_id: int, import_id: int) -> HistoryImport:
    """Return the user's import with this id, read anew; raise NotFound if there is none."""
    query = sa.select(HistoryImport).where(HistoryImport.id == import_id, HistoryImport.user_id == user_id)
    found: HistoryImport | None = db.session.scalar(query, execution_options={"populate_existing": True})
    if found is None:
        raise NotFound("Import not found")
    return found


def list_imports(user_id: int) -> Sequence[HistoryImport]:
    """Return the user's imports, newest first."""
    return db.session.scalars(
        sa.select(HistoryImport).where(HistoryImport.user_id == user_id).order_by(HistoryImport.id.desc())
    ).all()


def compare_with_ratings(history_import: HistoryImport) -> Comparison:
    """Count the import's rows that are new, the same as the present rating, or other."""
    rows = WITH_RATINGS.order_by(None).subquery()
    is_same = rows.c.current_value == rows.c.value
    counts = sa.select(
        sa.func.count().filter(rows.c.current_value.is_(None)),
        sa.func.count().filter(is_same),
        sa.func.count().filter(~is_same),
    )
    parameters = {"user": history_import.user_id, "import": history_import.id}
    return Comparison(*db.session.execute(counts, parameters).one())


def list_matches(history_import: HistoryImport, page: int, per_page: int) -> Page[MatchedRow]:
    """Return one page of the import's rows ordered by title."""
    query = (
        sa.select(Movie, HistoryRow.value, Rating.value)
        .join(HistoryRow, HistoryRow.movie_id == Movie.id)
        .outerjoin(Rating, (Rating.movie_id == Movie.id) & (Rating.user_id == history_import.user_id))
        .where(HistoryRow.import_id == history_import.id)
        .order_by(sa.func.lower(Movie.title), Movie.id)
    )
    return paginate(query, page, per_page, make=MatchedRow)


def discard(user_id: int, import_id: int) -> None:
    """Delete an import that is not saved, and commit; a saved one stays and can be undone.

    Raises:
        NotFound: this user has no import with this id.
    """
    found = find_import(user_id, import_id)
    if found.state == "waiting":
        db.session.delete(found)
    db.session.commit()


def delete_old_imports(user_id: int) -> None:
    """Delete the user's undecided imports and all but the newest MAX_IMPORTS - 1 others. Does not commit."""
    kept = (
        sa.select(HistoryImport.id)
        .where(HistoryImport.user_id == user_id, HistoryImport.state != "waiting")
        .order_by(HistoryImport.id.desc())
        .limit(MAX_IMPORTS - 1)
    )
    db.session.execute(
        sa.delete(HistoryImport).where(HistoryImport.user_id == user_id, HistoryImport.id.not_in(kept)),
        execution_options={"synchronize_session": False},
    )
