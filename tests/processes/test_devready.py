"""The line that says where a starting site is ready."""

import subprocess
import sys

from flask import Flask

from recsite.config import ROOT
from tests.processes.servers import find_free_port, running_command

COMMAND = (sys.executable, "-P", str(ROOT / "deploy" / "devready.py"))


def test_the_address_is_said_when_the_site_answers(app: Flask) -> None:
    port = str(find_free_port())
    with running_command(app, "run", "--port", port):
        said = subprocess.run([*COMMAND, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=30)

    assert said.returncode == 0
    assert f"Ready: http://127.0.0.1:{port}/" in said.stdout
