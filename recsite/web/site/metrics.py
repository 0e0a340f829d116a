"""`GET /metrics`: what Prometheus reads of requests, queue, runs and the serving version.

Each process counts its own requests. The workers of `flask serve` write their counts into one folder,
PROMETHEUS_MULTIPROC_DIR, and the worker that gets the request adds up all of them. The other figures are read from the
database and from Redis at each request.
"""

import functools
import os
from typing import TYPE_CHECKING, TypeVar

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from werkzeug.routing import Rule

from recsite import jobs
from recsite.errors import QueueUnavailable
from recsite.jobs import health
from recsite.storage.queue import queueing
from recsite.versions.active import recommender
from recsite.web.request import access

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

bp = Blueprint("metrics", __name__)

Figure = TypeVar("Figure", Counter, Histogram)


OF_PROCESSES = CollectorRegistry()
REQUESTS = Histogram(
    "recsite_request_seconds",
    "Requests by route, method and status, and how long they took.",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=OF_PROCESSES,
)
LISTS = Counter(
    "recsite_lists",
    "Answers of /api/suggestions by their source: model, fold-in, popular.",
    ("source",),
    registry=OF_PROCESSES,
)


def count_in_shared_folder() -> None:
    """Let this process write its counts into PROMETHEUS_MULTIPROC_DIR, where every process can read them.

    prometheus_client looks for the variable when it is imported; a forked worker has imported it before.
    """
    values.ValueClass = values.MultiProcessValue()


def count(environ: "WSGIEnvironment", rule: Rule | None, status: str, seconds: float, source: str | None) -> None:
    """Count an answer; addresses that are no route count as one, or anybody could make a million of them.

    `source` is that of the list in it, None without one.
    """
    labels = (environ["REQUEST_METHOD"], rule.rule) if rule else ("any", "none")
    figure_of(REQUESTS, *labels, status).observe(seconds)
    if source:
        figure_of(LISTS, source).inc()


@functools.cache
def figure_of(of_all: Figure, *labels: str) -> Figure:
    """The figure with these labels; there are as many as routes, methods and statuses."""
    return of_all.labels(*labels)


@bp.get("/metrics")
def metrics() -> Response:
    """All figures in Prometheus' text format; with API_AUTH=required for tokens and admins."""
    access.may_read_all()
    registry = OF_PROCESSES
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    body = generate_latest(registry) + generate_latest(ask_around())
    return Response(body, content_type=CONTENT_TYPE_LATEST)


def ask_around() -> CollectorRegistry:
    """The figures that are the same whichever process is asked."""
    registry = CollectorRegistry()
    up = Gauge("recsite_part_up", "1 for a part of the site that works.", ("part",), registry=registry)
    for part, says in health.find_readiness().items():
        up.labels(part).set(says == "ok")
    version = recommender.current()
    if version is not None:
        serving = Gauge("recsite_model_version", "1 for the version that serves.", ("version",), registry=registry)
        serving.labels(version.version_name).set(1)
    live = Gauge("recsite_runs", "Runs by kind and state, of the last 90 days.", ("kind", "state"), registry=registry)
    for kind, state, n_runs in jobs.count_by_state():
        live.labels(kind, state).set(n_runs)
    try:
        n_jobs, n_workers = queueing.count_jobs(), len(queueing.find_workers())
    except QueueUnavailable:
        return registry
    Gauge("recsite_queued_jobs", "Jobs that wait for a worker.", registry=registry).set(n_jobs)
    Gauge("recsite_workers", "Workers that live.", registry=registry).set(n_workers)
    return registry
