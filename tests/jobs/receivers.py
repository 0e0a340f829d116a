"""A server of another program that receives webhooks, and answers as a test tells it to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage import webhooks
from recsite.storage.tables import WebhookDelivery

KEY = "a-key-of-the-tests-1"


@dataclass
class Received:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)


@dataclass
class Receiver:
    """The requests that came in, in their order, and how the next ones are answered."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    "The statuses of the next answers; then 204."
    may_answer: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Run a receiver on a free port for the length of the block."""
    receiver = Receiver()
    receiver.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            receiver.may_answer.wait(60)
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_port}/hooks?token=secret-part"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.may_answer.set()
            server.shutdown()


def deliveries() -> list[WebhookDelivery]:
    """Return all stored deliveries, the oldest first."""
    db.session.rollback()
    query = sa.select(WebhookDelivery).order_by(WebhookDelivery.id)
    return list(db.session.scalars(query, execution_options={"populate_existing": True}))


def record() -> None:
    """Add an event to the outbox."""
    with db.engine.begin() as connection:
        webhooks.record(connection, "job.finished", kind="train")
