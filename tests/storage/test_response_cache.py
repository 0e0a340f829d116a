"""Answers that are made once and never out of date: threads in this process, and gunicorn's workers."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from flask import Flask

from recsite import movies, ratings, suggestions, versions
from recsite.extensions import cache, db
from recsite.storage import response_cache
from recsite.storage.tables import Movie
from recsite.suggestions import Freshness
from recsite.versions import training
from tests.conftest import TrainedWorld
from tests.processes.servers import RedisServer, running_site
from tests.web.clients import Client

READERS = 32
PATH = "/api/suggestions/?user_id=2"


@pytest.fixture
def other_version(scored: TrainedWorld) -> str:
    """A second version, not active."""
    return training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=5)).version_name


def state_of_bob() -> Freshness:
    return suggestions.find_freshness(2)


def count_makers(app: Flask, readers: int) -> int:
    """How many of so many readers at once make the answer for bob."""
    makers = []
    start = threading.Barrier(readers)

    def make(fresh: Freshness) -> bytes:
        makers.append(fresh)
        time.sleep(0.1)
        return b"made"

    def read() -> bytes:
        with app.app_context():
            start.wait()
            return response_cache.find_or_make(state_of_bob, make, "test")

    with ThreadPoolExecutor(readers) as pool:
        found = [each.result() for each in [pool.submit(read) for _ in range(readers)]]
    assert found == [b"made"] * readers
    return len(makers)


def test_of_32_cold_readers_one_makes_the_answer(app: Flask, scored: TrainedWorld) -> None:
    assert count_makers(app, READERS) == 1


def test_without_redis_one_of_32_cold_readers_makes_the_answer(
    app: Flask, scored: TrainedWorld, own_redis: RedisServer
) -> None:
    own_redis.stop()

    assert count_makers(app, READERS) == 1


def test_a_claim_whose_process_died_holds_nobody_up_for_long(app: Flask, scored: TrainedWorld) -> None:
    key = f"{state_of_bob().cache_key()}_test"
    assert cache.cache.claim(f"{key}_claim", response_cache.CLAIM_SECONDS)

    started = time.monotonic()
    answer = response_cache.find_or_make(state_of_bob, lambda fresh: b"made", "test")

    assert answer == b"made"
    assert time.monotonic() - started < response_cache.OTHER_PROCESS_SECONDS + 0.5


def test_whoever_waits_for_another_process_takes_its_answer(app: Flask, scored: TrainedWorld) -> None:
    key = f"{state_of_bob().cache_key()}_test"
    cache.cache.claim(f"{key}_claim", response_cache.CLAIM_SECONDS)
    threading.Timer(0.1, lambda: kept.set(key, b"of the other process")).start()
    kept = cache.cache

    assert response_cache.find_or_make(state_of_bob, lambda fresh: b"made here", "test") == b"of the other process"


def test_an_error_while_an_answer_is_made_is_told_and_leaves_no_claim(app: Flask, scored: TrainedWorld) -> None:
    def fail(fresh: Freshness) -> bytes:
        raise ZeroDivisionError("no list today")

    with pytest.raises(ZeroDivisionError, match="no list today"):
        response_cache.find_or_make(state_of_bob, fail, "test")

    started = time.monotonic()
    assert response_cache.find_or_make(state_of_bob, lambda fresh: b"made", "test") == b"made"
    assert time.monotonic() - started < response_cache.OTHER_PROCESS_SECONDS


def rate_heat(other_version: str) -> None:
    ratings.rate(2, 949, 5.0)


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
    seen = []

    def make(fresh: Freshness) -> bytes:
        # What the list was made from is read; then, before it is kept, the change comes.
        made = [item.movie_id for item in suggestions.best_for(2, fresh=fresh).items]
        if not seen:
            change(other_version)
        seen.append(fresh.cache_key())
        return json.dumps([fresh.version_name, made]).encode()

    answer = json.loads(response_cache.find_or_make(state_of_bob, make, "test"))

    fresh = suggestions.best_for(2)
    assert answer == [fresh.version_name, [item.movie_id for item in fresh.items]]
    assert cache.cache.get(f"{seen[0]}_test") is None
    assert seen[1:] == [state_of_bob().cache_key()]


@pytest.mark.both_databases
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
    """The ids and the version of bob's list."""
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

    app.config["API_READS_PER_MINUTE"] = 0
    with running_site(app) as address, ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(keep_reading, address) for _ in range(8)]
        try:
            for turn in range(12):
                # Whatever was read before, an answer asked for after the change shows it, from whichever worker.
                ratings.rate(2, 949, 5.0)
                assert all(949 not in read(address)[0] for _ in range(4))
                ratings.unrate(2, 949)
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
