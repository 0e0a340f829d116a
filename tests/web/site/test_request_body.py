"""Bodies of requests: read before the request is handled, and never too many at once."""

import io
import threading
from typing import IO

from flask import Flask, request
from werkzeug.test import create_environ, run_wsgi_app

from recsite.web.site.request_body import Waiting, init_app

THREADS = 32


class Slow(io.RawIOBase):
    """A body whose rest never comes; `is_read` is set while somebody waits for it."""

    def __init__(self) -> None:
        self.is_read, self.is_over = threading.Event(), threading.Event()

    def read(self, size: int = -1) -> bytes:
        self.is_read.set()
        self.is_over.wait(30)
        return b""


def echo_app(most: int) -> Flask:
    """Return an application that sends the body back."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=most, WEB_THREADS=THREADS)
    app.add_url_rule("/", view_func=lambda: request.get_data(), methods=["POST"])
    init_app(app)
    return app


def test_a_body_arrives_whole_and_a_longer_one_is_refused() -> None:
    client = echo_app(most=100_000).test_client()

    assert client.post("/", data=b"x" * 100_000).data == b"x" * 100_000
    assert client.post("/", data=b"x" * 100_001).status_code == 413
    assert client.post("/", data=b"x" * 300_000).status_code == 413


def test_a_body_of_unknown_length_arrives_whole_and_a_longer_one_is_refused() -> None:
    client = echo_app(most=100_000).test_client()

    def send(length: int) -> tuple[int, int]:
        environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
        response = client.post("/", input_stream=io.BytesIO(b"x" * length), environ_overrides=environ)
        return response.status_code, len(response.data)

    assert send(100_000) == (200, 100_000)
    assert send(100_001)[0] == 413


def test_a_client_that_holds_back_its_bodies_is_refused_and_holds_up_nobody() -> None:
    app = echo_app(most=100)
    slow = [Slow() for _ in range(THREADS // 16)]

    def post_from(address: str, body: IO[bytes] | io.RawIOBase) -> str:
        environ = create_environ(method="POST", content_type="text/plain")
        environ |= {"REMOTE_ADDR": address, "CONTENT_LENGTH": "3", "wsgi.input": body}
        return run_wsgi_app(app, environ)[1][:3]

    threads = [threading.Thread(target=post_from, args=("192.0.2.1", body)) for body in slow]
    for thread in threads:
        thread.start()
    try:
        assert all(body.is_read.wait(10) for body in slow)
        assert post_from("192.0.2.1", io.BytesIO(b"abc")) == "503"
        assert post_from("192.0.2.2", io.BytesIO(b"abc")) == "200"
    finally:
        for body in slow:
            body.is_over.set()
        for thread in threads:
            thread.join(10)
    assert post_from("192.0.2.1", io.BytesIO(b"abc")) == "200"


def test_all_clients_together_have_a_limit_too() -> None:
    waiting = Waiting(threads=8)
    slots = [waiting.slot(f"192.0.2.{number}") for number in range(5)]

    assert [slot.__enter__() for slot in slots] == [True] * 4 + [False]
    for slot in slots:
        slot.__exit__(None, None, None)
    assert not waiting.clients
