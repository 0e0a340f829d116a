"""The tables of what people do with their own data: the histories they bring along, and that they were here."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .extensions import db
from .models import UTCDateTime, now


class HistoryImport(db.Model):  # type: ignore[name-defined,misc]
    """A file of ratings that a user brought along, and what became of it."""

    __tablename__ = "history_imports"
    __table_args__ = (
        sa.CheckConstraint("state IN ('waiting', 'saved', 'undone')", name="state"),
        # The button of an old page must never save a newer file that got the same id.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    file_name: Mapped[str] = mapped_column(sa.String(255))
    state: Mapped[str] = mapped_column(sa.String(10), default="waiting")
    "'waiting' for the user's word, 'saved' as ratings, or 'undone'."
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    saved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    report: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    "What was matched and what was not; see history.matching.Report."


class HistoryRow(db.Model):  # type: ignore[name-defined,misc]
    """One rating of such a file, of a movie that was found, and what stood in its place before."""

    __tablename__ = "history_rows"

    import_id: Mapped[int] = mapped_column(sa.ForeignKey("history_imports.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True, index=True)
    value: Mapped[float]
    "In stars."
    timestamp: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "None in a file without times, until it is saved."
    is_saved: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    "Whether saving wrote this rating, so that undoing has to take it back."
    former_value: Mapped[float | None]
    former_timestamp: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Erasure(db.Model):  # type: ignore[name-defined,misc]
    """That a user of this id was here and is not any more; nothing else about the person is kept."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(unique=True)
    "Not given again, and not filled again by an import."
    receipt_key: Mapped[str] = mapped_column(sa.String(64), unique=True)
    "Who knows it may read the receipt."
    receipt: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    erased_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    exports_cleaned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "None while a file of an earlier export may still have the user's ratings."
