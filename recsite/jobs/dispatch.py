"""From runs to jobs: a run's work is put into the queue, taken out of it, and found again when it got lost."""

import contextlib
import logging
from datetime import timedelta
from typing import Any

from recsite.errors import QueueUnavailable, RunInTheWay, RunIsOver
from recsite.jobs import blocks, runs
from recsite.storage.queue import ENDED, queueing
from recsite.storage.tables import Run

SILENT_FOR = timedelta(seconds=20)
"A run of which nobody was heard for longer is looked after; who works on one is heard of every few seconds."
GIVEN_UP = "A worker gave it up and could not say why; its log does."

# Jobs are named by where they are, for jobs.py imports this module.
PERFORM = "recsite.jobs.tasks.perform"
SCORE_BLOCK = "recsite.jobs.tasks.score_block"

log = logging.getLogger(__name__)


def start(
    kind: str, by: str, subject: str = "", slot: str | None = None, *, may_wait: bool = False, **parameters: Any
) -> int:
    """Record a run of this kind (see jobs.KINDS) and queue it; returns the run's id.

    `parameters` are what JSON can hold; None is left out. Raises RunInTheWay, and QueueUnavailable: then the run has
    failed, but one of the schedule's slots, which may be asked for again, or one that `may_wait`, waits for Redis.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    run_id = runs.start(kind, by, given, subject, slot)
    run = runs.find(run_id)
    try:
        if run.state == "queued":
            queue_run(run)
    except QueueUnavailable as error:
        if slot is None and not may_wait:
            runs.fail(run_id, run.attempt, str(error))
        raise
    return run_id


def queue_run(run: Run) -> None:
    """The run's first job is in the queue, once."""
    queueing.enqueue(
        PERFORM, run.id, run.attempt, job_id=job_id(run), description=f"run {run.id}: {run.kind} for {run.asked_by}"
    )


def queue_blocks(run: Run, numbers: list[int]) -> None:
    """The jobs of these blocks are in the queue, each once. Raises QueueUnavailable."""
    for number in numbers:
        queueing.enqueue(
            SCORE_BLOCK,
            run.id,
            run.attempt,
            number,
            job_id=job_id(run, number),
            description=f"run {run.id}: {run.kind}, block {number}",
        )


def job_id(run: Run, block: int | None = None) -> str:
    """The name of a job of this attempt; with the time, for a new database counts its runs from 1 again."""
    name = f"run-{run.id}-{run.attempt}-{run.created_at:%Y%m%d%H%M%S}"
    return name if block is None else f"{name}-{block}"


def cancel(run_id: int, by: str) -> None:
    """The run is cancelled: its jobs leave the queue, and those that run are stopped. Raises RunNotFound, RunIsOver.

    Without Redis the jobs end by themselves when they next look at their run.
    """
    left = blocks.list_left(run_id)
    run = runs.cancel(run_id, by)
    try:
        queueing.stop([job_id(run), *(job_id(run, number) for number in left)])
    except QueueUnavailable:
        log.warning("Redis does not answer; the work of run %d ends when it next looks at its run.", run_id)


def retry(run_id: int, by: str) -> None:
    """What the run left undone is queued. Raises RunNotFound, RunIsOver, RunInTheWay, QueueUnavailable."""
    run = runs.requeue(run_id, by)
    try:
        queue_run(run)
    except QueueUnavailable as error:
        runs.fail(run_id, run.attempt, str(error))
        raise


def score_after_switch(by: str) -> str:
    """Everybody is scored with the version that is active now, as soon as a worker does it; says so.

    Lists come from memory until then. A run that began with the version before makes way. Without Redis the run waits
    for it, for nobody would ask again.
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


def look_after_runs() -> None:
    """Runs that lost their jobs have them again, and those whose jobs were given up have ended.

    Redis may have been emptied, or a worker may have died before it could say how its job ended. Raises
    QueueUnavailable.
    """
    for run in runs.list_silent(SILENT_FOR):
        runs.touch(run.id)
        numbers = blocks.list_left(run.id) if run.state == "running" else []
        if numbers:
            look_after_blocks(run, numbers)
        else:
            look_after_job(run)


def look_after_job(run: Run) -> None:
    """The one job of this run is queued or being done; else it is queued again, or the run ends."""
    (state,) = queueing.find_states([job_id(run)])
    if state is None:
        log.warning("The job of run %d is lost; it is queued again.", run.id)
        queue_run(run)
    elif state in ENDED:
        runs.fail(run.id, run.attempt, GIVEN_UP)


def look_after_blocks(run: Run, numbers: list[int]) -> None:
    """The jobs of these blocks are queued or being done; else they are queued again, or the block has failed."""
    states = queueing.find_states([job_id(run, number) for number in numbers])
    for number, state in zip(numbers, states, strict=True):
        if state in ENDED:
            blocks.fail(run.id, run.attempt, number, GIVEN_UP)
    lost = [number for number, state in zip(numbers, states, strict=True) if state is None]
    if lost:
        log.warning("%d jobs of run %d are lost; they are queued again.", len(lost), run.id)
        queue_blocks(run, lost)
