"""The status of each error, and its three representations: JSON, an HTMX fragment, a page."""

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus

import sqlalchemy as sa
from flask import (
    Flask,
    Response,
    current_app,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from recsite import errors
from recsite.extensions import db, login_manager
from recsite.storage import database_errors
from recsite.web.request import forms, htmx
from recsite.web.request.routing import path_for_log

STATUS: dict[type[errors.RecsiteError], int] = {
    errors.InvalidInput: 400,
    errors.BrokenDataset: 400,
    errors.TokenRefused: 401,
    errors.NotFound: 404,
    errors.NotEnoughRatings: 409,
    errors.InsufficientResources: 409,
    errors.TrainingDiverged: 409,
    errors.TrainingGone: 409,
    errors.NothingToRollBackTo: 409,
    errors.UntrustedVersion: 409,
    errors.RunInTheWay: 409,
    errors.IdTaken: 409,
    errors.RunIsOver: 409,
    errors.RunCancelled: 409,
    errors.NoActiveModel: 503,
    errors.QueueUnavailable: 503,
    errors.MediaUnavailable: 503,
}
"An error of another class has the status of its nearest parent here."
MESSAGES: dict[type[errors.RecsiteError], str] = {
    errors.QueueUnavailable: "Redis does not answer, so nothing was queued. Start it and try again.",
}
"Messages for pages and the API, where the error's own is meant for a terminal."
CHANGED_MEANWHILE = (sa.orm.exc.ObjectDeletedError, sa.orm.exc.StaleDataError)
"Errors of a request whose rows another request deleted at the same time."
NEEDS_HTTPS = (
    "Your browser did not send this site's cookie, because the page came over plain HTTP. Open the site by its https "
    "address. To its operator: COOKIES_SECURE is on; behind a proxy that speaks HTTPS, set PROXIES as well."
)
RETRY_AFTER_SECONDS = 5
"The wait that a response with 503 asks for."
SNIPPET_ENDPOINT = "suggestions.list_suggestions"
"HTMX puts its answer into pages of other sites, for visitors who have no part in an error."
SET_BY_THE_RESPONSE = ("Content-Type", "Content-Length")

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Register the handlers; Flask logs any other exception and answers it with 500."""
    app.register_error_handler(errors.RecsiteError, answer_recsite_error)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(sa.exc.DatabaseError, answer_database_error)
    app.register_error_handler(sa.exc.TimeoutError, answer_database_error)
    for error in CHANGED_MEANWHILE:
        app.register_error_handler(error, answer_conflict)
    login_manager.unauthorized_handler(ask_to_log_in)


def answer_recsite_error(error: errors.RecsiteError) -> Response:
    """Answer with the error's message and status."""
    return answer(message_of(error), status_of(error))


def show_again(page: Callable[[], str], error: errors.RecsiteError) -> ResponseReturnValue:
    """Answer with the form's page, the error's message on it, and the error's status."""
    flash(message_of(error), "error")
    status = status_of(error)
    return page(), status, {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}


def status_of(error: errors.RecsiteError) -> int:
    """Return the status of the error's class or of its nearest parent in STATUS."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def message_of(error: errors.RecsiteError) -> str:
    """Return the error's message for a page or the API."""
    return MESSAGES.get(type(error), str(error))


def ask_to_log_in() -> ResponseReturnValue:
    """Redirect to the log-in page, which leads back to this page or to the page of the form."""
    is_page = request.method == "GET"
    back = forms.current_path() if is_page else forms.next_path(url_for("suggestions.home"))
    address = url_for("accounts.login", next=back)
    if htmx.is_htmx():
        return "", 401, {"HX-Redirect": address}
    flash("Please log in first.")
    return redirect(address, 303)


def answer_http_exception(error: HTTPException) -> Response | HTTPException:
    """Answer with the same status and headers, such as Allow, in the client's representation."""
    if error.code is None or error.code < 400 or error.response is not None:
        return error
    message = error.description or HTTPStatus(error.code).phrase
    if isinstance(error, CSRFError) and lacks_secure_cookie():
        message = NEEDS_HTTPS
    if isinstance(error, RequestEntityTooLarge) and request.max_content_length:
        message = f"What is sent may have at most {request.max_content_length / 2**20:g} MB."
    return answer(message, error.code, error.get_headers())


def lacks_secure_cookie() -> bool:
    """Return whether the browser kept back the session's cookie, which it sends over HTTPS only."""
    cookie, is_secure = current_app.config["SESSION_COOKIE_NAME"], current_app.config["SESSION_COOKIE_SECURE"]
    return is_secure and not request.is_secure and cookie not in request.cookies


def answer_database_error(error: sa.exc.SQLAlchemyError) -> Response:
    """Answer with 503 if the database is unavailable, else raise the error again."""
    outage = database_errors.find(error)
    if outage is None:
        raise error
    log.warning(
        "%s %s is answered with 503: %s (database: %s)",
        request.method,
        path_for_log(request.path),
        error,
        outage.remedy,
    )
    return answer(outage.message, 503)


def answer_conflict(error: sa.exc.SQLAlchemyError) -> Response:
    """Answer with 409, and roll back, because the page of the error reads the database."""
    log.warning("%s %s is answered with 409: %s", request.method, path_for_log(request.path), error)
    db.session.rollback()
    return answer("Another request deleted this at the same time; load the page again.", 409)


def answer(message: str, status: int, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Return the error in the representation that the client reads."""
    phrase = HTTPStatus(status).phrase
    if request.headers.get("HX-Request") == "true":
        template = "suggestions/_unavailable.html" if request.endpoint == SNIPPET_ENDPOINT else "site/_error.html"
        response = make_response(render_alone(template, message=message))
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
        if name not in SET_BY_THE_RESPONSE:
            response.headers[name] = value
    return response


def render_alone(template: str, **context: str) -> str:
    """Render a template without the context of every page, which reads the user from a database that may be down."""
    return current_app.jinja_env.get_template(template).render(context)


def wants_json() -> bool:
    """Return whether the client reads JSON: always below /api/, elsewhere if it prefers JSON to HTML."""
    preferred = request.accept_mimetypes.best_match(("text/html", "application/json"))
    return request.path.startswith("/api/") or preferred == "application/json"
