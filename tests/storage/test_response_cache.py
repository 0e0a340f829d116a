"""Cached responses are never stale: in one process, and in the workers of the server."""

import http.client
import json
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import redis
from flask import Flask

from recsite import movies, suggestions, versions
from recsite.extensions import cache, db
from recsite.storage.cache import SafeRedisCache
from recsite.storage.lru import ENTRY_BYTES, MemoryCache
from recsite.storage.response_cache import CachedResponse, get_or_make
from recsite.storage.tables import Movie
from recsite.suggestions import Freshness
from recsite.versions import training
from tests.conftest import TrainedWorld
from tests.processes.servers import RedisServer, running_site
from tests.ratings.changes import rate, unrate
from tests.web.clients import Client

PATH = "/api/suggestions/?user_id=2"


@pytest.fixture
def other_version(scored: TrainedWorld) -> str:
    """A second version, not active."""
    return training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=5)).version_name


def state_of_bob() -> Freshness:
    return suggestions.find_freshness(2)


def response(text: str) -> CachedResponse:
    return CachedResponse([("Content-Type", "text/plain")], text.encode())


def make_never(freshness: Freshness) -> CachedResponse:
    raise AssertionError("the response is cached")


def memory() -> MemoryCache:
    """Return the part of the cache that this process holds by itself."""
    backend = cache.cache
    assert isinstance(backend, SafeRedisCache)
    return backend.memory


def test_a_response_is_made_once_for_a_state_and_its_options(app: Flask, scored: TrainedWorld) -> None:
    made = get_or_make(state_of_bob, lambda freshness: response("bob"), ("json",))
    other = get_or_make(state_of_bob, lambda freshness: response("<bob>"), ("html",))

    assert get_or_make(state_of_bob, make_never, ("json",)) == made == response("bob")
    assert get_or_make(state_of_bob, make_never, ("html",)) == other == response("<bob>")


def test_a_cached_response_is_stored_whole() -> None:
    made = CachedResponse([("ETag", '"a\\"'), ("Vary", "Cookie, Accept-Encoding")], b'{"suggestions": []}\n\n')

    assert CachedResponse.from_bytes(made.to_bytes()) == made


def test_the_memory_of_a_process_stays_within_its_size() -> None:
    memory = MemoryCache(max_bytes=11 * (ENTRY_BYTES + 90) + 10)

    for number in range(100):
        memory.set(number, b"x" * 90, 90)
        memory.get(0)

    assert memory.held_bytes <= memory.max_bytes
    assert len(memory) == 11
    # The first value was used all the time, so it is still there.
    assert (memory.get(0), memory.get(50)) == (b"x" * 90, None)


def test_small_responses_take_no_more_memory_than_they_are_counted_for(
    app: Flask, client: Client, scored: TrainedWorld
) -> None:
    headers = list(client.get(PATH).headers)
    memory = MemoryCache(max_bytes=2 * 1024 * 1024)

    tracemalloc.start()
    for number in range(5_000):
        # Each response has headers of its own, as from Redis.
        small = CachedResponse.from_bytes(CachedResponse(headers, b"{}").to_bytes())
        memory.set((f"{number}_some_state_of_a_user", (True, False, number, ("value",))), small, 300)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert taken <= memory.max_bytes


def test_a_value_larger_than_the_memory_is_not_kept() -> None:
    memory = MemoryCache(max_bytes=2 * ENTRY_BYTES)
    memory.set("key", b"small", 5)

    memory.set("key", b"x" * (ENTRY_BYTES + 1), ENTRY_BYTES + 1)

    assert (memory.get("key"), memory.held_bytes) == (None, 0)


def test_other_processes_find_a_response_in_redis(app: Flask, scored: TrainedWorld) -> None:
    made = get_or_make(state_of_bob, lambda freshness: response("bob"), ())
    memory().clear()

    assert get_or_make(state_of_bob, make_never, ()) == made


def test_without_redis_each_process_keeps_its_own_responses(
    app: Flask, scored: TrainedWorld, own_redis: RedisServer
) -> None:
    own_redis.stop()
    made = get_or_make(state_of_bob, lambda freshness: response("bob"), ())

    assert get_or_make(state_of_bob, make_never, ()) == made


def test_with_the_cache_turned_off_every_response_is_made(app: Flask, scored: TrainedWorld) -> None:
    app.config["CACHE_DEFAULT_TIMEOUT"] = 0
    cache.init_app(app)

    texts = [get_or_make(state_of_bob, lambda freshness: response("1"), ()).body]
    texts.append(get_or_make(state_of_bob, lambda freshness: response("2"), ()).body)

    assert texts == [b"1", b"2"]


def test_an_error_while_a_response_is_made_is_raised_and_nothing_is_kept(app: Flask, scored: TrainedWorld) -> None:
    def fail(freshness: Freshness) -> CachedResponse:
        raise ZeroDivisionError("no list today")

    with pytest.raises(ZeroDivisionError, match="no list today"):
        get_or_make(state_of_bob, fail, ())

    assert get_or_make(state_of_bob, lambda freshness: response("bob"), ()) == response("bob")


def rate_heat(other_version: str) -> None:
    rate(2, 949, 5.0)


def score_again(other_version: str) -> None:
    suggestions.rescore([2], top=1)


def activate_other(other_version: str) -> None:
    versions.activate(other_version, "the tests")


def hide_heat(other_version: str) -> None:
    movies.hide(949)


CHANGES = (rate_heat, score_again, activate_other, hide_heat)


@pytest.mark.both_databases
@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_made_while_the_list_changed_is_not_kept(
    app: Flask, client: Client, scored: TrainedWorld, other_version: str, change: Callable[[str], None]
) -> None:
    states: list[str] = []

    def make(freshness: Freshness) -> CachedResponse:
        # The list is read; then, before it is kept, the change comes.
        made = [item.movie_id for item in suggestions.best_for(2, freshness=freshness).items]
        if not states:
            change(other_version)
        states.append(freshness.cache_key())
        return response(json.dumps([freshness.version_name, made]))

    answer = json.loads(get_or_make(state_of_bob, make, ()).body)

    current = suggestions.best_for(2)
    assert answer == [current.version_name, [item.movie_id for item in current.items]]
    assert states[1:] == [state_of_bob().cache_key()]
    assert memory().get((states[0], ())) is None
    with redis.Redis.from_url(app.config["CACHE_REDIS_URL"]) as connection:
        assert [key for key in connection.scan_iter() if states[0].encode() in key] == []


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_leaves_a_kept_answer_standing(
    app: Flask, client: Client, scored: TrainedWorld, other_version: str, change: Callable[[str], None]
) -> None:
    before = client.get(PATH)

    change(other_version)

    after = client.get(PATH)
    fresh = suggestions.best_for(2)
    assert [item["id"] for item in after.json["suggestions"]] == [item.movie_id for item in fresh.items]
    assert after.headers["X-Model-Version"] == fresh.version_name
    assert after.headers["ETag"] != before.headers["ETag"]


def test_two_databases_with_one_cache_do_not_meet(app: Flask, scored: TrainedWorld) -> None:
    movies.bump_catalog()
    first = catalog_generation()
    db.session.execute(db.text("DELETE FROM counters"))
    movies.bump_catalog()
    db.session.commit()

    assert catalog_generation() != first


def catalog_generation() -> int:
    return state_of_bob().catalog_generation


def read(address: str) -> tuple[list[int], str | None]:
    """Return the ids and the version of bob's list."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request("GET", PATH)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200, body
    return [item["id"] for item in json.loads(body)["suggestions"]], response.headers["X-Model-Version"]


@pytest.mark.both_databases
@pytest.mark.slow
def test_workers_under_load_never_give_what_was_true_before_a_change(
    app: Flask, scored: TrainedWorld, other_version: str
) -> None:
    is_over = threading.Event()

    def keep_reading(address: str) -> int:
        count = 0
        while not is_over.is_set():
            read(address)
            count += 1
        return count

    # A busy machine may be slow, and this is not about timeouts.
    app.config.update(API_READS_PER_MINUTE=0, DATABASE_TIMEOUT_SECONDS=20.0)
    with running_site(app) as address, ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(keep_reading, address) for _ in range(4)]
        try:
            for turn in range(6):
                # Whatever was read before, an answer asked for after the change shows it, from whichever worker.
                rate(2, 949, 5.0)
                assert all(949 not in read(address)[0] for _ in range(4))
                unrate(2, 949)
                assert all(949 in read(address)[0] for _ in range(4))
                movies.hide(949)
                assert all(949 not in read(address)[0] for _ in range(4))
                movies.show(949)
                suggestions.rescore([2], top=1 + turn % 2)
                assert all(len(read(address)[0]) == 1 + turn % 2 for _ in range(4))
                suggestions.rescore([2])
                assert all(len(read(address)[0]) == 4 for _ in range(4))
        finally:
            is_over.set()
        assert sum(reader.result() for reader in readers) > 0


def test_a_movies_new_title_shows_in_the_next_answer(app: Flask, client: Client, scored: TrainedWorld) -> None:
    client.get("/api/suggestions/?user_id=1")
    db.session.get_one(Movie, 13).title = "Forrest Gump again"
    movies.bump_catalog()
    db.session.commit()

    (item,) = client.get("/api/suggestions/?user_id=1").json["suggestions"]
    assert item["title"] == "Forrest Gump again"
