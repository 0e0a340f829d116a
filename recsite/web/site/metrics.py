"""`GET /metrics`: requests, queue, runs and the active version, in the format of Prometheus.

The workers of `flask serve` write their request counts to the folder PROMETHEUS_MULTIPROC_DIR, and the worker that
answers adds them up. All other figures are read from the database and from Redis.
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

Metric = TypeVar("Metric", Counter, Histogram)


PROCESS_REGISTRY = CollectorRegistry()
REQUESTS = Histogram(
    "recsite_request_seconds",
    "Duration of requests by route, method and status.",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=PROCESS_REGISTRY,
)
LISTS = Counter(
    "recsite_lists",
    "Responses of /api/suggestions by source: model, fold-in, popular.",
    ("source",),
    registry=PROCESS_REGISTRY,
)


def count_in_shared_folder() -> None:
    """Write counts to PROMETHEUS_MULTIPROC_DIR, which prometheus_client reads only at import, before the fork."""
    values.ValueClass = values.MultiProcessValue()


def count(environ: "WSGIEnvironment", rule: Rule | None, status: str, seconds: float, source: str | None) -> None:
    """Count a response by route and status; unknown paths share a label, so clients cannot create time series."""
    labels = (environ["REQUEST_METHOD"], rule.rule) if rule else ("any", "none")
    labelled(REQUESTS, *labels, status).observe(seconds)
    if source:
        labelled(LISTS, source).inc()


@functools.cache
def labelled(metric: Metric, *labels: str) -> Metric:
    """Return the metric with these labels; the number of label sets is bounded by routes, methods and statuses."""
    return metric.labels(*labels)


@bp.get("/metrics")
def metrics() -> Response:
    """Send all metrics in Prometheus' text format; only to tokens and admins."""
    access.may_read_all()
    registry = PROCESS_REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    body = generate_latest(registry) + generate_latest(collect_shared_state())
    return Response(body, content_type=CONTENT_TYPE_LATEST)


def collect_shared_state() -> CollectorRegistry:
    """Read the metrics that are the same in every process: parts, active version, runs, queue."""
    registry = CollectorRegistry()
    up = Gauge("recsite_part_up", "1 if this part of the site works, else 0.", ("part",), registry=registry)
    for part, state in health.find_readiness().items():
        up.labels(part).set(state == "ok")
    version = recommender.current()
    if version is not None:
        serving = Gauge("recsite_model_version", "1 for the active version.", ("version",), registry=registry)
        serving.labels(version.version_name).set(1)
    live = Gauge("recsite_runs", "Runs of the last 90 days by kind and state.", ("kind", "state"), registry=registry)
    for kind, state, n_runs in jobs.count_by_state():
        live.labels(kind, state).set(n_runs)
    try:
        n_jobs, n_workers = queueing.count_jobs(), len(queueing.find_workers())
    except QueueUnavailable:
        return registry
    Gauge("recsite_queued_jobs", "Jobs that wait in the queue.", registry=registry).set(n_jobs)
    Gauge("recsite_workers", "Workers that run.", registry=registry).set(n_workers)
    return registry
