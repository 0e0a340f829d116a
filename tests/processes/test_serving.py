"""`flask serve` with real processes."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from recsite.config import ROOT
from tests.processes.servers import find_free_port, running_site, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one socket elsewhere")


def count_listeners(port: int) -> int:
    """How many sockets of this machine listen at this port, from the kernel's table of them."""
    return len(re.findall(rf"^ *\d+: \w+:{port:04X} \S+ 0A ", Path("/proc/net/tcp").read_text(), re.MULTILINE))


def test_every_worker_listens_by_itself_so_that_connections_are_dealt_out(app: Flask) -> None:
    with running_site(app, workers=3) as address:
        wait_until(lambda: count_listeners(int(address.rpartition(":")[2])) == 3, within_seconds=10)


def test_a_taken_address_is_an_error_although_workers_could_share_it() -> None:
    with socket.create_server(("127.0.0.1", find_free_port())) as other:
        host, port = other.getsockname()
        command = [sys.executable, "-m", "flask", "serve", "--host", host, "--port", str(port)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)

    assert ended.returncode == 1
    assert f"Cannot listen on {host}:{port}: Address already in use" in ended.stderr
