"""The schedule, and the process that starts its runs."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from rq.cron import CronJob
from rq.utils import now

from recsite.errors import QueueUnavailable, RunInTheWay
from recsite.jobs import runs
from recsite.storage.queue import QUEUE_NAME
from recsite.versions import training

CHECK_SECONDS = 5.0
BY = "the schedule"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One line of the schedule."""

    name: str
    "Unique; a part of the idempotency key of each run."
    when: str
    "Times as in crontab(5), in the machine's local time."
    kind: str
    find_reasons: Callable[[], Sequence[str]] | None = None
    "Returns the reasons for a run, which is left out when there are none; None starts every run."


def find_training_reasons() -> Sequence[str]:
    """Return the reasons to train again; empty when it is not time to."""
    advice = training.advise()
    return advice.reasons if advice.is_due else ()


SCHEDULE = (
    Entry("averages", "*/30 * * * *", "averages"),
    Entry("export-ratings", "30 1 * * *", "export-ratings"),
    Entry("export-movies", "15 2 * * *", "export-movies"),
    Entry("train", "0 3 * * *", "train"),
    Entry("score", "30 4 * * *", "score"),
    Entry("reach", "30 5 * * *", "reach"),
    Entry("retrain-check", "10 * * * *", "train", find_training_reasons),
)

Timers = dict[Entry, CronJob]
"RQ's class computes when an entry is due next, also on days when the clocks change."


def make_timers(schedule: Sequence[Entry]) -> Timers:
    """Return the timer of each entry.

    Raises:
        ValueError: two entries have the same name; one of them would never run.
    """
    if len({entry.name for entry in schedule}) < len(schedule):
        raise ValueError("Two entries of the schedule have the same name, and one of them would never run.")
    return {entry: CronJob(QUEUE_NAME, func_name=entry.name, cron=entry.when) for entry in schedule}


def start_due(timers: Timers) -> list[int]:
    """Start the runs that are due and return their ids; every cron process gets the same run for the same due time.

    Raises:
        QueueUnavailable: Redis does not answer; what is not enqueued stays due.
    """
    run_ids = []
    for entry, timer in timers.items():
        if timer.should_run():
            run_ids.append(start(entry, f"{entry.name} {timer.next_enqueue_time:%Y-%m-%dT%H:%MZ}"))
            timer.set_enqueue_time(now())
    return [run_id for run_id in run_ids if run_id is not None]


def start(entry: Entry, key: str) -> int | None:
    """Start the entry's run with this idempotency key; return None without a reason or while one is live."""
    reasons = entry.find_reasons() if entry.find_reasons else None
    if reasons is not None and not reasons:
        return None
    try:
        # Only a scheduled training follows AUTO_ACTIVATE; people say themselves what to activate.
        is_training = entry.kind == "train" or None
        return runs.start(entry.kind, BY, key=key, reasons=reasons and list(reasons), auto_activate=is_training)
    except RunInTheWay as error:
        log.warning("%s is left out this time: %s", entry.name, error)
        return None


def run_cron() -> None:
    """Start the runs of the schedule when they are due, for ever; wait while Redis or the database is out.

    RQ's own loop would end with an outage and start a run once for each cron process.
    """
    timers = make_timers(SCHEDULE)
    while True:
        try:
            start_due(timers)
        except QueueUnavailable:
            log.warning("Redis does not answer; what is due is queued when it does.")
        except sa.exc.OperationalError as error:
            log.warning("The database does not answer; what is due is queued when it does: %s", error.orig)
        time.sleep(CHECK_SECONDS)
