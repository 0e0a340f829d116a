"""An id for every request, in its answer and in every log line that it causes; one line for each answer."""

import json
import logging
import random
import re
import time
from typing import Any

from flask import Flask, Response, g, has_request_context, request

GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"What a proxy's X-Request-ID may be; anything else could forge log lines."

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Ahead of every other hook, so that their lines have the id, too."""
    app.before_request_funcs.setdefault(None, []).insert(0, begin)
    app.after_request(end)


def begin() -> None:
    """Take the proxy's id for the request, or make one."""
    given = request.headers.get("X-Request-ID", "")
    # Unlike the system's random bytes these let no other thread in between; who guesses one gains nothing.
    g.request_id = given if GIVEN_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
    g.began_at = time.perf_counter()


def end(response: Response) -> Response:
    """Name the request in its answer, and write its line."""
    response.headers["X-Request-ID"] = g.request_id
    g.seconds_taken = time.perf_counter() - g.began_at
    if log.isEnabledFor(logging.INFO):
        # The path alone: a query may hold what somebody searched for.
        log.info("%s %s %d %.1f ms", request.method, request.path, response.status_code, g.seconds_taken * 1000)
    return response


class JsonLines(logging.Formatter):
    """One JSON object a line, so that nothing in a message can look like a second line."""

    _stamp = (0, "")
    "A second since the epoch, and how it is written; most lines follow another of the same second."

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, request and message; the traceback of an error beside them."""
        second, written = self._stamp
        if second != int(record.created):
            written = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
            self._stamp = (int(record.created), written)
        line: dict[str, Any] = {
            "time": written,
            "level": record.levelname,
            "logger": record.name,
            "request_id": g.get("request_id") if has_request_context() else None,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr() -> None:
    """What the site and its libraries have to say goes to standard error, from INFO on for the site."""
    # What no line shows is not looked up: https://docs.python.org/3/howto/logging.html#optimization
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    logging.getLogger("recsite").setLevel(logging.INFO)
