"""`GET /healthz` and `GET /readyz` for monitoring, and the script htmx from its package."""

from importlib.metadata import version
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_from_directory

from recsite.config import VERSION
from recsite.jobs import health

HTMX_FOLDER = str(files("js_lib_htmx") / "static" / "htmx")
HTMX_VERSION = version("django-js-lib-htmx")
YEAR_SECONDS = 31_536_000
RETRY_AFTER_SECONDS = 5

bp = Blueprint("status", __name__)


@bp.get("/healthz")
def healthz() -> Response:
    """Report the version of the running process, without a check of the database or Redis."""
    return forbid_storing(jsonify(status="ok", version=VERSION))


@bp.get("/readyz")
def readyz() -> Response:
    """Report the state of database, Redis and model; answer 503 if the database is down, because only it is needed."""
    readiness = health.find_readiness()
    response = jsonify(readiness)
    if readiness["database"] != "ok":
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return forbid_storing(response)


def forbid_storing(response: Response) -> Response:
    """Return the response with caching forbidden, because it may be wrong a second later."""
    response.cache_control.no_store = True
    return response


@bp.get("/assets/htmx.min.js")
def htmx() -> Response:
    """Send htmx; for a URL with its version, as `url_for` writes it, browsers may keep it for a year."""
    response = send_from_directory(HTMX_FOLDER, "htmx.min.js")
    if request.args.get("v") == HTMX_VERSION:
        response.cache_control.public = True
        response.cache_control.max_age = YEAR_SECONDS
        response.cache_control.immutable = True
        response.cache_control.no_cache = None
    return response


@bp.app_url_defaults
def add_htmx_version(endpoint: str, values: dict[str, Any]) -> None:
    """Put the version of htmx into every URL of the script."""
    if endpoint == "status.htmx":
        values.setdefault("v", HTMX_VERSION)
