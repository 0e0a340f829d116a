"""`flask serve`: the production web server, granian, with the settings that recsite needs."""

import os
import socket
import tempfile
from pathlib import Path
from typing import Any

import click
from flask import current_app
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server
from granian.server.common import AbstractServer

from recsite.cli.failure import Command
from recsite.config import ROOT
from recsite.errors import InvalidInput
from recsite.ml.threads import count_cores
from recsite.storage import engine

FEWEST_WORKERS = 2
MOST_WORKERS = 1024
CONNECTIONS_PER_WORKER = 768
"Open connections, idle ones included; more wait in the backlog. Many systems allow a process 1,024 open files."
IDLE_CONNECTION_SECONDS = 75
"Longer than nginx keeps an idle connection (60 s): the server must not close one that nginx is about to use."
HEAD_BYTES = 32_768
"A longer request line with headers may get a 414 or 431; one of twice the length always does."
GRACEFUL_STOP_SECONDS = 30
LOGGING = {
    "formatters": {"json": {"()": "recsite.web.site.request_log.JsonLines"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {"_granian": {"handlers": ["console"], "propagate": False}},
}
"Makes granian log in the application's format, to the same place."


@click.command("serve", cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--uds", type=click.Path(path_type=Path), help="Listen on this unix socket instead of a port.")
@click.option("--workers", type=click.IntRange(1, MOST_WORKERS), help="Processes; default: one per core, at least two.")
@click.option("--threads", type=click.IntRange(4, 512), help="Threads per process; default: WEB_THREADS.")
def serve(host: str, port: int, uds: Path | None, workers: int | None, threads: int | None) -> None:
    """Serve the site in production until stopped by SIGTERM or Ctrl-C.

    The number of workers comes from --workers, then from WEB_CONCURRENCY, then from the number of cores. A request
    occupies a thread while it waits for the database, for Redis or for the rest of its own body.
    """
    if current_app.debug:
        raise InvalidInput("'flask serve' uses production settings. For debugging, use 'flask --debug run'.")
    workers, threads = workers or count_workers(), threads or current_app.config["WEB_THREADS"]
    if uds is None:
        check_address(host, port)
    else:
        check_socket(uds)
    click.echo(f"Serving on {uds or f'http://{host}:{port}'} with {workers} workers.")
    # Workers fork from this process and open connections of their own.
    engine.dispose()
    with tempfile.TemporaryDirectory(prefix="recsite-metrics-") as folder:
        # Any worker answers GET /metrics for all of them from the counts in this folder.
        # They limit the bodies that they wait for by their number of threads.
        os.environ |= {"PROMETHEUS_MULTIPROC_DIR": folder, "WEB_THREADS": str(threads)}
        make_server(host, port, uds, workers, threads).serve()


def make_server(host: str, port: int, uds: Path | None, workers: int, threads: int) -> AbstractServer[Any]:
    """Return granian with recsite's settings."""
    return Server(
        "wsgi:create_worker_app",
        factory=True,
        working_dir=ROOT,
        address=host,
        port=port,
        uds=uds,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=threads,
        backpressure=CONNECTIONS_PER_WORKER,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_CONNECTION_SECONDS * 1000, max_buffer_size=HEAD_BYTES),
        log_dictconfig=LOGGING,
        # At lower levels, granian warns about the number of threads at each start.
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACEFUL_STOP_SECONDS,
    )


def count_workers() -> int:
    """Return WEB_CONCURRENCY, or the number of cores this process may use, at least two."""
    chosen = os.environ.get("WEB_CONCURRENCY", "")
    if chosen:
        if not chosen.isdecimal() or not 1 <= int(chosen) <= MOST_WORKERS:
            raise InvalidInput(f"Unexpected value WEB_CONCURRENCY={chosen!r}, use a number from 1 to {MOST_WORKERS}.")
        return int(chosen)
    return max(FEWEST_WORKERS, count_cores())


def check_address(host: str, port: int) -> None:
    """Raise InvalidInput unless this address is free; the workers share it, so their bind alone would not fail."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise InvalidInput(f"Cannot listen on {host}:{port}: {error.strerror}.") from error


def check_socket(path: Path) -> None:
    """Raise InvalidInput unless a server can listen on this path; remove the socket of a server that was killed."""
    if not path.parent.is_dir():
        raise InvalidInput(f"Cannot listen on {path}: its folder does not exist.")
    if path.exists() and not path.is_socket():
        raise InvalidInput(f"Cannot listen on {path}: it exists and is not a socket.")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
        else:
            raise InvalidInput(f"Cannot listen on {path}: Address already in use.")


commands: tuple[click.Command, ...] = (serve,)
