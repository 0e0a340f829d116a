"""What goes around every answer: its request's id, headers about safety and keeping, one line of the log, one count.

This stands around Flask, as WSGI has it, and not in Flask's hooks: these would take a quarter of the time of an answer
that is ready, and do not see every answer.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request

from recsite.web.request import limits
from recsite.web.site import metrics, request_log, response_headers

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def init_app(app: Flask) -> None:
    """Around all that answers now; what is put around the app later is outside."""
    answer = app.wsgi_app
    of_every_answer = response_headers.headers_for(app.config["TMDB_IMAGES"])

    def answer_in_envelope(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        began_at = time.perf_counter()
        request_id = environ[request_log.REQUEST_ID] = request_log.find_id(environ)

        def start(status: str, given: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None) -> Any:
            names = dict(given)
            sent = [*given, *of_every_answer, ("X-Request-ID", request_id), *environ.get(limits.ALLOWANCE, ())]
            if names.get("Content-Type", "").startswith("text/html"):
                sent += response_headers.OF_PAGES
            if "Cache-Control" not in names:
                sent.append(response_headers.KEEPING)
            seconds = time.perf_counter() - began_at
            # Flask's own, as soon as it has one.
            request: Request | None = environ.get("werkzeug.request")
            code = status[:3]
            request_log.write_line(environ, request.path if request else environ["PATH_INFO"], code, seconds)
            rule = request.url_rule if request else None
            metrics.count(environ, rule, code, seconds, names.get("X-Suggestion-Source"))
            return start_response(status, sent, exc_info)

        return answer(environ, start)

    app.wsgi_app = answer_in_envelope  # type: ignore[method-assign]
