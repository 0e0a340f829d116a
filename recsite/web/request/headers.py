"""Headers that Werkzeug would fail to parse, which are read before every request: each is ignored or made parseable.

It is WSGI middleware, because the host is read before Flask's hooks.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.datastructures import Authorization
from werkzeug.http import parse_date

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DATES = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE", "HTTP_DATE")
LONGEST_HOST = 255
"Characters, with the port."
MOST_DIGITS = 18
"Digits of a Content-Length; more than these is too long for every limit, and int() refuses thousands of them."
SCHEMES = ("http", "https")


def init_app(app: Flask) -> None:
    """Clean the headers before any other middleware or the application sees them."""
    respond = app.wsgi_app

    def respond_to_clean(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        clean(environ)
        return respond(environ, start_response)

    app.wsgi_app = respond_to_clean  # type: ignore[method-assign]


def clean(environ: "WSGIEnvironment") -> None:
    """Remove dates, credentials and host names that cannot be parsed, and shorten a number; a bad scheme is http.

    Werkzeug itself treats a host with invalid characters as empty.
    """
    for name in DATES:
        if name in environ and not is_date(environ[name]):
            del environ[name]
    if not is_authorization(environ.get("HTTP_AUTHORIZATION", "")):
        del environ["HTTP_AUTHORIZATION"]
    if "HTTP_HOST" in environ and not is_host(environ["HTTP_HOST"]):
        environ["HTTP_HOST"] = ""
    if environ["wsgi.url_scheme"] not in SCHEMES:
        # ProxyFix copies it from X-Forwarded-Proto.
        environ["wsgi.url_scheme"] = SCHEMES[0]
    length = environ.get("CONTENT_LENGTH") or ""
    if len(length) > MOST_DIGITS:
        environ["CONTENT_LENGTH"] = "9" * MOST_DIGITS if re.fullmatch("[0-9]+", length) else ""


def is_date(sent: str) -> bool:
    """Return whether Werkzeug can compare with this date; If-Range may be an ETag, which it can."""
    try:
        parse_date(sent)
    except OverflowError:
        return False
    return True


def is_authorization(sent: str) -> bool:
    """Return whether Werkzeug can parse these credentials; it fails at Basic with other than ASCII characters."""
    if sent.isascii():
        return True
    try:
        Authorization.from_header(sent)
    except ValueError:
        return False
    return True


def is_host(sent: str) -> bool:
    """Return whether Werkzeug can encode and decode this host for URLs, by the rules of IDNA."""
    if len(sent) > LONGEST_HOST:
        return False
    try:
        sent.encode("idna").decode("idna")
    except UnicodeError:
        return False
    return True
