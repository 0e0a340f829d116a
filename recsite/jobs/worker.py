"""The process that does the queue's work, inside the app."""

import contextlib
import ctypes
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Any

import sqlalchemy as sa
from flask import Flask
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, Worker
from rq.executions import Execution
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import now

from recsite import errors, suggestions, versions
from recsite.errors import QueueUnavailable, RecsiteError
from recsite.extensions import db
from recsite.jobs import dispatch, runs, tasks
from recsite.jobs.dispatch import PERFORM, SCORE_BLOCK
from recsite.storage.queue import ENDED, QUEUE_NAME, queueing

LEASE_SECONDS = 20
"A job whose worker was silent for this long is given to another one; an outage of Redis may last as long."
TAKEN_SECONDS = 10
"A job is taken from the queue and begun within milliseconds; who needs longer is dead."
LISTS_A_LOOK = 100
"Takes less than half a second, for which a job may have to wait."
LONGEST_CAUSE = 500
PR_SET_PDEATHSIG = 1
"From linux/prctl.h: the signal that a process gets when its parent dies."

log = logging.getLogger(__name__)


class AppWorker(Worker):
    """A worker whose jobs run in the app's context, and whose death costs less than a minute.

    RQ's defaults take 14 minutes to notice that a worker was killed, and leave its child running meanwhile.
    """

    pubsub_thread: Any
    max_connection_wait_time = 2.0
    "Seconds between looks for a Redis that is away."
    was_told_to_stop = False

    def __init__(self, flask_app: Flask) -> None:
        super().__init__(
            [QUEUE_NAME],
            connection=queueing.patient_connection(),
            serializer=JSONSerializer,
            exception_handlers=[give_up_on_what_fails_again],
            # An idle worker wakes up 15 s before its ttl is over, and a wake-up is when it looks for lost jobs.
            worker_ttl=20,
            job_monitoring_interval=5,
            maintenance_interval=5,
        )
        self.flask_app = flask_app
        self.retries = RQScheduler(
            self.queues, connection=self.connection, serializer=JSONSerializer, logging_level=logging.WARNING
        )

    def run_maintenance_tasks(self) -> None:
        """Lost jobs are found, and those whose next try is due are queued.

        RQ would do the second in one more process, which outlives a killed worker for ever.
        """
        if self.retries.acquire_locks():
            self.retries.enqueue_scheduled_jobs()
            self.retries.release_locks()
        for queue in self.queues:
            self.give_back_what_was_taken(queue)
        super().run_maintenance_tasks()
        look_after_runs(self.flask_app)
        look_after_latest(self.flask_app)
        look_after_lists(self.flask_app)

    def give_back_what_was_taken(self, queue: Queue) -> None:
        """Jobs of a worker that died between taking them and saying so are tried again; RQ would wait a minute more."""
        taken = queue.intermediate_queue
        for job_id in taken.get_job_ids():
            seen = taken.get_first_seen(job_id)
            job = queue.fetch_job(job_id)
            is_stuck = seen is not None and now() - seen > timedelta(seconds=TAKEN_SECONDS)
            if job is not None and is_stuck and job_id not in queue.started_job_registry:
                log.warning("job %s was taken by a worker that died; it is tried again", job_id)
                taken.remove(job_id)
                # RQ keeps this for a day, and would find the job stuck at once the next time.
                self.connection.delete(taken.get_first_seen_key(job_id))
                self.handle_job_failure(job, queue, exc_string="Its worker died before it began.")

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """The next job; what scoring needs is loaded before, for each child that does a block would load it anew."""
        with self.flask_app.app_context(), database_may_be_out("to get ready"):
            suggestions.warm_up()
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """How long a job belongs to a worker that is not heard of, in seconds."""
        return LEASE_SECONDS

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """The job is still being done: said to Redis, and in the run's row, for Redis may forget."""
        super().maintain_heartbeats(job, execution)
        if is_of_a_run(job):
            with self.flask_app.app_context(), database_may_be_out("that run %s goes on", job.args[0]):
                runs.touch(job.args[0])

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: StartedJobRegistry | None = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """A job that is not tried again has failed its run, or its block; this is told of killed processes, too."""
        if self.is_horse:
            # What the job left of a transaction would keep the lines below waiting for a lock.
            with database_may_be_out("to roll back job %s", job.id):
                db.session.rollback()
        super().handle_job_failure(job, queue, started_job_registry, exc_string, execution)
        if is_of_a_run(job) and job.get_status() in ENDED:
            with self.flask_app.app_context(), database_may_be_out("how job %s failed", job.id):
                tasks.record_failure(cause_of(exc_string), *job.args)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Runs in the child, which dies with its parent, so that a job taken over is not done twice at once."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self.pid:
                # The parent died before it could be watched.
                os._exit(1)
        super().main_work_horse(job, queue)

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Runs in the child, in a context of its own and on none of the parent's database connections."""
        with self.flask_app.app_context():
            db.engine.dispose(close=False)
            return super().perform_job(job, queue, execution)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Finish the job in hand and leave the loop; a second signal ends the job, too."""
        self.was_told_to_stop = True
        # Redis may have been told to stop, too: its absence is no reason to stay.
        self.connection.set_retry(Retry(NoBackoff(), 0))
        super().request_stop(signum, frame)

    def give_up(self) -> None:
        """Nothing of this worker is left: no job in the child, no thread, and signals end the process again."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self.pubsub_thread:
            self.pubsub_thread.stop()
        if self.horse_pid:
            self.kill_horse()
            self.wait_for_horse()


def give_up_on_what_fails_again(
    job: Job, kind: type[BaseException], _error: BaseException, _traceback: TracebackType | None
) -> None:
    """No retry for what the next try ends in as well: a failure with a name, or too little time. Outages pass."""
    if issubclass(kind, RecsiteError | JobTimeoutException) and not issubclass(kind, QueueUnavailable):
        job.retries_left = 0


def is_of_a_run(job: Job) -> bool:
    """Whether the job is one of those that dispatch.py queues."""
    return job.func_name in (PERFORM, SCORE_BLOCK)


@contextlib.contextmanager
def database_may_be_out(what: str, *about: object) -> Iterator[None]:
    """A database that does not answer is logged and lived with: the runs are looked after when it does."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        log.warning("the database was not told " + what + ": %s", *about, error.__class__.__name__)


def look_after_runs(app: Flask) -> None:
    """See dispatch.look_after_runs; an outage is lived with."""
    with app.app_context(), database_may_be_out("to look after runs"):
        try:
            dispatch.look_after_runs()
        except QueueUnavailable:
            log.warning("Redis does not answer; runs are looked after when it does.")


def look_after_latest(app: Flask) -> None:
    """latest.pkl is the active version, also after an activation that was killed half-way."""
    with app.app_context(), database_may_be_out("to look after latest.pkl"):
        if versions.is_latest_link_stale():
            log.warning("latest.pkl is not the active version; it is linked anew.")
            versions.update_latest_link()


def look_after_lists(app: Flask) -> None:
    """Lists follow from their users' ratings, also where the web process or the database died in between."""
    with app.app_context(), database_may_be_out("to look after lists"):
        refreshed = suggestions.refresh_stale(LISTS_A_LOOK)
        if refreshed:
            log.info("%s lists did not follow from their users' ratings; they were made anew.", refreshed)


def cause_of(traceback: str) -> str:
    """What a traceback ends in, for people: the message alone where the failure is one of ours.

    Behind it a database's error has more lines, with the statement and where to read about it.
    """
    lines = traceback.strip().splitlines() or [""]
    named = [line for line in lines if re.fullmatch(r"[A-Za-z_][\w.]*(: .*)?", line)]
    line = (named or lines)[-1].strip(" ;")[:LONGEST_CAUSE]
    return line.partition(": ")[2] if line.startswith(f"{errors.__name__}.") else line


def run_worker(app: Flask, *, burst: bool = False) -> None:
    """Work until told to stop, or with `burst` until the queue is empty.

    An outage of Redis is waited for, but not with `burst`: raises QueueUnavailable.
    """
    # RQ tells of each look for lost jobs, which is every few seconds.
    logging.getLogger("rq.worker").addFilter(lambda record: "cleaning" not in str(record.msg))
    while True:
        worker = start_worker(app, wait=not burst)
        try:
            worker.work(burst=burst)
        except RedisError as error:
            if burst:
                raise QueueUnavailable from error
            log.warning("Redis went away, and the worker with it: %s", error)
        if burst or worker.was_told_to_stop:
            break
        # RQ leaves its loop when Redis is away for long. The job it had goes back to the queue when its lease is over.
        worker.give_up()


def start_worker(app: Flask, *, wait: bool) -> AppWorker:
    """A worker, as soon as Redis answers; without `wait` raises QueueUnavailable when it does not answer now."""
    if not queueing.is_reachable():
        if not wait:
            raise QueueUnavailable
        log.warning("Redis does not answer at REDIS_URL; the worker starts when it does.")
        while not queueing.is_reachable():
            time.sleep(1)
    return AppWorker(app)
