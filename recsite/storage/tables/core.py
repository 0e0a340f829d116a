"""The tables. Names and meanings of these columns are promises to other programs."""

import hashlib
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .extensions import db

LARGEST_ID = 2**31 - 1
MOVIE_ID_WITHOUT_TMDB = 1_000_000_000
"A movie without a TMDB id gets this plus its MovieLens id."


def now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """Timezone-aware in and out; SQLite, which keeps no zone, holds UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


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


class Movie(db.Model):  # type: ignore[name-defined,misc]
    """A movie; `rating_count`, `rating_avg` (stars) and `score` are worked out from the ratings."""

    __tablename__ = "movies"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(sa.String(500))
    overview: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    release_date: Mapped[date | None]
    genres: Mapped[str] = mapped_column(sa.String(500), default="", server_default="")
    "Names joined by '|', as in 'Crime|Drama'."
    poster_path: Mapped[str | None] = mapped_column(sa.String(255))
    movielens_id: Mapped[int | None] = mapped_column(index=True)
    imdb_id: Mapped[str | None] = mapped_column(sa.String(12))
    is_hidden: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    rating_count: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"), index=True)
    rating_avg: Mapped[float | None]
    score: Mapped[float | None] = mapped_column(index=True)
    "The mean shrunken toward the mean of all ratings, in stars; null without ratings."

    @property
    def genre_names(self) -> list[str]:
        """The genres as a list."""
        return self.genres.split("|") if self.genres else []


class Rating(db.Model):  # type: ignore[name-defined,misc]
    """What one user gave one movie, in stars."""

    __tablename__ = "ratings"
    __table_args__ = (
        sa.CheckConstraint(
            "value >= 0.5 AND value <= 5.0 AND value * 2 = CAST(value * 2 AS INTEGER)", name="value_in_half_stars"
        ),
        # "In the last days" is asked of ratings by the schedule and by the admin pages.
        sa.Index("ix_ratings_timestamp", "timestamp"),
    )

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True, index=True)
    value: Mapped[float]
    timestamp: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class Dismissal(db.Model):  # type: ignore[name-defined,misc]
    """A movie that a user put aside: the review shows it no more, and their lists neither when it `is_unwanted`."""

    __tablename__ = "dismissals"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True, index=True)
    is_unwanted: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    timestamp: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class Suggestion(db.Model):  # type: ignore[name-defined,misc]
    """One movie in one user's list, as scored by one version; `did_rate` columns are history and outlive scoring."""

    __tablename__ = "suggestions"
    __table_args__ = (
        sa.Index("ix_suggestions_user_id_did_rate_rank", "user_id", "did_rate", "rank"),
        # Holds all that online quality asks for, of the few suggestions that were rated: no row is looked up.
        sa.Index(
            "ix_suggestions_rated",
            "did_rate_timestamp",
            "model_version_id",
            "value",
            "rating_value",
            "timestamp",
            sqlite_where=sa.text("did_rate = 1"),
            postgresql_where=sa.text("did_rate"),
        ),
    )

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True)
    value: Mapped[float]
    "The predicted rating, in stars."
    rank: Mapped[int]
    "1 = best."
    active: Mapped[bool] = mapped_column(default=True, server_default=sa.text("true"))
    did_rate: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    rating_value: Mapped[float | None]
    did_rate_timestamp: Mapped[datetime | None] = mapped_column(UTCDateTime)
    model_version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("model_versions.id", ondelete="SET NULL"))
    timestamp: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    movie: Mapped[Movie] = relationship()


class ModelVersion(db.Model):  # type: ignore[name-defined,misc]
    """A trained version; its files never change once this row is written."""

    __tablename__ = "model_versions"
    __table_args__ = (
        sa.Index(
            "uq_model_versions_one_active",
            "is_active",
            unique=True,
            sqlite_where=sa.text("is_active = 1"),
            postgresql_where=sa.text("is_active"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    rmse: Mapped[float]
    "On held-out folds, in stars."
    mae: Mapped[float]
    "On held-out folds, in stars."
    metrics: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    is_active: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    algorithm: Mapped[str] = mapped_column(sa.String(50))
    parameters: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    rating_count: Mapped[int]
    user_count: Mapped[int]
    movie_count: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    "Of the .pkl."
    manifest_sha256: Mapped[str] = mapped_column(sa.String(64))
    "Of manifest.json, which names the SHA-256 of every array."
    pruned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "When its files were removed; the row stays, for the history names it."


class Activation(db.Model):  # type: ignore[name-defined,misc]
    """One move of the pointer: from which version to which, who, when and why."""

    __tablename__ = "activations"

    id: Mapped[int] = mapped_column(primary_key=True)
    model_version_id: Mapped[int] = mapped_column(sa.ForeignKey("model_versions.id", ondelete="CASCADE"), index=True)
    previous_version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("model_versions.id", ondelete="SET NULL"))
    is_rollback: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    activated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    activated_by: Mapped[str] = mapped_column(sa.String(150))
    reason: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    version: Mapped[ModelVersion] = relationship(foreign_keys=[model_version_id])


class AuditEntry(db.Model):  # type: ignore[name-defined,misc]
    """One change that an admin made; what it names may be gone, so nothing here is a foreign key."""

    __tablename__ = "audit_entries"
    __table_args__ = (sa.Index("ix_audit_entries_kind_subject", "kind", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    by: Mapped[str] = mapped_column(sa.String(150))
    action: Mapped[str] = mapped_column(sa.String(50))
    "What was done, in words: 'hide movie'."
    kind: Mapped[str] = mapped_column(sa.String(20))
    "What it was done to: movie, user, version, queue."
    subject: Mapped[str] = mapped_column(sa.String(150))
    "Its id or name."
    label: Mapped[str] = mapped_column(sa.String(500))
    "What people called it then."
    before: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    reason: Mapped[str] = mapped_column(sa.Text, default="", server_default="")


class MovieReach(db.Model):  # type: ignore[name-defined,misc]
    """In how many lists a movie stood when reach was last measured; no row for one that stood in none."""

    __tablename__ = "movie_reach"

    movie_id: Mapped[int] = mapped_column(
        sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    lists: Mapped[int] = mapped_column(index=True)
    first_ten: Mapped[int]
    "In how many of them among the first ten."


class ReachMeasure(db.Model):  # type: ignore[name-defined,misc]
    """How much of the catalogue the lists showed at one time."""

    __tablename__ = "reach_measures"

    id: Mapped[int] = mapped_column(primary_key=True)
    measured_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    model_version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("model_versions.id", ondelete="SET NULL"))
    "The version that was active then."
    users: Mapped[int]
    "Who had a list."
    places: Mapped[int]
    "Of all lists together."
    movies: Mapped[int]
    "That a list could show."
    suggested: Mapped[int]
    "Movies in at least one list."
    first_ten: Mapped[int]
    "Movies among the first ten of at least one list."
    widespread: Mapped[int]
    "Movies in the lists of more than WIDESPREAD_SHARE of the users."


class Counter(db.Model):  # type: ignore[name-defined,misc]
    """A number by name: 'catalog' goes up with every change of a movie that a list could show."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(sa.String(30), primary_key=True)
    value: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
