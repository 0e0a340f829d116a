"""What RQ workers do: ids and plain values in, one call of a room, a plain value out."""

import logging
import time
from collections.abc import Callable

import sqlalchemy as sa
from flask import current_app

from recsite import movies, suggestions
from recsite.accounts import erasure
from recsite.errors import RunCancelled
from recsite.jobs import blocks, dispatch, runs
from recsite.ml.progress import Progress
from recsite.ratings import exports
from recsite.storage.tables import Run
from recsite.suggestions.quality import comparison, coverage
from recsite.versions import training
from recsite.versions.active import recommender

log = logging.getLogger(__name__)


class RunProgress:
    """Keeps progress in the run's row, at most once a second, and always the end.

    Raises RunCancelled in work whose run is not running any more.
    """

    def __init__(self, run_id: int, attempt: int) -> None:
        self.run_id, self.attempt = run_id, attempt
        self.next_write = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Keep how far the run is; a database that is locked costs the figure, not the work."""
        if done < total and time.monotonic() < self.next_write:
            return
        self.next_write = time.monotonic() + 1
        try:
            is_wanted = runs.report(self.run_id, self.attempt, done, total)
        except sa.exc.OperationalError as error:
            log.warning("progress %d of %d of run %d is not kept: %s", done, total, self.run_id, error.orig)
            return
        if not is_wanted:
            raise RunCancelled


def perform(run_id: int, attempt: int) -> None:
    """RQ: do a run by its kind, unless it was cancelled or done meanwhile.

    How it failed is recorded by the worker, who knows that even of a process that was killed.
    """
    run = runs.claim(run_id, attempt)
    if run is None:
        log.info("run %d is not to be done any more", run_id)
        return
    outcome = KINDS[run.kind](run, RunProgress(run_id, attempt))
    if outcome is not None:
        runs.finish(run_id, attempt, outcome)


def score(run: Run, on_progress: Progress) -> None:
    """Divide the users among the workers; the run ends with the last block."""
    chosen: list[int] | None = run.parameters.get("user_ids")
    days: int | None = run.parameters.get("recent_days")
    if chosen is None:
        chosen = suggestions.recent_user_ids(days) if days else suggestions.all_user_ids()
    suggestions.require_version()
    left = blocks.plan(run.id, run.attempt, chosen, current_app.config["SCORE_BLOCK_USERS"])
    dispatch.queue_blocks(run, left)


def score_block(run_id: int, attempt: int, number: int) -> None:
    """RQ: score the users of one block, unless that is done or not wanted any more; again leaves the same rows."""
    block = blocks.find(run_id, attempt, number)
    if block is None:
        return
    recommender.follow_now()
    suggestions.rescore_block(block.user_ids, block.parameters.get("top"), threads=current_app.config["WORKER_THREADS"])
    blocks.finish(run_id, attempt, number)


def train(run: Run, on_progress: Progress) -> str:
    """See training.train; the settings stand in for what is not chosen.

    With `activate` the version is active then, unless it is clearly worse: the run says so, and the version waits.
    """
    names = ("folds", "factors", "epochs", "seed")
    chosen = {name: run.parameters[name] for name in names if name in run.parameters}
    name = training.train(training.set_up_from_settings(**chosen), on_progress).version_name
    if not run.parameters.get("activate"):
        return f"{name}, not activated"
    worse = comparison.activate_unless_worse(name, run.asked_by, reason="activated by the training that made it")
    if worse is not None:
        return f"{name}, not activated, for it is clearly worse than {worse.active_name}: {' '.join(worse.objections)}"
    log.info(dispatch.score_after_switch(run.asked_by))
    return f"{name}, active"


def refresh_averages(run: Run, on_progress: Progress) -> str:
    """Refresh the averages of all movies."""
    return "changed" if movies.refresh_all_averages() else "nothing had changed"


def export_ratings(run: Run, on_progress: Progress) -> str:
    """See exports.export_ratings; and no earlier file has a rating of who was erased."""
    name = exports.export_ratings(on_progress).name
    erasure.clean_exports()
    return name


def export_movies(run: Run, on_progress: Progress) -> str:
    """See exports.export_movies."""
    return exports.export_movies(on_progress).name


def measure_reach(run: Run, on_progress: Progress) -> str:
    """See coverage.measure."""
    return f"{coverage.measure().suggested} movies stand in lists"


def erase(run: Run, on_progress: Progress) -> str:
    """See erasure.clean_exports: the part of an erasure that may take long."""
    files = erasure.clean_exports()
    return f"{len(files)} file{'' if len(files) == 1 else 's'} of ratings rewritten"


KINDS: dict[str, Callable[[Run, Progress], str | None]] = {
    "score": score,
    "train": train,
    "averages": refresh_averages,
    "export-ratings": export_ratings,
    "export-movies": export_movies,
    "reach": measure_reach,
    "erase": erase,
}
"""What a run of each kind does: it returns the outcome in words, or None where other jobs go on with it.

A new kind is a function and a line here; `dispatch.start(kind, by, subject, …)` queues a run of it. The function may
be called again after its worker died, so that it has to leave the same when run twice.
"""


def record_failure(error: str, run_id: int, attempt: int, number: int | None = None) -> None:
    """The job with these arguments was given up: its run, or its block of the run, failed with this error."""
    if number is None:
        runs.fail(run_id, attempt, error)
    else:
        blocks.fail(run_id, attempt, number, error)
