"""Users, their API tokens, the rating files they bring along, and records of deleted accounts."""

import hashlib
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship

from recsite.extensions import db

from .columns import UTCDateTime, now


class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]  # db.Model is made at run time
    """A person: an account, or the author of imported ratings (no password, cannot log in)."""

    __tablename__ = "users"
    __table_args__ = (
        # Workers look for lists that are behind every few seconds, and mostly there are none.
        sa.Index(
            "ix_users_list_behind",
            "id",
            sqlite_where=sa.text("list_rating_generation <> rating_generation"),
            postgresql_where=sa.text("list_rating_generation <> rating_generation"),
        ),
        # A deleted user's id must never be given to somebody else.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(150), unique=True)
    email: Mapped[str | None] = mapped_column(sa.String(254))
    password_hash: Mapped[str | None] = mapped_column(sa.String(255))
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    last_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    rating_generation: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    "Goes up with every change of this user's ratings."
    list_generation: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    "Goes up whenever this user's suggestions are written."
    list_version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("model_versions.id", ondelete="SET NULL"))
    "The version that the suggestion rows were scored with."
    list_rating_generation: Mapped[int | None]
    """The rating generation that the suggestion rows were scored for.

    None for whoever never rated here and was never scored, whatever was imported.
    """

    @property
    def password_mark(self) -> str:
        """Another one after each change of the password; the salt in the hash keeps it from telling anything."""
        return hashlib.sha256((self.password_hash or "").encode()).hexdigest()[:24]

    def get_id(self) -> str:
        """What a session keeps of whose it is: a change of the password ends those that began before."""
        return f"{self.id}.{self.password_mark}"


class ApiToken(db.Model):  # type: ignore[name-defined,misc]
    """A token that acts as its user; only its SHA-256 is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    user: Mapped[User] = relationship()


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
