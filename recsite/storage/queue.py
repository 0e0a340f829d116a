"""Work for later: the RQ queue, bound to the app's configuration."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Flask, current_app
from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError
from redis.retry import Retry as RedisRetry
from rq import Queue, Retry, Worker
from rq.command import send_stop_job_command
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.types import FunctionReferenceType
from rq.utils import now

from recsite.errors import QueueUnavailable

QUEUE_NAME = "default"
PROBE_KEY = "recsite:probe"
RETRY = Retry(max=3, interval=[5, 20, 60])
"Seconds before each new try of a job that failed or lost its worker."
RESULT_SECONDS = int(timedelta(days=1).total_seconds())
FAILURE_SECONDS = int(timedelta(days=14).total_seconds())
ENDED = (JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED)
WORKER_SILENT_SECONDS = 30
"A worker that was not heard of for this long is gone; a living one is heard of several times a minute."


class Queueing:
    """The queue of the current app. Nothing here talks to Redis before it is asked for something."""

    def init_app(self, app: Flask) -> None:
        """Give the app its connection, which connects with the first question."""
        app.extensions["queueing"] = Redis.from_url(
            app.config["REDIS_URL"],
            # A visitor waits for this one.
            socket_connect_timeout=0.5,
            socket_timeout=1,
            retry=RedisRetry(NoBackoff(), 0),
        )

    @property
    def connection(self) -> Redis:
        """The app's connection, which gives up soon."""
        connection: Redis = current_app.extensions["queueing"]
        return connection

    def patient_connection(self) -> Redis:
        """A new connection for a process that lives through an outage of half a minute."""
        return Redis.from_url(
            current_app.config["REDIS_URL"],
            socket_connect_timeout=2,
            health_check_interval=15,
            retry=RedisRetry(ExponentialBackoff(cap=3, base=0.2), 12),
        )

    @property
    def queue(self) -> Queue:
        """The queue; jobs are kept as JSON, for the pickles of RQ's default run whatever stands in them."""
        return Queue(QUEUE_NAME, connection=self.connection, serializer=JSONSerializer)

    def enqueue(
        self,
        func: FunctionReferenceType,
        *args: Any,
        description: str | None = None,
        job_id: str | None = None,
        **kwargs: Any,
    ) -> Job:
        """The job that will call `func`, or what has this dotted name, in a worker; arguments are what JSON can hold.

        A `job_id` names one run: while RQ remembers it, done or not, a second call gives back the job of the first.
        Raises QueueUnavailable.
        """
        try:
            return self.queue.enqueue_call(
                func,
                args=args,
                kwargs=kwargs,
                timeout=current_app.config["JOB_TIMEOUT_SECONDS"],
                result_ttl=RESULT_SECONDS,
                failure_ttl=FAILURE_SECONDS,
                description=description,
                job_id=job_id,
                unique=job_id is not None,
                retry=RETRY,
            )
        except DuplicateJobError:
            assert job_id is not None
            return Job.fetch(job_id, connection=self.connection, serializer=JSONSerializer)
        except RedisError as error:
            raise QueueUnavailable from error

    def find_states(self, job_ids: Sequence[str]) -> list[str | None]:
        """What became of these jobs, in RQ's words; None for one that Redis does not know. Raises QueueUnavailable."""
        try:
            found = Job.fetch_many(job_ids, connection=self.connection, serializer=JSONSerializer)
        except RedisError as error:
            raise QueueUnavailable from error
        return [job.get_status(refresh=False).value if job else None for job in found]

    def stop(self, job_ids: Sequence[str]) -> None:
        """These jobs are not done any more: out of the queue, or killed where they run. Raises QueueUnavailable."""
        try:
            for job in Job.fetch_many(job_ids, connection=self.connection, serializer=JSONSerializer):
                if job is None or job.get_status() in ENDED:
                    continue
                with contextlib.suppress(InvalidJobOperation, NoSuchJobError):  # it ended or began just now
                    if job.get_status() == JobStatus.STARTED:
                        send_stop_job_command(self.connection, job.id, serializer=JSONSerializer)
                    else:
                        job.cancel()
        except RedisError as error:
            raise QueueUnavailable from error

    def is_reachable(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self.connection.ping())
        except RedisError:
            return False

    def find_problem(self) -> str | None:
        """Why nothing can be queued now, in a few words; None when it can."""
        try:
            # One that is full still answers to a ping.
            self.connection.set(PROBE_KEY, b"", ex=1)
        except OutOfMemoryError:
            return "full"
        except ResponseError as error:
            return f"taking no changes ({error})"
        except RedisError:
            return "unreachable"
        return None

    def count_jobs(self) -> int:
        """How many jobs wait for a worker; raises QueueUnavailable."""
        try:
            return int(self.queue.count)
        except RedisError as error:
            raise QueueUnavailable from error

    def find_workers(self) -> list[str]:
        """The names of the workers that live; raises QueueUnavailable."""
        heard_of_after = now() - timedelta(seconds=WORKER_SILENT_SECONDS)
        try:
            workers = Worker.all(queue=self.queue)
        except RedisError as error:
            raise QueueUnavailable from error
        return [each.name for each in workers if each.last_heartbeat and each.last_heartbeat > heard_of_after]


queueing = Queueing()
