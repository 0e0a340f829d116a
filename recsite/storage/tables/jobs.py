"""The tables of background work: runs and their blocks."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from recsite.extensions import db

from .columns import UTCDateTime, now

CANCELLED_BY = "Cancelled by {}."
"`error` of a cancelled run; erasure of the user finds it by this text."


class Run(db.Model):  # type: ignore[name-defined,misc]
    """Work that a user or the schedule asked for; at most one run per kind and subject is queued or running."""

    __tablename__ = "runs"
    __table_args__ = (
        sa.Index(
            "uq_runs_one_live",
            "kind",
            "subject",
            unique=True,
            sqlite_where=sa.text("state IN ('queued', 'running')"),
            postgresql_where=sa.text("state IN ('queued', 'running')"),
        ),
        sa.CheckConstraint("state IN ('queued', 'running', 'finished', 'failed', 'cancelled')", name="state"),
        # SQLite must not give the id of a deleted run to another run.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(30))
    subject: Mapped[str] = mapped_column(sa.String(100), default="", server_default="")
    "What the run is about, where several runs of its kind may be live at once; '' otherwise."
    idempotency_key: Mapped[str | None] = mapped_column("slot", sa.String(60), unique=True)
    "Entry and due time of the schedule: asking again with the same key returns the same run."
    asked_by: Mapped[str] = mapped_column(sa.String(150))
    parameters: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    state: Mapped[str] = mapped_column(sa.String(10), default="queued")
    "'queued', 'running', 'finished', 'failed' or 'cancelled'."
    done: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    total: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    "0 until it is known."
    failed_blocks: Mapped[list[int]] = mapped_column(sa.JSON, default=list)
    "The numbers of the blocks that failed although the run is finished."
    outcome: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    "The result in words, such as 'model-84'."
    error: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @property
    def is_live(self) -> bool:
        """Whether the run is queued or running."""
        return self.state in ("queued", "running")

    @property
    def seconds(self) -> float | None:
        """Seconds from the start to the end or to now; None for a run that has not started."""
        return ((self.ended_at or now()) - self.started_at).total_seconds() if self.started_at else None

    @property
    def is_whole(self) -> bool:
        """Whether the run finished without a failed block."""
        return self.state == "finished" and not self.failed_blocks

    @property
    def state_text(self) -> str:
        """The state in words; a finished run with failed blocks says so."""
        if self.state == "finished" and self.failed_blocks:
            number = len(self.failed_blocks)
            return f"finished with {number} failed block{'s' if number > 1 else ''}"
        return self.state


class RunBlock(db.Model):  # type: ignore[name-defined,misc]
    """A part of a run that one worker claims and does. A run that finished as a whole keeps no blocks."""

    __tablename__ = "run_blocks"

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    "0 is the run's own function; a scoring or training replaces it by the blocks 1, 2, … of users or pieces."
    user_ids: Mapped[list[int]] = mapped_column(sa.JSON, default=list)
    size: Mapped[int] = mapped_column(default=0)
    "The number of users or pieces; 0 for a block that begins or completes the run."
    state: Mapped[str] = mapped_column(sa.String(10), default="queued")
    "'queued', 'running', 'finished' or 'failed'; 'waiting' until all others are finished."
    attempts: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    "How many times a worker claimed the block since its run was queued."
    due_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    "A queued block is not claimed before this time."
    claimed_by: Mapped[str | None] = mapped_column(sa.String(36))
    "The id of the RQ job that claimed the block last."
    heartbeat_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    "When the worker of a running block last renewed its lease."
    error: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
