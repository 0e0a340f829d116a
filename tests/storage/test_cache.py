"""The cache: bytes in a real Redis, and a miss where there is none."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from recsite.extensions import cache
from recsite.storage.cache import BREAK_SECONDS, TIMEOUT_SECONDS, SafeRedisCache
from tests.processes.servers import RedisServer, find_free_port

QUESTIONS: tuple[tuple[Callable[[SafeRedisCache], Any], Any], ...] = (
    (lambda kept: kept.get("key"), None),
    (lambda kept: kept.get_many("key", "other"), [None, None]),
    (lambda kept: kept.set("key", b"value"), False),
    (lambda kept: kept.add("key", b"value"), False),
    (lambda kept: kept.delete("key"), False),
    (lambda kept: kept.has("key"), False),
    (lambda kept: kept.clear(), False),
    (lambda kept: kept.is_reachable(), False),
)


@pytest.fixture
def kept(redis_server: RedisServer) -> SafeRedisCache:
    """An empty cache."""
    redis_server.flush()
    return SafeRedisCache(redis_server.cache_url, "recsite:", 60)


def test_a_value_comes_back_as_it_was(kept: SafeRedisCache) -> None:
    assert kept.set("key", b"\x00\x80value")

    assert kept.get("key") == b"\x00\x80value"
    assert kept.get_many("key", "other") == [b"\x00\x80value", None]


@pytest.mark.parametrize("value", ("text", 1, None, {"a": 1}, [b"bytes"], bytearray(b"bytes")))
def test_nothing_but_bytes_is_kept(kept: SafeRedisCache, value: object) -> None:
    with pytest.raises(TypeError, match=f"keeps bytes, not {type(value).__name__}"):
        kept.set("key", value)

    assert not kept.has("key")


def test_a_pickle_in_redis_comes_back_as_bytes_and_is_not_run(kept: SafeRedisCache) -> None:
    harmful = b"cos\nsystem\n(S'exit 1'\ntR."
    kept.set("key", harmful)

    assert kept.get("key") == harmful


def test_a_value_is_gone_after_its_timeout(kept: SafeRedisCache) -> None:
    kept.set("key", b"value", timeout=1)
    time.sleep(1.1)

    assert kept.get("key") is None


def test_without_a_timeout_of_its_own_a_value_gets_the_setting(kept: SafeRedisCache) -> None:
    kept.set("key", b"value")

    assert 55 < kept._redis.ttl("recsite:key") <= 60


def test_a_timeout_of_nothing_keeps_nothing(kept: SafeRedisCache) -> None:
    assert not kept.set("key", b"value", timeout=0)
    assert kept.get("key") is None


def test_adding_leaves_a_value_that_is_there(kept: SafeRedisCache) -> None:
    assert kept.add("key", b"first")
    assert not kept.add("key", b"second")

    assert kept.get("key") == b"first"


def test_clearing_leaves_the_keys_of_others(kept: SafeRedisCache) -> None:
    kept.set("key", b"value")
    kept._redis.set("somebody else's", b"value")

    assert kept.clear()

    assert kept.get("key") is None
    assert kept._redis.get("somebody else's") == b"value"


@pytest.mark.parametrize(("ask", "answer"), QUESTIONS)
def test_without_redis_every_question_has_an_answer(ask: Callable[[SafeRedisCache], Any], answer: object) -> None:
    nobody = SafeRedisCache(f"redis://127.0.0.1:{find_free_port()}/1", "recsite:", 60)

    assert ask(nobody) == answer


def test_a_frozen_redis_costs_one_time_out_and_not_one_a_request(app: Flask, own_redis: RedisServer) -> None:
    cache.set("key", b"value")
    own_redis.freeze()

    started = time.monotonic()
    answers = [cache.get("key") for _ in range(50)]
    took = time.monotonic() - started

    assert answers == [None] * 50
    assert TIMEOUT_SECONDS <= took < 3 * TIMEOUT_SECONDS


def test_the_cache_is_asked_again_when_redis_is_back(app: Flask, own_redis: RedisServer) -> None:
    cache.set("key", b"value")
    own_redis.stop()
    assert cache.get("key") is None

    own_redis.start()
    time.sleep(BREAK_SECONDS)

    assert cache.get("key") == b"value"


def test_the_app_caches_in_the_database_after_the_queues(app: Flask) -> None:
    cache.set("key", b"value")

    backend = cache.cache
    assert isinstance(backend, SafeRedisCache)
    assert backend._redis.connection_pool.connection_kwargs["db"] == 1
    assert cache.get("key") == b"value"


def test_a_setting_of_no_seconds_turns_the_cache_off(app: Flask) -> None:
    app.config["CACHE_DEFAULT_TIMEOUT"] = 0
    cache.init_app(app)

    cache.set("key", b"value")

    assert cache.get("key") is None


def test_without_a_cache_all_processes_still_count_together(app: Flask) -> None:
    app.config["CACHE_DEFAULT_TIMEOUT"] = 0
    cache.init_app(app)
    backends: list[Any] = [cache.cache]
    cache.init_app(app)
    backends.append(cache.cache)

    assert [backend.count("key", 60) for backend in backends] == [1, 2]
