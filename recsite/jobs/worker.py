"""The worker process: RQ's worker inside the app, with leases in the database.

RQ forks a child for each job, enforces the time limit, stops a job on command and lists the workers. The database alone
says what is to be done and which job does it.
"""

import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

import sqlalchemy as sa
from flask import Flask
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, Worker
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from recsite import suggestions, versions
from recsite.errors import QueueUnavailable
from recsite.jobs import blocks, runs
from recsite.jobs.rq_job import SiteJob
from recsite.storage import engine, media
from recsite.storage.queue import QUEUE_NAME, queueing

LISTS_PER_MAINTENANCE = 100
"Refreshed within half a second, for which a job may have to wait."
PAUSE_SECONDS = 2.0
"Time between the end of one worker and the start of the next."
PR_SET_PDEATHSIG = 1
"From linux/prctl.h: the signal that a process gets when its parent dies."

log = logging.getLogger(__name__)


class AppWorker(Worker):
    """An RQ worker whose jobs run in the app's context."""

    max_connection_wait_time = 2.0
    "Longest wait in seconds between attempts to reach Redis."
    is_told_to_stop = False
    leases_count_from = 0.0
    "Before this monotonic time a stale lease may be due to an outage of the database."

    def __init__(self, flask_app: Flask) -> None:
        super().__init__(
            [QUEUE_NAME],
            connection=queueing.connect_worker(),
            job_class=SiteJob,
            serializer=JSONSerializer,
            # An idle worker wakes up for maintenance 15 s before its TTL ends.
            worker_ttl=20,
            job_monitoring_interval=5,
            maintenance_interval=5,
        )
        self.flask_app = flask_app

    @contextlib.contextmanager
    def database(self, purpose: str) -> Iterator[None]:
        """Push the app's context; log an outage of the database and go on.

        No worker can renew a lease during an outage, so stale leases count again one lease after it.
        """
        with self.flask_app.app_context():
            try:
                yield
            except sa.exc.SQLAlchemyError as error:
                self.leases_count_from = time.monotonic() + blocks.LEASE.total_seconds()
                log.warning("The database does not answer (%s): %s", purpose, error.__class__.__name__)

    def run_maintenance_tasks(self) -> None:
        """Load the active version for the children to share, and repair what dead processes left behind.

        1. Queue blocks again whose lease expired.
        2. Enqueue an RQ job for each due block and each due delivery of a webhook.
        3. Link latest.pkl to the active version.
        4. Refresh stored lists that do not follow from their users' ratings.
        """
        with self.database("maintenance"):
            suggestions.warm_up()
            if time.monotonic() >= self.leases_count_from:
                blocks.requeue_stale()
            with contextlib.suppress(QueueUnavailable):
                runs.enqueue_due()
            repair_latest_link()
            if n_refreshed := suggestions.refresh_stale(LISTS_PER_MAINTENANCE):
                log.info("%d stale lists were refreshed.", n_refreshed)
        super().run_maintenance_tasks()

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Renew the job's lease; the job goes on during an outage of Redis."""
        with self.database("renewing a lease"):
            blocks.renew_lease(job.id)
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as error:
            log.warning("Redis does not answer; job %s goes on: %s", job.id, error)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Run in the child: it dies with its parent, or a block that was queued again would be done twice at once."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self.pid:
                # The parent died before prctl took effect.
                os._exit(1)
        super().main_work_horse(job, queue)

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Run in the child, in a context of its own and on none of the parent's database connections."""
        with self.flask_app.app_context():
            engine.dispose(close=False)
            return super().perform_job(job, queue, execution)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Finish the current job and leave the loop; a second signal ends the job as well."""
        self.is_told_to_stop = True
        # Redis may be stopping as well, so do not wait for it.
        self.connection.set_retry(Retry(NoBackoff(), 0))
        super().request_stop(signum, frame)


def repair_latest_link() -> None:
    """Point latest.pkl at the active version, if it is another file; a folder that takes no changes is logged."""
    if versions.is_latest_link_stale():
        log.warning("latest.pkl is not the active version; it is linked again.")
        try:
            versions.update_latest_link()
        except OSError as error:
            log.warning("latest.pkl cannot be replaced: %s", error)


def run_worker(app: Flask, *, burst: bool = False) -> None:
    """Work until told to stop, or with `burst` until the queue is empty; wait while Redis is out.

    Raises:
        QueueUnavailable: with `burst`, Redis does not answer.
    """
    # RQ logs each maintenance, which is every few seconds.
    logging.getLogger("rq.worker").addFilter(lambda record: "cleaning" not in str(record.msg))
    if burst and queueing.find_problem() is not None:
        raise QueueUnavailable
    wait_for_redis()
    media.prepare(app)
    worker = AppWorker(app)
    try:
        worker.work(burst=burst)
    except RedisError as error:
        if burst:
            raise QueueUnavailable from error
        log.warning("The worker lost Redis: %s", error)
    if not (burst or worker.is_told_to_stop):
        # Whatever ended the loop may last, and each start costs a second of CPU time.
        time.sleep(PAUSE_SECONDS)
        start_anew(worker)


def wait_for_redis() -> None:
    """Return once Redis takes changes; log each new reason why it does not."""
    logged = None
    while (problem := queueing.find_problem()) is not None:
        if problem != logged:
            log.warning("Redis at REDIS_URL is %s; the worker starts when it takes changes.", problem.state)
            logged = problem
        time.sleep(1)


def start_anew(worker: AppWorker) -> None:
    """Replace this process by the same command, which leaves no thread or signal handler of the worker behind."""
    if worker.horse_pid:
        worker.kill_horse()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the command of this process
