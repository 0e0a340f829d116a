"""The tables of queued work."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from recsite.extensions import db

from .columns import UTCDateTime, now


class Run(db.Model):  # type: ignore[name-defined,misc]
    """Work that somebody or the schedule asked for; at most one of a kind and subject is queued or running."""

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
        # The id of a run that went away must not name another one.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(30))
    subject: Mapped[str] = mapped_column(sa.String(100), default="", server_default="")
    "Whom or what it is about, where a kind may run for several at once; '' otherwise."
    slot: Mapped[str | None] = mapped_column(sa.String(60), unique=True)
    "The line and the time of the schedule that asked for it: asked for again it is the same run."
    asked_by: Mapped[str] = mapped_column(sa.String(150))
    parameters: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    state: Mapped[str] = mapped_column(sa.String(10), default="queued")
    "'queued', 'running', 'finished', 'failed' or 'cancelled'."
    attempt: Mapped[int] = mapped_column(default=1, server_default=sa.text("1"))
    "Goes up with each retry that somebody asks for; what an earlier attempt still says is not heard."
    done: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    total: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    "0 until it is known."
    failed_blocks: Mapped[list[int]] = mapped_column(sa.JSON, default=list)
    "The numbers of the blocks that are not done although the run is finished."
    outcome: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    "What came of it, as 'model-84'."
    error: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    heard_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    "When somebody who works on it last said so."
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @property
    def is_live(self) -> bool:
        """Whether it is queued or running."""
        return self.state in ("queued", "running")

    @property
    def seconds(self) -> float | None:
        """How long it took, or takes so far; None for one that was not begun."""
        return ((self.ended_at or now()) - self.started_at).total_seconds() if self.started_at else None

    @property
    def is_whole(self) -> bool:
        """Whether it did all that was asked for."""
        return self.state == "finished" and not self.failed_blocks

    @property
    def state_text(self) -> str:
        """The state in words: 'finished with 2 failed blocks' is no success."""
        if self.state == "finished" and self.failed_blocks:
            number = len(self.failed_blocks)
            return f"finished with {number} failed block{'s' if number > 1 else ''}"
        return self.state


class RunBlock(db.Model):  # type: ignore[name-defined,misc]
    """The share of a run that one worker does at a time; a run that did all it was asked for keeps none."""

    __tablename__ = "run_blocks"

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_ids: Mapped[list[int]] = mapped_column(sa.JSON)
    size: Mapped[int]
    "The number of users."
    state: Mapped[str] = mapped_column(sa.String(10), default="queued")
    "'queued', 'finished' or 'failed'."
    error: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
