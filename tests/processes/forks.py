"""Processes of the app that start at once: forks of one that has imported it, which takes two seconds of CPU each time.

`python -m tests.processes.forks FD` is the process that forks; FD is the socket on which the tests connect to it. Each
connection is one process: the order comes in, with the file for the output; the process id and the exit code go back.
"""

import atexit
import contextlib
import functools
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import flask.cli

import recsite
from recsite.config import ROOT

IMPORTED = (flask.cli, recsite)
MOST_BYTES = 1 << 20
NUMBER_BYTES = 4


class Forked:
    """A Python module that runs in a process of its own, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        reader, writer = os.pipe()
        self.stdout = os.fdopen(reader)
        self.returncode: int | None = None
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(start_server())
        order = json.dumps({"command": command, "environment": dict(environment)})
        socket.send_fds(self.connection, [order.encode()], [writer])
        self.connection.shutdown(socket.SHUT_WR)
        os.close(writer)
        self.pid = self.read_number()

    def read_number(self) -> int:
        """Return the next number of the connection."""
        return int.from_bytes(self.connection.recv(NUMBER_BYTES), signed=True)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative for a signal; raises TimeoutExpired."""
        if self.returncode is None:
            self.connection.settimeout(timeout)
            try:
                self.returncode = self.read_number()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code; None while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, None]:
        """Wait for the end and return the output, which has to be short."""
        self.wait(timeout)
        return self.stdout.read(), None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stdout.close()
        self.wait()
        self.connection.close()


@functools.cache
def start_server() -> str:
    """Start the process that forks, once in a test process, and return the path of its socket."""
    folder = tempfile.TemporaryDirectory(prefix="recsite-forks-")
    path = str(Path(folder.name) / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        command = [sys.executable, "-m", "tests.processes.forks", str(listener.fileno())]
        server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[listener.fileno()])
    # Last in, first out.
    atexit.register(folder.cleanup)
    atexit.register(server.communicate)
    return path


def serve(listener: socket.socket) -> None:
    """Fork a keeper for each connection until the tests have ended, which closes the standard input."""
    # Keepers that have ended leave nothing to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                return keep(connection)


def keep(connection: socket.socket) -> None:
    """Run the ordered command in a fork, and report its process id and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order, (output,), *_ = socket.recv_fds(connection, MOST_BYTES, 1)
    with connection.makefile("rb") as rest:
        order += rest.read()
    pid = os.fork()
    if pid == 0:
        connection.close()
        return run(output, **json.loads(order))
    os.close(output)
    connection.sendall(pid.to_bytes(NUMBER_BYTES))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(NUMBER_BYTES, signed=True))
    os._exit(0)


def run(output: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Do what `python -m COMMAND` does with this environment; the process ends with the return of this function."""
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = command[1:]
    # The worker starts itself anew by this one.
    sys.orig_argv[1:] = ["-m", *command]
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
