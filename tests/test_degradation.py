"""A Redis that is stopped, frozen or full: lists are read, ratings are saved and count, and it heals by itself."""

import time
from collections.abc import Callable

import pytest
import redis
from flask import Flask, Response

from recsite import accounts, suggestions
from recsite.cache import BREAK_SECONDS
from recsite.extensions import db

from .conftest import Client, TrainedWorld, World
from .servers import RedisServer


def fill_up(server: RedisServer) -> None:
    """Take no more writes."""
    with redis.Redis.from_url(server.url) as connection:
        connection.config_set("maxmemory", 1)


def test_a_database_that_dies_under_a_request_does_not_take_its_answer_away(
    app: Flask, world: World, client: Client
) -> None:
    @app.after_request
    def die(response: Response) -> Response:
        db.session.connection().connection.driver_connection.close()  # type: ignore[union-attr]  # it is connected
        return response

    statuses = [client.get(f"/api/ratings?user_id={world.bob}").status_code for _ in range(2)]

    assert statuses == [200, 200]


@pytest.mark.one_database
@pytest.mark.parametrize("break_it", (RedisServer.stop, RedisServer.freeze, fill_up))
def test_without_a_sound_redis_lists_are_read_and_ratings_count(
    app: Flask, trained: TrainedWorld, client: Client, own_redis: RedisServer, break_it: Callable[[RedisServer], None]
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


@pytest.mark.one_database
def test_readyz_says_that_a_frozen_redis_is_out_and_that_it_is_back(
    app: Flask, trained: TrainedWorld, client: Client, own_redis: RedisServer
) -> None:
    own_redis.freeze()
    assert client.get("/readyz").json["redis"].startswith("unreachable")

    own_redis.thaw()
    time.sleep(BREAK_SECONDS)

    assert client.get("/readyz").json["redis"] == "ok"
