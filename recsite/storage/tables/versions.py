"""Model versions, the history of activations, and how much of the catalogue the lists cover."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from recsite.extensions import db

from .columns import UTCDateTime, now


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
