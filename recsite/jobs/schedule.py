"""What runs by the clock, and the process that queues it."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from rq.cron import CronJob
from rq.utils import now

from recsite.errors import QueueUnavailable, RunInTheWay
from recsite.jobs import dispatch
from recsite.storage.queue import QUEUE_NAME
from recsite.versions import training

LOOK_EVERY_SECONDS = 5.0
BY = "the schedule"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One line of the schedule."""

    name: str
    "Unique, for it names the slot of each run."
    when: str
    "As in crontab(5), in the machine's local time."
    start: Callable[[str], int | None]
    "Called with the slot: starts a run and returns its id, or None where nothing is to be done."


@dataclass(frozen=True)
class Due:
    """An entry and when it is due next."""

    entry: Entry
    clock: CronJob
    "RQ's, for it knows the days that have an hour more or less."


def starting(kind: str) -> Callable[[str], int]:
    """A function that starts a run of this kind for a slot."""
    return partial(start, kind)


def start(kind: str, slot: str) -> int:
    """The id of the slot's run of this kind, queued; the same however often it is asked for."""
    return dispatch.start(kind, BY, slot=slot)


def retrain(slot: str) -> int | None:
    """The id of a training, queued with the reasons for it, or None where there are none."""
    advice = training.advise()
    if not advice.is_due:
        return None
    return dispatch.start("train", BY, slot=slot, reasons=list(advice.reasons))


SCHEDULE = (
    Entry("averages", "*/30 * * * *", starting("averages")),
    Entry("export-ratings", "30 1 * * *", starting("export-ratings")),
    Entry("export-movies", "15 2 * * *", starting("export-movies")),
    Entry("train", "0 3 * * *", starting("train")),
    Entry("score", "30 4 * * *", starting("score")),
    Entry("reach", "30 5 * * *", starting("reach")),
    Entry("retrain-check", "10 * * * *", retrain),
)


def run_cron() -> None:
    """Queue each entry of the schedule when it is due, for ever; an outage of Redis or the database is waited for.

    This loop stands in for RQ's own, which ends with an outage, knows no retries, and queues a run once for each
    process that looks at the clock.
    """
    entries = upcoming(SCHEDULE)
    while True:
        try:
            start_due(entries)
        except QueueUnavailable:
            log.warning("Redis does not answer; what is due is queued when it does.")
        except sa.exc.OperationalError as error:
            log.warning("The database does not answer; what is due is queued when it does: %s", error.orig)
        time.sleep(LOOK_EVERY_SECONDS)


def upcoming(schedule: Sequence[Entry]) -> list[Due]:
    """Each entry with the time when it is due next; raises ValueError for a name that stands there twice."""
    if len({entry.name for entry in schedule}) < len(schedule):
        raise ValueError("Two entries of the schedule have the same name, and one of them would never run.")
    return [Due(entry, CronJob(QUEUE_NAME, func_name=entry.name, cron=entry.when)) for entry in schedule]


def start_due(entries: Iterable[Due]) -> list[int]:
    """Start the runs that are due, each once for all processes that do this, and return their ids.

    Raises QueueUnavailable; what is not queued then is still due.
    """
    run_ids = []
    for due in entries:
        if due.clock.should_run():
            run_id = start_one(due)
            due.clock.set_enqueue_time(now())
            if run_id is not None:
                run_ids.append(run_id)
    return run_ids


def start_one(due: Due) -> int | None:
    """The id of the run of this entry and time, or None where nothing is to be done or one of its kind still runs."""
    try:
        # Every process works out the same time for the same slot, and the database has one run for each.
        return due.entry.start(f"{due.entry.name} {due.clock.next_enqueue_time:%Y-%m-%dT%H:%MZ}")
    except RunInTheWay as error:
        log.warning("%s is left out this time: %s", due.entry.name, error)
        return None
