"""What runs by the clock, and the process that queues it."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rq.cron import CronJob
from rq.utils import now

from . import jobs
from .errors import QueueUnavailable
from .extensions import queueing
from .queueing import QUEUE_NAME

LOOK_EVERY_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One line of the schedule."""

    name: str
    "Unique, for it names the job of each run."
    when: str
    "As in crontab(5), in the machine's local time."
    func: Callable[..., Any]


SCHEDULE = (
    Entry("averages", "*/30 * * * *", jobs.refresh_averages),
    Entry("train", "0 3 * * *", jobs.train),
    Entry("score", "30 4 * * *", jobs.rescore_everybody),
)


def run_cron() -> None:
    """Queue each entry of the schedule when it is due, for ever; an outage of Redis is waited for.

    This loop stands in for RQ's own, which ends with an outage, knows no retries, and queues a run once for each
    process that looks at the clock.
    """
    runs = upcoming_runs(SCHEDULE)
    while True:
        try:
            enqueue_due(runs)
        except QueueUnavailable:
            log.warning("Redis does not answer; what is due is queued when it does.")
        time.sleep(LOOK_EVERY_SECONDS)


def upcoming_runs(schedule: Sequence[Entry]) -> list[CronJob]:
    """Each entry with the time when it is due next; raises ValueError for a name that stands there twice."""
    if len({entry.name for entry in schedule}) < len(schedule):
        raise ValueError("Two entries of the schedule have the same name, and one of them would never run.")
    return [CronJob(QUEUE_NAME, entry.func, cron=entry.when, name=entry.name) for entry in schedule]


def enqueue_due(runs: Iterable[CronJob]) -> list[str]:
    """Queue the runs that are due, once for all processes that do this, and return their job ids.

    Raises QueueUnavailable; what is not queued then is still due.
    """
    job_ids = []
    for run in runs:
        if run.should_run():
            assert run.func is not None  # as it would be in a run that was read back from Redis
            # Every process works out the same time for the same run, and the queue takes a job's id once.
            job_id = f"cron-{run.name}-{run.next_enqueue_time:%Y%m%dT%H%MZ}"
            queueing.enqueue(run.func, job_id=job_id, description=f"{run.name} by the schedule")
            run.set_enqueue_time(now())
            job_ids.append(job_id)
    return job_ids
