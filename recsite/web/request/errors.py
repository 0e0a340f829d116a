"""One table from failures to status codes, and one answer in three shapes: JSON, an HTMX snippet, a page."""

import logging
from collections.abc import Iterable
from http import HTTPStatus

import sqlalchemy as sa
from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from recsite import errors
from recsite.storage import database_errors

STATUS: dict[type[errors.RecsiteError], int] = {
    errors.InvalidInput: 400,
    errors.BrokenDataset: 400,
    errors.NotFound: 404,
    errors.NotEnoughRatings: 409,
    errors.NothingToRollBackTo: 409,
    errors.UntrustedVersion: 409,
    errors.RunInTheWay: 409,
    errors.RunIsOver: 409,
    errors.RunCancelled: 409,
    errors.NoActiveModel: 503,
    errors.QueueUnavailable: 503,
}
RETRY_AFTER_SECONDS = 5
SET_BY_THE_ANSWER = ("Content-Type", "Content-Length")

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Answer every failure with its status; what nobody foresaw is logged by Flask and answered with 500."""
    app.register_error_handler(errors.RecsiteError, answer_recsite_error)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(sa.exc.DatabaseError, answer_database_error)
    app.register_error_handler(sa.exc.TimeoutError, answer_database_error)


def answer_recsite_error(error: errors.RecsiteError) -> Response:
    """The status of the error's class or of its nearest parent in the table."""
    return answer(str(error), next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS))


def answer_http_exception(error: HTTPException) -> Response | HTTPException:
    """The same error in our shapes, with the headers that belong to it, such as Allow."""
    if error.code is None or error.code < 400 or error.response is not None:
        return error
    message = error.description or HTTPStatus(error.code).phrase
    if isinstance(error, RequestEntityTooLarge) and request.max_content_length:
        message = f"What is sent may have at most {request.max_content_length / 2**20:g} MB."
    return answer(message, error.code, error.get_headers())


def answer_database_error(error: sa.exc.SQLAlchemyError) -> Response:
    """The database is out; raises the error again where it is sound and we asked it nonsense."""
    outage = database_errors.find(error)
    if outage is None:
        raise error
    log.warning("%s %s is answered with 503: %s (database: %s)", request.method, request.path, error, outage.remedy)
    return answer(outage.message, 503)


def answer(message: str, status: int, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """The failure in the shape that the client reads."""
    phrase = HTTPStatus(status).phrase
    if request.headers.get("HX-Request") == "true":
        response = make_response(render_alone("site/_error.html", message=message))
    elif wants_json():
        response = jsonify(error=message)
    elif status < 500:
        response = make_response(render_template("site/error.html", message=message, phrase=phrase))
    else:
        response = make_response(render_alone("site/outage.html", message=message, phrase=phrase))
    response.status_code = status
    response.vary.update(("Accept", "HX-Request"))
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    for name, value in headers:
        if name not in SET_BY_THE_ANSWER:
            response.headers[name] = value
    return response


def render_alone(template: str, **context: str) -> str:
    """The template without what every page gets, such as who is logged in: that takes the database, perhaps out."""
    return current_app.jinja_env.get_template(template).render(context)


def wants_json() -> bool:
    """Everything under /api/ is JSON; elsewhere a client may prefer it."""
    preferred = request.accept_mimetypes.best_match(("text/html", "application/json"))
    return request.path.startswith("/api/") or preferred == "application/json"
