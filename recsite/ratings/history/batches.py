"""A file that a user brought along: proposed, then saved as ratings all at once, and undone all at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from recsite import movies, ratings
from recsite.errors import BrokenDataset, NotFound
from recsite.extensions import db
from recsite.ratings.history import matching, reading
from recsite.ratings.history.matching import Matches
from recsite.ratings.history.reading import Reading
from recsite.ratings.history.writing import rate_all, unrate_all, write
from recsite.storage.paging import Page
from recsite.storage.tables import HistoryImport, HistoryRow, Movie, Rating, now

IMPORTS_KEPT = 10
"Of one user; an older one cannot be undone any more."
NAMES_KEPT = 500
"Of each list in a report."
FILE_NAME_KEPT = 255

mine: sa.Table = HistoryRow.__table__
ratings_table: sa.Table = Rating.__table__
WITH_RATINGS = (
    sa.select(mine.c.movie_id, mine.c.value, mine.c.timestamp, mine.c.former_value, mine.c.former_timestamp)
    .add_columns(ratings_table.c.value.label("current_value"), ratings_table.c.timestamp.label("current_timestamp"))
    .outerjoin_from(
        mine,
        ratings_table,
        (ratings_table.c.movie_id == mine.c.movie_id) & (ratings_table.c.user_id == sa.bindparam("user")),
    )
    .where(mine.c.import_id == sa.bindparam("batch"))
    .order_by(mine.c.movie_id)
)
"Each row of an import beside what the user's rating of the movie is now."
KEEP = (
    sa.update(mine)
    .where(mine.c.import_id == sa.bindparam("batch"), mine.c.movie_id == sa.bindparam("movie"))
    .values(
        is_saved=True,
        timestamp=sa.bindparam("at"),
        former_value=sa.bindparam("former"),
        former_timestamp=sa.bindparam("former_at"),
    )
)


@dataclass(frozen=True)
class Standing:
    """How the rows of an import stand beside the user's ratings as they are now."""

    new: int
    same: int
    "Rated with the same value already."
    other: int
    "Rated with another value."


@dataclass(frozen=True)
class Row:
    """A matched row as its page shows it."""

    movie: Movie
    value: float
    current: float | None
    "What the user's rating is now."


def propose(user_id: int, file_name: str, content: bytes) -> HistoryImport:
    """Read and match a file, and keep what was found until the user says what to do with it; no rating changes.

    An earlier proposal that nobody answered goes away. Raises BrokenDataset, saying what is wrong with the file.
    """
    file_name = " ".join(file_name.split())[:FILE_NAME_KEPT] or "the file"
    found = reading.read(file_name, content)
    if not found.entries and not found.report.ratings.refused:
        raise BrokenDataset(f"{file_name} has no ratings in it.")
    matches = matching.match(found.entries)
    forget_old(user_id)
    batch = HistoryImport(user_id=user_id, file_name=file_name, report=report_of(found, matches))
    db.session.add(batch)
    db.session.flush()
    write(
        sa.insert(mine),
        [
            {"import_id": batch.id, "movie_id": movie_id, "value": entry.value, "timestamp": entry.at}
            for movie_id, entry in matches.found.items()
        ],
    )
    db.session.commit()
    return batch


def report_of(found: Reading, matches: Matches) -> dict[str, Any]:
    """What the page of the import says, as JSON: counts, and the first NAMES_KEPT of each list."""
    refused = [
        {"line": each.line, "reason": reason, "given": each.given}
        for reason, refusals in found.report.refusals.items()
        for each in refusals
    ]
    ambiguous = [
        {"line": entry.line, "label": entry.label, "movies": [list(known) for known in candidates[:5]]}
        for entry, candidates in matches.ambiguous[:NAMES_KEPT]
    ]
    not_found = [{"line": entry.line, "label": entry.label} for entry in matches.not_found[:NAMES_KEPT]]
    return {
        "read": found.report.ratings.read,
        "unrated": found.unrated,
        "users": found.users,
        "matched": len(matches.found),
        "merged": matches.merged,
        "nearly": matches.nearly,
        "ambiguous": ambiguous,
        "ambiguous_count": len(matches.ambiguous),
        "not_found": not_found,
        "not_found_count": len(matches.not_found),
        "refused": sorted(refused, key=lambda each: each["line"]),
        "refused_count": found.report.ratings.refused,
    }


def find(user_id: int, import_id: int) -> HistoryImport:
    """The user's import of this id; raises NotFound, also for somebody else's."""
    query = sa.select(HistoryImport).where(HistoryImport.id == import_id, HistoryImport.user_id == user_id)
    batch: HistoryImport | None = db.session.scalar(query, execution_options={"populate_existing": True})
    if batch is None:
        raise NotFound("Import not found")
    return batch


def list_imports(user_id: int) -> Sequence[HistoryImport]:
    """The user's imports, the newest first."""
    return db.session.scalars(
        sa.select(HistoryImport).where(HistoryImport.user_id == user_id).order_by(HistoryImport.id.desc())
    ).all()


def standing_of(batch: HistoryImport) -> Standing:
    """How many rows are new, how many are rated already."""
    joined = WITH_RATINGS.order_by(None).subquery()
    same = joined.c.current_value == joined.c.value
    counts = sa.select(
        sa.func.count().filter(joined.c.current_value.is_(None)),
        sa.func.count().filter(same),
        sa.func.count().filter(~same),
    )
    return Standing(*db.session.execute(counts, {"user": batch.user_id, "batch": batch.id}).one())


def rows_of(batch: HistoryImport, page: int, per_page: int) -> Page[Row]:
    """The matched rows in the order of their titles."""
    query = (
        sa.select(Movie, HistoryRow.value, Rating.value)
        .join(HistoryRow, HistoryRow.movie_id == Movie.id)
        .outerjoin(Rating, (Rating.movie_id == Movie.id) & (Rating.user_id == batch.user_id))
        .where(HistoryRow.import_id == batch.id)
        .order_by(sa.func.lower(Movie.title), Movie.id)
    )
    total = db.session.scalar(sa.select(sa.func.count()).where(HistoryRow.import_id == batch.id)) or 0
    rows = db.session.execute(query.limit(per_page).offset((page - 1) * per_page))
    return Page([Row(*row) for row in rows], page, per_page, total)


def save(user_id: int, import_id: int, *, replace: bool) -> HistoryImport:
    """The file's ratings are the user's, all or none of them; with `replace` also where another value stood.

    1. Lock the user by counting up the generation, once.
    2. Write what is new or other, and keep beside it what stood there.
    3. Note it on the suggestions, and refresh the movies' averages.

    Saving again changes nothing. The list is left to the caller, once. Raises NotFound, UserNotFound.
    """
    ratings.change_generation(user_id)
    batch = find(user_id, import_id)
    if batch.state != "waiting":
        db.session.rollback()
        return find(user_id, import_id)
    at = now()
    rows = db.session.execute(WITH_RATINGS, {"user": user_id, "batch": batch.id}).all()
    chosen = [row for row in rows if row.current_value is None or (replace and row.current_value != row.value)]
    dated = [(row, row.timestamp or at) for row in chosen]
    write(
        KEEP,
        [
            {"batch": batch.id, "movie": row.movie_id, "at": when}
            | {"former": row.current_value, "former_at": row.current_timestamp}
            for row, when in dated
        ],
    )
    rate_all(user_id, [(row.movie_id, row.value, when) for row, when in dated])
    batch.state, batch.saved_at = "saved", at
    batch.report = batch.report | {
        "new": sum(row.current_value is None for row in rows),
        "same": sum(row.current_value == row.value for row in rows),
        "other": sum(row.current_value not in (None, row.value) for row in rows),
        "replaced": replace,
    }
    movies.refresh_averages(row.movie_id for row in chosen)
    db.session.commit()
    return batch


def undo(user_id: int, import_id: int) -> HistoryImport:
    """What the import wrote is as it was before, all at once; what the user changed since stays.

    Undoing again changes nothing. The list is left to the caller. Raises NotFound, UserNotFound.
    """
    ratings.change_generation(user_id)
    batch = find(user_id, import_id)
    if batch.state != "saved":
        db.session.rollback()
        return find(user_id, import_id)
    saved = db.session.execute(WITH_RATINGS.where(mine.c.is_saved), {"user": user_id, "batch": batch.id}).all()
    mended = [row for row in saved if (row.current_value, row.current_timestamp) == (row.value, row.timestamp)]
    unrate_all(user_id, [row.movie_id for row in mended if row.former_value is None])
    rate_all(
        user_id,
        [(row.movie_id, row.former_value, row.former_timestamp) for row in mended if row.former_value is not None],
    )
    batch.state, batch.undone_at = "undone", now()
    batch.report = batch.report | {"taken_back": len(mended), "left": len(saved) - len(mended)}
    movies.refresh_averages(row.movie_id for row in mended)
    db.session.commit()
    return batch


def discard(user_id: int, import_id: int) -> None:
    """A proposal is forgotten; one that was saved stays, for it can be undone. Raises NotFound."""
    batch = find(user_id, import_id)
    if batch.state == "waiting":
        db.session.delete(batch)
    db.session.commit()


def forget_old(user_id: int) -> None:
    """The user has no unanswered proposal, and room for one more import. Does not commit."""
    kept = (
        sa.select(HistoryImport.id)
        .where(HistoryImport.user_id == user_id, HistoryImport.state != "waiting")
        .order_by(HistoryImport.id.desc())
        .limit(IMPORTS_KEPT - 1)
    )
    db.session.execute(
        sa.delete(HistoryImport).where(HistoryImport.user_id == user_id, HistoryImport.id.not_in(kept)),
        execution_options={"synchronize_session": False},
    )
