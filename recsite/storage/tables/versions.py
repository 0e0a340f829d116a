"""Model versions, the history of activations, and the coverage of the catalogue by the lists."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from recsite.extensions import db

from .columns import UTCDateTime, now


class ModelVersion(db.Model):  # type: ignore[name-defined,misc]
    """A trained version. Its files never change after this row is written."""

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
    "Of the .pkl file."
    manifest_sha256: Mapped[str] = mapped_column(sa.String(64))
    "Of manifest.json, which names the SHA-256 of every array."
    pruned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "When its files were removed. The row stays, because the history refers to it."


class Activation(db.Model):  # type: ignore[name-defined,misc]
    """One activation: from which version to which, by whom, when and why."""

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
    """The number of lists that contained a movie at the last measurement; no row for a movie that was in none."""

    __tablename__ = "movie_reach"

    movie_id: Mapped[int] = mapped_column(
        sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    lists: Mapped[int] = mapped_column(index=True)
    first_ten: Mapped[int]
    "Number of lists with the movie among the first ten."


class ReachMeasure(db.Model):  # type: ignore[name-defined,misc]
    """The coverage of the catalogue by all lists at one time."""

    __tablename__ = "reach_measures"

    id: Mapped[int] = mapped_column(primary_key=True)
    measured_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    model_version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("model_versions.id", ondelete="SET NULL"))
    "The active version at that time."
    users: Mapped[int]
    "Number of users with a list."
    places: Mapped[int]
    "Number of places in all lists together."
    movies: Mapped[int]
    "Number of movies that a list could show."
    suggested: Mapped[int]
    "Number of movies in at least one list."
    first_ten: Mapped[int]
    "Number of movies among the first ten of at least one list."
    widespread: Mapped[int]
    "Number of movies in the lists of more than WIDESPREAD_SHARE of the users."
