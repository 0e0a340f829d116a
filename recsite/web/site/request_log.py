"""An id for every request, in its answer and in every log line that it causes; one line for each answer."""

import functools
import json
import logging
import random
import re
import sys
import time
from typing import TYPE_CHECKING

from flask import has_request_context, request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"What a proxy's X-Request-ID may be; anything else could forge log lines."

REQUEST_ID = "recsite.request_id"
"Under which the WSGI environment keeps it."

log = logging.getLogger(__name__)
_writes_to_stderr = False
"Whether this process serves under gunicorn, where the log is lines of JSON."


def find_id(environ: "WSGIEnvironment") -> str:
    """The proxy's id for the request, or a new one."""
    given: str | None = environ.get("HTTP_X_REQUEST_ID")
    if given is not None and GIVEN_ID.fullmatch(given):
        return given
    # Unlike the system's random bytes these let no other thread in between; who guesses one gains nothing.
    return f"{random.getrandbits(64):016x}"


def write_line(environ: "WSGIEnvironment", path: str, status: str, seconds: float) -> None:
    """The request's line; `path` is without the query, which may hold what somebody searched for."""
    message = f"{environ['REQUEST_METHOD']} {path} {status} {seconds * 1000:.1f} ms"
    if _writes_to_stderr:
        # As JsonLines has it, and past the logging module, which takes several times as long as the rest.
        begin = f'{{"time": "{local_time(int(time.time()))}", "level": "INFO", "logger": "{__name__}"'
        sys.stderr.write(f'{begin}, "request_id": "{environ[REQUEST_ID]}", "message": {json.dumps(message)}}}\n')
    else:
        log.info("%s", message)


class JsonLines(logging.Formatter):
    """One JSON object a line, so that nothing in a message can look like a second line."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, request and message; the traceback of an error beside them."""
        more = {"traceback": self.formatException(record.exc_info)} if record.exc_info else {}
        line = {
            "time": local_time(int(record.created)),
            "level": record.levelname,
            "logger": record.name,
            "request_id": request.environ.get(REQUEST_ID) if has_request_context() else None,
            "message": record.getMessage(),
        }
        return json.dumps(line | more)


@functools.lru_cache(maxsize=2)
def local_time(second: int) -> str:
    """This second since the epoch as the log has it; most lines follow another of the same second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second))


def log_to_stderr() -> None:
    """What the site and its libraries have to say goes to standard error, from INFO on for the site."""
    global _writes_to_stderr
    _writes_to_stderr = True
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    logging.getLogger("recsite").setLevel(logging.INFO)
    # SQLAlchemy names the log of a pool by where its class stands, and tells of each step.
    logging.getLogger("recsite.storage.timeouts").setLevel(logging.WARNING)
