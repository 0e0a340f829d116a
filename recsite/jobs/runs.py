"""Runs: work that was asked for, who asked, how far it is and how it ended. The database says who may."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from recsite.errors import InvalidInput, RunInTheWay, RunIsOver, RunNotFound
from recsite.extensions import db
from recsite.storage import audit
from recsite.storage.tables import Run, RunBlock, now

LIVE = ("queued", "running")
KEPT_FOR = timedelta(days=90)
"An ended run that is older goes away when the next one starts."
TRIES = 5
LONGEST_NAME = 150

# Every change below is a transaction of its own, on a connection of its own: a run's progress is told in the middle of
# the work, whose transaction must neither be committed by that nor hide it from others.


def start(
    kind: str, asked_by: str, parameters: dict[str, Any] | None = None, subject: str = "", slot: str | None = None
) -> int:
    """Record a queued run and return its id; a `slot` that has its run already gives back that one's id.

    Raises RunInTheWay while a run of this kind and subject is queued or running.
    """
    if len(asked_by) > LONGEST_NAME:
        raise InvalidInput(f"The name of who asks has {len(asked_by)} characters; at most {LONGEST_NAME} are kept.")
    row = {"kind": kind, "subject": subject, "slot": slot, "asked_by": asked_by, "parameters": parameters or {}}
    for _ in range(TRIES):
        try:
            with db.engine.begin() as connection:
                connection.execute(sa.delete(Run).where(Run.ended_at < now() - KEPT_FOR))
                return connection.execute(sa.insert(Run).values(row).returning(Run.id)).scalar_one()
        except sa.exc.IntegrityError:
            known = find_by_slot(slot) if slot else None
            if known is not None:
                return known
            refuse_if_in_the_way(kind, subject)
    raise RunIsOver(f"Runs of the kind {kind} come and go too fast to start another one; try again.")


def find_by_slot(slot: str) -> int | None:
    """The id of the run that this line of the schedule asked for at this time."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(Run.id).where(Run.slot == slot)).scalar()


def refuse_if_in_the_way(kind: str, subject: str) -> None:
    """Raises RunInTheWay if a run of this kind and subject is live."""
    query = sa.select(Run.id, Run.state, Run.asked_by).where(
        Run.kind == kind, Run.subject == subject, Run.state.in_(LIVE)
    )
    with db.engine.connect() as connection:
        row = connection.execute(query).first()
    if row is not None:
        raise RunInTheWay(row.id, kind, row.state, row.asked_by)


def find(run_id: int) -> Run:
    """The run as it is now; raises RunNotFound."""
    run: Run | None = db.session.get(Run, run_id, populate_existing=True)
    if run is None:
        raise RunNotFound(run_id)
    return run


def list_latest(limit: int) -> Sequence[Run]:
    """The live runs first, then those that ended last."""
    order = (Run.state.in_(LIVE).desc(), Run.id.desc())
    return db.session.scalars(
        sa.select(Run).order_by(*order).limit(limit), execution_options={"populate_existing": True}
    ).all()


def count_by_state() -> list[tuple[str, str, int]]:
    """How many runs of each kind are in each state: (kind, state, runs)."""
    counted = sa.select(Run.kind, Run.state, sa.func.count()).group_by(Run.kind, Run.state)
    return [(kind, state, n_runs) for kind, state, n_runs in db.session.execute(counted)]


def list_silent(since: timedelta) -> Sequence[Run]:
    """The live runs of which nobody was heard for this long, the oldest first."""
    query = sa.select(Run).where(Run.state.in_(LIVE), Run.heard_at < now() - since).order_by(Run.id)
    return db.session.scalars(query, execution_options={"populate_existing": True}).all()


def claim(run_id: int, attempt: int) -> Run | None:
    """The run is running now; None when it is not to be done any more: ended, or another attempt's.

    A worker that takes over from a dead one claims it again.
    """
    at = now()
    claimed = change(
        sa.update(Run)
        .where(Run.id == run_id, Run.attempt == attempt, Run.state.in_(LIVE))
        .values(state="running", started_at=sa.func.coalesce(Run.started_at, at), heard_at=at)
    )
    return find(run_id) if claimed else None


def report(run_id: int, attempt: int, done: int, total: int) -> bool:
    """Keep how far the run is; False when it is not running any more, and work on it should end."""
    return change(
        sa.update(Run)
        .where(Run.id == run_id, Run.attempt == attempt, Run.state == "running")
        .values(done=done, total=total, heard_at=now())
    )


def touch(run_id: int) -> None:
    """Somebody works on the run, or looks after it."""
    change(sa.update(Run).where(Run.id == run_id, Run.state.in_(LIVE)).values(heard_at=now()))


def finish(run_id: int, attempt: int, outcome: str = "") -> bool:
    """The run did all that was asked for; False when it was ended before."""
    at = now()
    return change(
        sa.update(Run)
        .where(Run.id == run_id, Run.attempt == attempt, Run.state == "running")
        .values(state="finished", done=Run.total, outcome=outcome, error="", ended_at=at, heard_at=at)
    )


def fail(run_id: int, attempt: int, error: str) -> bool:
    """The run ended with this error; False when it was ended before."""
    return change(
        sa.update(Run)
        .where(Run.id == run_id, Run.attempt == attempt, Run.state.in_(LIVE))
        .values(state="failed", error=error, ended_at=now())
    )


def cancel(run_id: int, by: str) -> Run:
    """The run is cancelled, and whoever works on it stops when they look; raises RunNotFound, RunIsOver."""
    cancelled = change(
        sa.update(Run)
        .where(Run.id == run_id, Run.state.in_(LIVE))
        .values(state="cancelled", error=f"Cancelled by {by}.", ended_at=now())
    )
    run = find(run_id)
    if not cancelled:
        raise RunIsOver(f"Run {run_id} is {run.state_text}; only one that is queued or running can be cancelled.")
    record("cancel", by, run)
    return run


def requeue(run_id: int, by: str) -> Run:
    """A run that did not do all of its work is queued again for what is left of it.

    Raises RunNotFound, RunIsOver for one that is live or did all, RunInTheWay for another of its kind.
    """
    run = find(run_id)
    if run.is_live or run.is_whole:
        raise RunIsOver(f"Run {run_id} is {run.state_text}; there is nothing to retry.")
    fresh: dict[str, Any] = {"state": "queued", "error": "", "failed_blocks": [], "started_at": None, "ended_at": None}
    again = sa.update(Run).where(Run.id == run_id, Run.attempt == run.attempt, Run.state.not_in(LIVE))
    blocks = sa.update(RunBlock).where(RunBlock.run_id == run_id, RunBlock.state == "failed")
    try:
        with db.engine.begin() as connection:
            connection.execute(again.values(attempt=Run.attempt + 1, heard_at=now(), **fresh))
            connection.execute(blocks.values(state="queued", error=""))
    except sa.exc.IntegrityError:
        refuse_if_in_the_way(run.kind, run.subject)
        raise
    record("retry", by, run)
    return find(run_id)


def record(action: str, by: str, run: Run) -> None:
    """The log of changes has it."""
    audit.record(by, action, "queue", run.id, f"run {run.id}: {run.kind}")
    db.session.commit()


def change(statement: sa.Update) -> bool:
    """Run this update in a transaction of its own; whether it met a row."""
    with db.engine.begin() as connection:
        return connection.execute(statement).rowcount > 0
