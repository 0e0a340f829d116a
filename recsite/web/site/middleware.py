"""The middleware around every response: request id, general headers, one log line, one count.

It is WSGI middleware: Flask's hooks do not see every response, and would add 35 µs, 13 % of a warm request.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request

from recsite.web.request import limits
from recsite.web.request.routing import path_for_log
from recsite.web.site import metrics, request_log, response_headers

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def init_app(app: Flask) -> None:
    """Wrap the app and all middleware that it has so far."""
    respond = app.wsgi_app
    general_headers = response_headers.general_headers(app.config["TMDB_IMAGES"])

    def respond_and_record(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        began_at = time.perf_counter()
        request_id = environ[request_log.REQUEST_ID] = request_log.find_id(environ)

        def start(status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None) -> Any:
            by_name = dict(headers)
            headers = [*headers, *general_headers, ("X-Request-ID", request_id), *environ.get(limits.ALLOWANCE, ())]
            if by_name.get("Content-Type", "").startswith("text/html"):
                headers += response_headers.PAGE_HEADERS
            if "Cache-Control" not in by_name:
                headers.append(response_headers.DEFAULT_CACHE_CONTROL)
            seconds = time.perf_counter() - began_at
            # Werkzeug puts the request there. It is missing if the response did not come from Flask.
            request: Request | None = environ.get("werkzeug.request")
            path = request.path if request else environ["PATH_INFO"]
            rule = request.url_rule if request else None
            request_log.write_line(environ, path_for_log(path), status[:3], seconds)
            metrics.count(environ, rule, status[:3], seconds, by_name.get("X-Suggestion-Source"))
            return start_response(status, headers, exc_info)

        return respond(environ, start)

    app.wsgi_app = respond_and_record  # type: ignore[method-assign]
