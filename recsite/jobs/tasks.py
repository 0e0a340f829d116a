"""The work of each kind of run, and the function that every RQ job calls."""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from flask import current_app
from rq import get_current_job
from rq.timeouts import JobTimeoutException

from recsite import movies, suggestions, versions
from recsite.accounts import erasure
from recsite.errors import MediaUnavailable, QueueUnavailable, RecsiteError, RunCancelled
from recsite.extensions import db
from recsite.jobs import blocks, runs, webhooks
from recsite.jobs.blocks import Claim
from recsite.ml.progress import Progress
from recsite.ratings import exports
from recsite.storage import media
from recsite.storage import webhooks as outbox
from recsite.storage.tables import Run
from recsite.suggestions.quality import auto_activation, comparison, coverage
from recsite.versions import training
from recsite.versions.active import recommender
from recsite.versions.pieces import Workspace, do_piece

LONGEST_CAUSE = 500
KILLED = "Its process was killed again and again, or sent no heartbeats; the worker's log may say why."

log = logging.getLogger(__name__)


def do_next(job_id: str | None = None) -> None:
    """Send the next due delivery of a webhook, else do the next due block; without either do nothing.

    1. Claim the block for this RQ job; None is the current one.
    2. Call the run's own function, or score the users of the block.
    3. Record how it ended. A failure is raised again for RQ, which logs the traceback.
    4. Enqueue a job for the delivery that tells of it, if there is one.
    """
    if webhooks.send_next():
        return
    job = get_current_job()
    claim = blocks.claim_next(job_id or (job.id if job else ""))
    if claim is None:
        return
    log.info("run %d, block %d, attempt %d", claim.run_id, claim.number, claim.attempts)
    try:
        do(claim)
    except RunCancelled:
        log.info("run %d was cancelled", claim.run_id)
    except Exception as error:
        # The work's transaction could hold a lock that the next line waits for.
        db.session.rollback()
        blocks.fail(claim, describe(error), may_retry=is_temporary(error))
        raise
    finally:
        if outbox.count_due():
            enqueue_due()


def do(claim: Claim) -> None:
    """Do the claimed block and record that it is finished."""
    if claim.attempts > blocks.MOST_ATTEMPTS:
        blocks.fail(claim, KILLED)
        return
    run = runs.find(claim.run_id)
    if claim.number == blocks.WHOLE_RUN:
        begin(run, claim)
    elif run.kind == "train":
        do_part_of_training(run, claim)
    else:
        score_block(run, claim.user_ids)
        blocks.finish(claim)


def begin(run: Run, claim: Claim) -> None:
    """Do a run's own function; divide what the workers are to share."""
    result = KINDS[run.kind](run, RunProgress(claim))
    if isinstance(result, str):
        blocks.finish(claim, result)
        return
    if isinstance(result, Pieces):
        blocks.divide_into_pieces(claim, len(result.names))
    else:
        blocks.divide(claim, result, current_app.config["SCORE_BLOCK_USERS"])
    enqueue_due()


def enqueue_due() -> None:
    """Enqueue jobs for what is due; without Redis a worker's maintenance does this later."""
    with contextlib.suppress(QueueUnavailable):
        runs.enqueue_due()


def describe(error: Exception) -> str:
    """Return the cause of a failure for people: the message of an error of ours, else the class and the first line."""
    if isinstance(error, RecsiteError):
        return str(error)
    # The further lines of a database error are its statement and a link.
    first_line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first_line}"[:LONGEST_CAUSE]


def is_temporary(error: Exception) -> bool:
    """Return whether another attempt may succeed: after an outage, but not after an error of ours or a timeout."""
    return isinstance(error, QueueUnavailable | MediaUnavailable) or not isinstance(
        error, RecsiteError | JobTimeoutException
    )


class RunProgress:
    """Records the progress of a run, at most once a second and always at the end.

    Raises:
        RunCancelled: the run was cancelled, or another worker claimed it.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.next_write = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Record that `done` of `total` steps are done. A locked database costs the figure, not the work."""
        if done < total and time.monotonic() < self.next_write:
            return
        self.next_write = time.monotonic() + 1
        try:
            holds = blocks.report(self.claim, done, total)
        except sa.exc.OperationalError as error:
            log.warning("progress %d of %d of run %d is not recorded: %s", done, total, self.claim.run_id, error.orig)
            return
        if not holds:
            raise RunCancelled


class ClaimCheck:
    """Raises RunCancelled if the run was cancelled or another worker claimed the block; asks once a second at most."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.next_check = 0.0

    def __call__(self) -> None:
        """Read the claim from the database, unless that was done within the last second."""
        if time.monotonic() < self.next_check:
            return
        self.next_check = time.monotonic() + 1
        if not blocks.is_held(self.claim):
            raise RunCancelled


@dataclass(frozen=True)
class Pieces:
    """The pieces that the workers are to share before a last block completes the run."""

    names: Sequence[str]


def score(run: Run, on_progress: Progress) -> list[int]:
    """Return the users to score; the workers share them."""
    suggestions.require_version()
    user_ids: list[int] | None = run.parameters.get("user_ids")
    days: int | None = run.parameters.get("recent_days")
    if user_ids is not None:
        return user_ids
    return list(suggestions.recent_user_ids(days) if days else suggestions.all_user_ids())


def score_block(run: Run, user_ids: Sequence[int]) -> None:
    """Score the users of one block with the active version; doing it again leaves the same rows."""
    recommender.follow_now()
    suggestions.rescore_block(list(user_ids), run.parameters.get("top"), threads=current_app.config["WORKER_THREADS"])


def train(run: Run, on_progress: Progress) -> Pieces:
    """Prepare a training with the run's parameters, else the settings; return its pieces, which the workers share."""
    workspace, set_up = open_workspace(run), training.set_up_of_run(run.parameters)
    return Pieces(training.prepare(workspace, set_up, current_app.config["WORKER_THREADS"]))


def open_workspace(run: Run) -> Workspace:
    """Return the folder that the workers of a training share, on all hosts if MEDIA_URL is set."""
    return training.open_workspace(f"run-{run.id}", is_shared=media.is_shared())


def do_part_of_training(run: Run, claim: Claim) -> None:
    """Do a piece of a training; after the last one another block makes the version of the results."""
    workspace = open_workspace(run)
    if claim.size == 0:
        blocks.finish(claim, complete_training(run, workspace))
        workspace.remove()
        return
    piece = workspace.set_up().pieces[claim.number - 1]
    do_piece(workspace, piece, current_app.config["WORKER_THREADS"], ClaimCheck(claim))
    blocks.finish(claim)
    enqueue_due()


def complete_training(run: Run, workspace: Workspace) -> str:
    """Make the version; activate it as told; prune old versions; return the outcome in words.

    With `activate` it becomes active unless it is clearly worse; with `auto_activate` the setting decides.
    """
    name = training.complete(workspace).version_name
    outcome = activate_as_requested(name, run)
    kept = current_app.config["VERSIONS_KEPT"]
    if kept and (gone := versions.prune(kept, run.asked_by, reason=f"VERSIONS_KEPT is {kept}.")):
        log.info("the files of %s are removed: VERSIONS_KEPT is %d", ", ".join(gone), kept)
    return outcome


def activate_as_requested(name: str, run: Run) -> str:
    """Activate the version if the run's parameters say so; return the outcome in words."""
    if run.parameters.get("auto_activate"):
        is_active, why = auto_activation.activate_if_allowed(name, run.asked_by)
        if is_active:
            log.info(runs.score_after_activation(run.asked_by))
        return f"{name}, {'active' if is_active else 'not activated'}: {why}"
    if not run.parameters.get("activate"):
        return f"{name}, not activated"
    worse = comparison.activate_unless_worse(name, run.asked_by, reason="activated by the training that made it")
    if worse is not None:
        return f"{name}, not activated: it is clearly worse than {worse.active_name}. {' '.join(worse.objections)}"
    log.info(runs.score_after_activation(run.asked_by))
    return f"{name}, active"


def refresh_averages(run: Run, on_progress: Progress) -> str:
    """Recompute the rating averages of all movies."""
    return "changed" if movies.refresh_all_averages() else "nothing had changed"


def export_ratings(run: Run, on_progress: Progress) -> str:
    """Export all ratings, and remove erased users from earlier exports."""
    name = exports.export_ratings(on_progress).name
    erasure.clean_exports()
    return name


def export_movies(run: Run, on_progress: Progress) -> str:
    """Export all movies."""
    return exports.export_movies(on_progress).name


def measure_reach(run: Run, on_progress: Progress) -> str:
    """Measure how much of the catalogue the lists show."""
    return f"{coverage.measure().suggested} movies stand in lists"


def erase(run: Run, on_progress: Progress) -> str:
    """Remove erased users from earlier exports, the part of an erasure that may take long."""
    files = erasure.clean_exports()
    return f"{len(files)} file{'' if len(files) == 1 else 's'} of ratings rewritten"


KINDS: dict[str, Callable[[Run, Progress], str | list[int] | Pieces]] = {
    "score": score,
    "train": train,
    "averages": refresh_averages,
    "export-ratings": export_ratings,
    "export-movies": export_movies,
    "reach": measure_reach,
    "erase": erase,
}
"""The function of each kind of run. It returns the outcome in words, or what the workers are to share: users or pieces.

A new kind is a function and a line here; `jobs.start(kind, by, subject, …)` starts a run of it. A worker may die, so
the function must leave the same rows when it is called again.
"""
