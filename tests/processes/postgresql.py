"""A PostgreSQL of a test's own that is frozen, killed and started again."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import psycopg

from tests.processes.servers import wait_until


class PostgresqlServer:
    """The processes behind the URL of `running_postgresql`."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        self.pid_file = Path(folder) / "postmaster.pid"
        self.command = Path(f"/proc/{self.postmaster()}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        self.owner = self.pid_file.stat().st_uid
        self.process: subprocess.Popen[bytes] | None = None

    def postmaster(self) -> int:
        """Return the id of the process that starts all others."""
        return int(self.pid_file.read_text().split()[0])

    def send(self, number: int) -> None:
        """Every process of the server gets the signal, the one first that could start others."""
        postmaster = self.postmaster()
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in (postmaster, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def freeze(self) -> None:
        """Stop answering; the kernel still accepts connections."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again, beginning with what was received meanwhile."""
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """Kill all processes, as a power cut does."""
        self.send(signal.SIGKILL)
        # Until somebody has waited for it, the next one would take it for a living one.
        for lock in (self.pid_file, *self.pid_file.parent.glob(".s.PGSQL.*.lock")):
            lock.unlink()

    def start(self) -> None:
        """Start the server on its old data and wait until it answers."""
        # It refuses to run as root.
        user = None if self.owner == os.getuid() else self.owner
        self.process = subprocess.Popen(self.command, user=user, stderr=subprocess.DEVNULL)
        wait_until(self.answers, within_seconds=20)

    def stop(self) -> None:
        """One that `start` started is gone, and what was frozen is not."""
        self.thaw()
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(10)
            self.process = None

    def answers(self) -> bool:
        """Whether it can be asked something."""
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False
