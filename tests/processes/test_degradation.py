"""A Redis that is stopped, frozen or full: lists are read, ratings are saved and count, and it heals by itself."""

import statistics
import time
from collections.abc import Callable

import pytest
import redis
from flask import Flask

from recsite import accounts, suggestions
from tests.conftest import TrainedWorld
from tests.processes.servers import RedisServer, wait_until
from tests.web.clients import Client

Act = Callable[[RedisServer], None]
READS = (
    "/",
    "/movies/",
    "/movies/550/",
    "/api/suggestions/?user_id=2&limit={}",
    "/api/movies",
    "/api/movies/550/similar",
)
SLOWER_SECONDS = 0.3
"Promised for each read. The test compares medians, because other processes may interrupt a single request."


def fill_up(server: RedisServer) -> None:
    """Take no more writes."""
    with redis.Redis.from_url(server.url) as connection:
        connection.config_set("maxmemory", 1)


def make_room(server: RedisServer) -> None:
    """Take as many as there are."""
    with redis.Redis.from_url(server.url) as connection:
        connection.config_set("maxmemory", 0)


OUTAGES = (
    pytest.param(RedisServer.stop, RedisServer.start, "unreachable", id="stopped"),
    pytest.param(RedisServer.freeze, RedisServer.thaw, "unreachable", id="frozen"),
    pytest.param(fill_up, make_room, "full", id="full"),
)


@pytest.mark.parametrize("break_it", (RedisServer.stop, RedisServer.freeze, fill_up))
def test_without_a_sound_redis_lists_are_read_and_ratings_count(
    app: Flask, trained: TrainedWorld, client: Client, own_redis: RedisServer, break_it: Act
) -> None:
    suggestions.rescore([2])
    headers = {"Authorization": f"Bearer {accounts.create_token(accounts.find_user('bob'))}"}
    break_it(own_redis)

    before = client.get("/api/suggestions/?user_id=2").json["suggestions"]
    rated = client.post("/api/ratings", json={"movie_id": before[0]["id"], "value": 4.0}, headers=headers)
    after = client.get("/api/suggestions/?user_id=2")

    assert rated.status_code == 201
    assert before[0] not in after.json["suggestions"]
    assert after.headers["X-Suggestion-Source"] == "fold-in"


@pytest.mark.parametrize(("break_it", "mend_it", "says"), OUTAGES)
def test_without_a_sound_redis_reads_are_quick_and_readyz_names_it_until_it_is_back(
    app: Flask, trained: TrainedWorld, client: Client, own_redis: RedisServer, break_it: Act, mend_it: Act, says: str
) -> None:
    suggestions.rescore([2])
    normally = {path: statistics.median(times_of(client, path, 1)) for path in READS}

    break_it(own_redis)
    without = {path: times_of(client, path, 20) for path in READS}
    said = client.get("/readyz")
    seen = app.test_cli_runner().invoke(args=["doctor"])
    mend_it(own_redis)

    slower = {path: statistics.median(seconds) - normally[path] for path, seconds in without.items()}
    assert [path for path, seconds in slower.items() if seconds >= SLOWER_SECONDS] == []
    assert (said.status_code, said.json["database"]) == (200, "ok")
    assert said.json["redis"].startswith(f"{says}; pages go on")
    assert seen.exit_code == 1
    assert [line for line in seen.stdout.splitlines() if line.startswith("redis  ") and " ok" not in line] != []
    wait_until(lambda: client.get("/readyz").json["redis"] == "ok", within_seconds=5)


def times_of(client: Client, path: str, first: int) -> list[float]:
    """Return the seconds that each of seven requests takes; each has another limit, because lists are cached."""
    seconds = []
    for limit in range(first, first + 7):
        began = time.perf_counter()
        response = client.get(path.format(limit))
        seconds.append(time.perf_counter() - began)
        assert response.status_code == 200
    return seconds
