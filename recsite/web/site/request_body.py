"""Request bodies: read whole before the application handles the request.

While a client holds back the rest of a body, its request occupies a thread but no connection to the database. The
number of such requests is limited by WEB_THREADS, so that others are still answered. granian has no timeout for bodies;
a proxy has to end such connections.
"""

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from flask import Flask

from recsite.web.request import limits

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BODY_THREADS = 2
"One thread in so many may wait for a body."
CLIENT_THREADS = 16
"One thread in so many may wait for bodies of one client's address, and one in any case."
IN_MEMORY_BYTES = 256 * 1024
"A longer body goes into a temporary file."
CHUNK_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 5


class Waiting:
    """The bodies that this process with its number of threads waits for, by client."""

    def __init__(self, threads: int) -> None:
        self.most = threads // BODY_THREADS
        self.most_per_client = max(1, threads // CLIENT_THREADS)
        self.clients: Counter[str] = Counter()
        self.lock = threading.Lock()

    @contextmanager
    def slot(self, client: str) -> Iterator[bool]:
        """Occupy a slot for the block; yield False if all are taken, or those of this client."""
        with self.lock:
            is_free = self.clients.total() < self.most and self.clients[client] < self.most_per_client
            self.clients[client] += is_free
        try:
            yield is_free
        finally:
            with self.lock:
                self.clients[client] -= is_free
                if not self.clients[client]:
                    del self.clients[client]


def init_app(app: Flask) -> None:
    """Read each request's body, as far as MAX_CONTENT_LENGTH allows, before the application sees the request."""
    respond = app.wsgi_app
    waiting = Waiting(app.config["WEB_THREADS"])

    def respond_after_body(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if not has_body(environ):
            return respond(environ, start_response)
        client = limits.normalize(environ.get("REMOTE_ADDR", ""))
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as body:
            with waiting.slot(client) as is_free:
                if not is_free:
                    return refuse(start_response)
                read_into(body, environ, app.config["MAX_CONTENT_LENGTH"])
            environ["wsgi.input"] = body
            return respond(environ, start_response)

    app.wsgi_app = respond_after_body  # type: ignore[method-assign]


def has_body(environ: "WSGIEnvironment") -> bool:
    """Return whether the client announced a body."""
    return environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def read_into(file: IO[bytes], environ: "WSGIEnvironment", most: int) -> None:
    """Write the body into the file; of one that is longer than `most` bytes, only one byte more.

    Of a body that is announced as longer nothing is read: the application refuses it by its Content-Length.
    """
    announced = environ.get("CONTENT_LENGTH", "")
    left = int(announced) if announced.isdecimal() else most + 1
    if left > most + 1:
        return
    while left and (chunk := environ["wsgi.input"].read(min(left, CHUNK_BYTES))):
        file.write(chunk)
        left -= len(chunk)
    if environ.pop("HTTP_TRANSFER_ENCODING", None):
        # A body in chunks has a length now, by which the application can refuse it.
        environ["CONTENT_LENGTH"] = str(file.tell())
    file.seek(0)


def refuse(start_response: "StartResponse") -> Iterable[bytes]:
    """Answer with 503: too many clients are still sending."""
    body = json.dumps({"error": "Too many requests are still being sent; try again in a few seconds."}).encode()
    headers = [("Content-Type", "application/json"), ("Retry-After", str(RETRY_AFTER_SECONDS))]
    start_response("503 SERVICE UNAVAILABLE", [*headers, ("Content-Length", str(len(body)))])
    return [body]
