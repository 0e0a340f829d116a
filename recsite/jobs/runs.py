"""Runs: start, cancel, retry and list work that was asked for.

The rows are the truth, and RQ wakes the workers. A run begins with one block, number 0 (see blocks.py).
"""

import contextlib
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app

from recsite.errors import InvalidInput, QueueUnavailable, RunInTheWay, RunIsOver, RunNotFound
from recsite.extensions import db
from recsite.jobs import blocks
from recsite.jobs.blocks import LIVE, WAITING, WHOLE_RUN
from recsite.storage import audit, webhooks
from recsite.storage.queue import queueing
from recsite.storage.tables import CANCELLED_BY, Run, RunBlock, now
from recsite.versions import plan, training

RETENTION = timedelta(days=90)
"An ended run that is older is deleted when the next run starts."
LONGEST_NAME = 150
MOST_TRIES = 5
MOST_ENQUEUED = 1000
"RQ jobs that wait at a time; further ones follow when these are done."
TIME_LIMIT_FACTOR = 4
"Times the planned seconds of a whole training: the time limit of each of its blocks, on a slow or busy host."
DO_NEXT = "recsite.jobs.tasks.do_next"
"The function that every RQ job calls, by its name because that module imports this one."

log = logging.getLogger(__name__)


def start(
    kind: str, by: str, subject: str = "", key: str | None = None, *, may_wait: bool = False, **parameters: Any
) -> int:
    """Record and enqueue a run of this kind (see tasks.KINDS); return its id, or that of the run with this key.

    `parameters` are JSON values; None is left out.

    Raises:
        RunInTheWay: a run of this kind and subject is queued or running.
        QueueUnavailable: Redis does not answer. The run has failed; one with a key, or one that `may_wait`, waits.
    """
    if len(by) > LONGEST_NAME:
        raise InvalidInput(f"The name of who asks has {len(by)} characters; at most {LONGEST_NAME} are kept.")
    chosen = {name: value for name, value in parameters.items() if value is not None}
    run_id = insert(kind=kind, asked_by=by, subject=subject, idempotency_key=key, parameters=chosen)
    enqueue_or_fail(run_id, may_wait=may_wait or key is not None)
    return run_id


def insert(**columns: Any) -> int:
    """Insert a queued run with its block 0, and delete runs past their retention; return the id as `start` does."""
    key, kind, subject = columns["idempotency_key"], columns["kind"], columns["subject"]
    same_key = sa.select(Run.id).where(Run.idempotency_key == key)
    for _ in range(MOST_TRIES):
        try:
            with db.engine.begin() as connection:
                connection.execute(sa.delete(Run).where(Run.ended_at < now() - RETENTION))
                run_id: int = connection.execute(sa.insert(Run).values(columns).returning(Run.id)).scalar_one()
                connection.execute(sa.insert(RunBlock).values(run_id=run_id, number=WHOLE_RUN))
                return run_id
        except sa.exc.IntegrityError:
            with db.engine.connect() as connection:
                known = connection.execute(same_key).scalar() if key else None
            if known is not None:
                return known
            refuse_second(kind, subject)
            # The run in the way has ended since; try again.
    raise RunIsOver(f"Runs of the kind {kind} start and end too fast to start another one; try again.")


def refuse_second(kind: str, subject: str) -> None:
    """Raise RunInTheWay if a run of this kind and subject is live."""
    live = sa.select(Run.id, Run.kind, Run.state, Run.asked_by).where(Run.state.in_(LIVE))
    with db.engine.connect() as connection:
        found = connection.execute(live.where(Run.kind == kind, Run.subject == subject)).first()
    if found is not None:
        raise RunInTheWay(*found)


def enqueue_due() -> None:
    """Enqueue RQ jobs until as many wait as blocks and deliveries of webhooks are due.

    Only the number matters: any job does any of them, and one for which nothing is due ends at once. So the next call
    makes up for jobs that Redis or a worker lost.

    Raises:
        QueueUnavailable: Redis does not answer.
    """
    missing = min(blocks.count_due() + webhooks.count_due(), MOST_ENQUEUED) - queueing.count_jobs()
    if missing > 0:
        queueing.enqueue(DO_NEXT, missing, find_time_limit())


def find_time_limit() -> int:
    """Return the seconds that a job may take: JOB_TIMEOUT_SECONDS, or what the plan of a live training asks for."""
    limit: int = current_app.config["JOB_TIMEOUT_SECONDS"]
    live = sa.select(Run.parameters).where(Run.kind == "train", Run.state.in_(LIVE))
    with db.engine.connect() as connection:
        parameters: dict[str, Any] | None = connection.execute(live).scalar()
    if parameters is None:
        return limit
    planned = plan.make_plan(training.set_up_of_run(parameters), current_app.config["WORKER_THREADS"])
    return max(limit, round(TIME_LIMIT_FACTOR * planned.seconds))


def enqueue_or_fail(run_id: int, *, may_wait: bool = False) -> None:
    """Enqueue RQ jobs for the run. Without Redis, fail the run unless it `may_wait`, and raise QueueUnavailable."""
    try:
        enqueue_due()
    except QueueUnavailable as error:
        if not may_wait:
            with db.engine.begin() as connection:
                blocks.end_run(connection, run_id, state="failed", error=str(error))
        raise


def cancel(run_id: int, by: str) -> None:
    """Cancel the run and stop the processes that work on it; without Redis they stop at their next progress report.

    Raises:
        RunNotFound: no run has this id.
        RunIsOver: the run is neither queued nor running.
    """
    run = sa.update(Run).where(Run.id == run_id, Run.state.in_(LIVE))
    working = sa.select(RunBlock.claimed_by).where(RunBlock.run_id == run_id, RunBlock.state == "running")
    cancelled = {"state": "cancelled", "error": CANCELLED_BY.format(by), "ended_at": now()}
    with db.engine.begin() as connection:
        is_cancelled = connection.execute(run.values(cancelled)).rowcount == 1
        job_ids = connection.execute(working).scalars().all()
    found = find(run_id)
    if not is_cancelled:
        raise RunIsOver(f"Run {run_id} is {found.state_text}; only one that is queued or running can be cancelled.")
    record("cancel", by, found)
    try:
        queueing.stop(job_id for job_id in job_ids if job_id)
    except QueueUnavailable:
        log.warning("Redis does not answer; the work of run %d stops at its next progress report.", run_id)


def retry(run_id: int, by: str) -> None:
    """Queue what a failed, cancelled or partly finished run left undone.

    Raises:
        RunNotFound: no run has this id.
        RunIsOver: the run is live, or nothing of it is undone.
        RunInTheWay: another run of this kind and subject is live.
        QueueUnavailable: Redis does not answer; the run has failed.
    """
    found = find(run_id)
    run = sa.update(Run).where(Run.id == run_id, Run.state == found.state, Run.state.not_in(LIVE))
    queued: dict[str, Any] = {"state": "queued", "error": "", "failed_blocks": [], "started_at": None, "ended_at": None}
    undone = sa.update(RunBlock).where(RunBlock.run_id == run_id, RunBlock.state.not_in(("finished", WAITING)))
    fresh = {"state": "queued", "attempts": 0, "due_at": now(), "claimed_by": None, "error": ""}
    try:
        with db.engine.begin() as connection:
            if found.is_whole or connection.execute(run.values(queued)).rowcount != 1:
                raise RunIsOver(f"Run {run_id} is {found.state_text}; there is nothing to retry.")
            connection.execute(undone.values(fresh))
    except sa.exc.IntegrityError:
        refuse_second(found.kind, found.subject)
        raise
    record("retry", by, found)
    enqueue_or_fail(run_id)


def record(action: str, by: str, run: Run) -> None:
    """Add the action to the audit log."""
    audit.record(by, action, "queue", run.id, f"run {run.id}: {run.kind}")
    db.session.commit()


def score_after_activation(by: str) -> str:
    """Start a scoring of all users with the version that is active now; return a sentence that says so.

    A scoring that runs with the previous version is cancelled. Without Redis the new one waits.
    """
    try:
        while True:
            try:
                return f"Scoring of everybody is queued as run {start('score', by, may_wait=True)}."
            except RunInTheWay as error:
                if error.state == "queued":
                    return f"Scoring of everybody is queued already as run {error.run_id}."
                with contextlib.suppress(RunIsOver):
                    cancel(error.run_id, "the switch to another version")
    except QueueUnavailable:
        return "Redis does not answer; everybody is scored when it is back. Lists are made when they are asked for."


def find(run_id: int) -> Run:
    """Return the run, read anew; raise RunNotFound if there is none."""
    run: Run | None = db.session.get(Run, run_id, populate_existing=True)
    if run is None:
        raise RunNotFound(run_id)
    return run


def list_latest(limit: int) -> Sequence[Run]:
    """Return up to `limit` runs: the live ones first, then the others, newest first."""
    latest = sa.select(Run).order_by(Run.state.in_(LIVE).desc(), Run.id.desc()).limit(limit)
    return db.session.scalars(latest, execution_options={"populate_existing": True}).all()


def count_by_state() -> list[tuple[str, str, int]]:
    """Return (kind, state, number of runs) for each kind and state that occurs."""
    counted = sa.select(Run.kind, Run.state, sa.func.count()).group_by(Run.kind, Run.state)
    return [(kind, state, n_runs) for kind, state, n_runs in db.session.execute(counted)]
