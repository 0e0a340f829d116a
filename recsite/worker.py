"""The process that does the queue's work, inside the app."""

import ctypes
import logging
import os
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any

from flask import Flask
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, Worker
from rq.executions import Execution
from rq.job import Job
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

from .errors import QueueUnavailable, RecsiteError
from .extensions import db, queueing
from .queueing import QUEUE_NAME

LEASE_SECONDS = 20
"A job whose worker was silent for this long is given to another one; an outage of Redis may last as long."
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
        super().run_maintenance_tasks()

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """How long a job belongs to a worker that is not heard of, in seconds."""
        return LEASE_SECONDS

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
