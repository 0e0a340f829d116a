"""Imports of data sets."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from recsite.extensions import db

from .columns import UTCDateTime, now


class DatasetImport(db.Model):  # type: ignore[name-defined,misc]
    """An import of a data set. The ratings that it wrote are in a file, see `importers.kept`."""

    __tablename__ = "dataset_imports"
    # A later import must never take the file of an earlier one with the same id.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(sa.String(500))
    "The path that was imported."
    format: Mapped[str] = mapped_column(sa.String(20))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    "Of the file, or of all files of the folder in the order of their names."
    imported_by: Mapped[str] = mapped_column(sa.String(150))
    imported_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    undone_by: Mapped[str | None] = mapped_column(sa.String(150))
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    report: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    "See `importers.report.Report.as_json`."
