"""The log: one JSON object per line, each with the id of the request that caused it, and one line per response."""

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

PROXY_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"Accepted values of a proxy's X-Request-ID; any other text could forge log lines."

REQUEST_ID = "recsite.request_id"
"Key of the request id in the WSGI environment."

log = logging.getLogger(__name__)
_writes_to_stderr = False
"Whether `log_to_stderr` was called, as in the workers of `flask serve`."


def find_id(environ: "WSGIEnvironment") -> str:
    """Return the proxy's id of the request, or a new one."""
    proxy_id: str | None = environ.get("HTTP_X_REQUEST_ID")
    if proxy_id is not None and PROXY_ID.fullmatch(proxy_id):
        return proxy_id
    # An id is no secret. Unlike the system's random bytes, these numbers do not release the interpreter lock.
    return f"{random.getrandbits(64):016x}"


def write_line(environ: "WSGIEnvironment", path: str, status: str, seconds: float) -> None:
    """Log a response; `path` has no query string, because that may contain what a user searched for."""
    message = f"{environ['REQUEST_METHOD']} {path} {status} {seconds * 1000:.1f} ms"
    if _writes_to_stderr:
        # The format of JsonLines. The logging module would take several times as long as the rest of this function.
        begin = f'{{"time": "{local_time(int(time.time()))}", "level": "INFO", "logger": "{__name__}"'
        sys.stderr.write(f'{begin}, "request_id": "{environ[REQUEST_ID]}", "message": {json.dumps(message)}}}\n')
    else:
        log.info("%s", message)


class JsonLines(logging.Formatter):
    """A formatter that writes each record as one line of JSON, so that no message looks like a second record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, request id and message; for an error also the traceback."""
        extra = {"traceback": self.formatException(record.exc_info)} if record.exc_info else {}
        line = {
            "time": local_time(int(record.created)),
            "level": record.levelname,
            "logger": record.name,
            "request_id": request.environ.get(REQUEST_ID) if has_request_context() else None,
            "message": record.getMessage(),
        }
        return json.dumps(line | extra)


@functools.lru_cache(maxsize=2)
def local_time(second: int) -> str:
    """Return a second since the epoch as local time in ISO 8601; consecutive lines often share the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second))


def log_to_stderr() -> None:
    """Send the log to standard error: recsite's from INFO on, that of libraries from WARNING on."""
    global _writes_to_stderr
    _writes_to_stderr = True
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    logging.getLogger("recsite").setLevel(logging.INFO)
