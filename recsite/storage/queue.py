"""The RQ queue of the app. It only carries the message that work is due; the rows of `run_blocks` say which."""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import timedelta

from flask import Flask, current_app
from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, Worker
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.serializers import JSONSerializer
from rq.utils import now

from recsite.errors import QueueUnavailable
from recsite.storage import redis_errors
from recsite.storage.redis_errors import Problem

QUEUE_NAME = "default"
PROBE_KEY = "recsite:probe"
FAILURE_SECONDS = int(timedelta(days=14).total_seconds())
"How long Redis keeps a failed job with its traceback."
HEARTBEAT_TIMEOUT = timedelta(seconds=30)
"A worker without a heartbeat for this long is gone; a running one sends several a minute."


@contextlib.contextmanager
def redis_required() -> Iterator[None]:
    """Raise QueueUnavailable when Redis does not answer."""
    try:
        yield
    except RedisError as error:
        raise QueueUnavailable from error


class Queueing:
    """The queue of the current app. It connects with the first command.

    Raises:
        QueueUnavailable: Redis does not answer; from every method but `is_reachable` and `find_problem`.
    """

    def init_app(self, app: Flask) -> None:
        """Create the app's connection. Its timeouts are short because requests wait for it."""
        app.extensions["queueing"] = Redis.from_url(
            app.config["REDIS_URL"],
            socket_connect_timeout=0.5,
            socket_timeout=1,
            retry=Retry(NoBackoff(), 0),
        )

    @property
    def connection(self) -> Redis:
        """The connection of the current app."""
        connection: Redis = current_app.extensions["queueing"]
        return connection

    def connect_worker(self) -> Redis:
        """Return a new connection that retries for three seconds, well below the lease of a block."""
        return Redis.from_url(
            current_app.config["REDIS_URL"],
            socket_connect_timeout=2,
            health_check_interval=15,
            retry=Retry(ExponentialBackoff(cap=1, base=0.2), 5),
        )

    @property
    def queue(self) -> Queue:
        """The queue. It stores jobs as JSON, because RQ's default would unpickle what it finds in Redis."""
        return Queue(QUEUE_NAME, connection=self.connection, serializer=JSONSerializer)

    def enqueue(self, function_name: str, number: int = 1, timeout: int | None = None) -> None:
        """Enqueue so many jobs, each of which calls the function of this dotted name without arguments.

        A job is stopped after `timeout` seconds, by default JOB_TIMEOUT_SECONDS.
        """
        timeout = timeout or current_app.config["JOB_TIMEOUT_SECONDS"]
        job = Queue.prepare_data(function_name, timeout=timeout, result_ttl=0, failure_ttl=FAILURE_SECONDS)
        with redis_required():
            self.queue.enqueue_many([job] * number)

    def stop(self, job_ids: Iterable[str]) -> None:
        """Kill the processes of these jobs; skip a job that is not running any more."""
        with redis_required():
            for job_id in job_ids:
                with contextlib.suppress(InvalidJobOperation, NoSuchJobError):
                    send_stop_job_command(self.connection, job_id, serializer=JSONSerializer)

    def is_reachable(self) -> bool:
        """Return whether Redis answers."""
        try:
            return bool(self.connection.ping())
        except RedisError:
            return False

    def find_problem(self) -> Problem | None:
        """Return why nothing can be enqueued now; None when enqueueing works."""
        try:
            # A full Redis and a replica still answer a ping, so only a write shows it.
            self.connection.set(PROBE_KEY, b"", ex=1)
        except RedisError as error:
            return redis_errors.find(error)
        return None

    def count_jobs(self) -> int:
        """Return how many jobs wait for a worker."""
        with redis_required():
            return int(self.queue.count)

    def find_workers(self) -> list[str]:
        """Return the names of the workers with a recent heartbeat."""
        oldest = now() - HEARTBEAT_TIMEOUT
        with redis_required():
            workers = Worker.all(queue=self.queue)
        return [worker.name for worker in workers if worker.last_heartbeat and worker.last_heartbeat > oldest]


queueing = Queueing()
