"""What machines ask of the site: is it up, can it serve; and the one script that pages load from a package."""

from importlib.metadata import version
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_from_directory

from recsite.jobs import health

HTMX_FOLDER = str(files("js_lib_htmx") / "static" / "htmx")
HTMX_VERSION = version("django-js-lib-htmx")
YEAR_SECONDS = 31_536_000
RETRY_AFTER_SECONDS = 5

bp = Blueprint("status", __name__)


@bp.get("/healthz")
def healthz() -> Response:
    """The process is up; asks nobody else."""
    return unkept(jsonify(status="ok"))


@bp.get("/readyz")
def readyz() -> Response:
    """The site can serve, which takes the database and nothing else; 503 when it cannot."""
    readiness = health.find_readiness()
    response = jsonify(readiness)
    if readiness["database"] != "ok":
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return unkept(response)


def unkept(response: Response) -> Response:
    """The answer is true now and need not be in a second."""
    response.cache_control.no_store = True
    return response


@bp.get("/assets/htmx.min.js")
def htmx() -> Response:
    """The script; with the version in the URL, as `url_for` writes it, a browser need not ask again."""
    response = send_from_directory(HTMX_FOLDER, "htmx.min.js")
    if request.args.get("v") == HTMX_VERSION:
        response.cache_control.public = True
        response.cache_control.max_age = YEAR_SECONDS
        response.cache_control.immutable = True
        response.cache_control.no_cache = None
    return response


@bp.app_url_defaults
def add_htmx_version(endpoint: str, values: dict[str, Any]) -> None:
    """Every link to the script names its version."""
    if endpoint == "status.htmx":
        values.setdefault("v", HTMX_VERSION)
