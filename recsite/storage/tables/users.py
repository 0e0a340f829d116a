"""Users, their API tokens and feeds, the rating files that they import, and records of deleted accounts."""

import hashlib
import unicodedata
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from recsite.extensions import db

from .columns import LONGEST_SITE_ID, UTCDateTime, now

FIRST_ACCOUNT_ID = 1_000_000_000
"The database gives ids from this one on; smaller ids belong to imported data, and to accounts of older versions."
LOOK_LIKE_LATIN = str.maketrans("авеікмнорсѕтухјһԁαινορυκ", "abeikmhopcstyxjhdaivopuk")
"Lower-case Cyrillic and Greek letters, and the Latin ones that they or their capitals look like."


def name_key_of(name: str) -> str:
    """Return a text that is equal for names that differ only in case, form (NFKC) or letters that look alike."""
    folded = unicodedata.normalize("NFKC", name).casefold().translate(LOOK_LIKE_LATIN)
    return unicodedata.normalize("NFKC", folded)


class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]  # db.Model is made at run time
    """An account, or the author of imported ratings, who has no password and cannot log in."""

    __tablename__ = "users"
    __table_args__ = (
        sa.Index("uq_users_name_key", "name_key", unique=True),
        sa.Index("uq_users_site_id", "site_id", unique=True),
        # Workers look for outdated lists every few seconds, and usually there are none.
        sa.Index(
            "ix_users_list_behind",
            "id",
            sqlite_where=sa.text("list_rating_generation <> rating_generation"),
            postgresql_where=sa.text("list_rating_generation <> rating_generation"),
        ),
        # The id of a deleted user must never be reused.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(150), unique=True)
    name_key: Mapped[str | None] = mapped_column(sa.String(500))
    """Equal for names that look alike, see `name_key_of`.

    NULL for imported users, and where an older version gave a name that looks like an earlier one.
    """
    site_id: Mapped[str | None] = mapped_column(sa.String(LONGEST_SITE_ID))
    "The id that the site itself gives to this user; see `accounts.site_ids`."
    email: Mapped[str | None] = mapped_column(sa.String(254))
    password_hash: Mapped[str | None] = mapped_column(sa.String(255))
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    last_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    session_generation: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    "Incremented by each log-out, which ends all sessions of the user."
    rating_generation: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    "Incremented by every change of this user's ratings."
    list_generation: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    "Incremented whenever this user's suggestions are written."
    list_version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("model_versions.id", ondelete="SET NULL"))
    "The version that scored the suggestion rows."
    list_rating_generation: Mapped[int | None]
    """The rating generation that the suggestion rows were scored for.

    NULL until the user first rates on this site or is scored; imports alone do not set it.
    """

    @validates("username")
    def set_name_key(self, _key: str, username: str) -> str:
        """Keep `name_key` that of the name."""
        self.name_key = name_key_of(username)
        return username

    @property
    def session_mark(self) -> str:
        """Return a text that changes with the password and with each log-out.

        It reveals nothing, because the hash is salted. Generation 0 adds nothing, so older sessions go on.
        """
        generation = f" {self.session_generation}" if self.session_generation else ""
        return hashlib.sha256(f"{self.password_hash or ''}{generation}".encode()).hexdigest()[:24]

    def get_id(self) -> str:
        """Return the id for sessions. Its mark ends all sessions at a log-out and with a new password."""
        return f"{self.id}.{self.session_mark}"


class ApiToken(db.Model):  # type: ignore[name-defined,misc]
    """An API token that acts as its user, or for the site with some scopes; only its SHA-256 is stored."""

    __tablename__ = "api_tokens"
    __table_args__ = (sa.CheckConstraint("(user_id IS NULL) = (scopes IS NOT NULL)", name="user_or_scopes"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    "NULL for a token of the site."
    token_sha256: Mapped[str] = mapped_column(sa.String(64), unique=True)
    label: Mapped[str | None] = mapped_column(sa.String(100))
    "What a token of the site is for."
    scopes: Mapped[str | None] = mapped_column(sa.String(200))
    "What a token of the site may do, separated by spaces; NULL for a user's token."
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "NULL for a token that does not expire."
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "Accurate to a minute."
    user: Mapped[User | None] = relationship()


class FeedToken(db.Model):  # type: ignore[name-defined,misc]
    """The secret in the addresses of a feed, which shows its user's suggestions; only its SHA-256 is stored."""

    __tablename__ = "feed_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "Accurate to some minutes."


class HistoryImport(db.Model):  # type: ignore[name-defined,misc]
    """A file of ratings that a user imports, and its state."""

    __tablename__ = "history_imports"
    __table_args__ = (
        sa.CheckConstraint("state IN ('waiting', 'saved', 'undone')", name="state"),
        # The button of an old page must never save a newer file with a reused id.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    file_name: Mapped[str] = mapped_column(sa.String(255))
    state: Mapped[str] = mapped_column(sa.String(10), default="waiting")
    "'waiting' for the user's confirmation, 'saved' as ratings, or 'undone'."
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    saved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    report: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    "Counts of matched and unmatched rows; see history.matching.Report."


class HistoryRow(db.Model):  # type: ignore[name-defined,misc]
    """A rating from an imported file whose movie was found, and the rating that it replaces."""

    __tablename__ = "history_rows"

    import_id: Mapped[int] = mapped_column(sa.ForeignKey("history_imports.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True, index=True)
    value: Mapped[float]
    "In stars."
    timestamp: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "NULL for a file without times, until it is saved."
    is_saved: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    "Whether saving wrote this rating, so that undoing has to restore the former one."
    former_value: Mapped[float | None]
    former_timestamp: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Erasure(db.Model):  # type: ignore[name-defined,misc]
    """A record that the user with this id was deleted. Nothing else about the person is stored."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(unique=True)
    "This id is never reused, and imports skip it."
    receipt_key: Mapped[str] = mapped_column(sa.String(64), unique=True)
    "Grants reading of the receipt."
    receipt: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    erased_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    exports_cleaned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "NULL while files of earlier exports may still contain the user's ratings."
