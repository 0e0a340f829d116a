"""What RQ workers do: ids and plain values in, one call of a room, a plain value out."""

import logging
import time
from typing import Any

from redis.exceptions import RedisError
from rq import get_current_job

from . import catalog, comparison, suggestions, training
from .extensions import recommender

log = logging.getLogger(__name__)


class JobProgress:
    """Writes progress to `job.meta`, at most once a second, and always the end."""

    def __init__(self) -> None:
        self.job = get_current_job()
        self.next_write = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Keep how far the job is; a Redis that is away costs the figure, not the work."""
        if self.job is None or (done < total and time.monotonic() < self.next_write):
            return
        self.next_write = time.monotonic() + 1
        self.job.meta.update(done=done, total=total)
        try:
            self.job.save_meta()
        except RedisError as error:
            log.warning("progress %d of %d is not written: %s", done, total, error)


def rescore_users(user_ids: list[int], top: int | None = None) -> int:
    """RQ: see suggestions.rescore. Takes ids, never rows, for rows go stale in the queue."""
    recommender.follow_now()
    return suggestions.rescore(user_ids, top, JobProgress())


def rescore_everybody(top: int | None = None) -> int:
    """RQ: score all users who have ratings."""
    recommender.follow_now()
    return suggestions.rescore(suggestions.all_user_ids(), top, JobProgress())


def train(*, activate: bool = False, by: str = "schedule", folds: int | None = None, **chosen: Any) -> str:
    """RQ: see training.train; the settings stand in for what is not chosen. Returns the version's name.

    With `activate` it is active then, unless it is clearly worse: the log says why, and the version waits.
    """
    version = training.train(training.set_up_from_settings(folds, **chosen), JobProgress())
    name = version.version_name
    if activate:
        worse = comparison.activate_unless_worse(name, by, reason="activated by the training that made it")
        if worse is not None:
            log.warning(
                "%s is clearly worse than %s and not activated: %s", name, worse.active_name, " ".join(worse.objections)
            )
    return name


def refresh_averages() -> bool:
    """RQ: see catalog.refresh_all."""
    return catalog.refresh_all()
