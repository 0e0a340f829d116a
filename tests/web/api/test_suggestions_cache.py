"""What callers can make the site keep, and how a kept fragment names the site."""

from typing import Any

from flask import Flask

from recsite.extensions import cache
from tests.conftest import TrainedWorld
from tests.web.clients import Client

OF_BOB = "/api/suggestions/?user_id=2"


def count_keys() -> int:
    """Return how many responses are cached: in Redis and in this process."""
    backend: Any = cache.cache
    keys = [key for key in backend._redis.scan_iter(match="recsite:*") if b"PER_MINUTE" not in key]
    return len(keys) + len(backend.memory)


def test_variants_of_a_request_do_not_fill_the_cache(app: Flask, client: Client, scored: TrainedWorld) -> None:
    app.config["SEARCHES_PER_MINUTE"] = 0
    for number in range(1, 50):
        client.get(f"{OF_BOB}&exclude={number}")
        client.get(f"{OF_BOB}&offset={number}")
        client.get(f"{OF_BOB}&genre=Drama{number}")
        client.get(OF_BOB, headers={"HX-Request": "true", "Host": f"host-{number}.example"})
        client.get(f"/api/suggestions/?user_id={'0' * (number % 9)}2&limit=50&include=")

    # One list as JSON, one as a fragment, each in Redis and in the process.
    assert count_keys() <= 4


def test_a_cached_fragment_names_the_site_as_each_client_does(client: Client, scored: TrainedWorld) -> None:
    for host in ("one.example", "two.example:8080", "one.example"):
        text = client.get(OF_BOB, headers={"HX-Request": "true", "Host": host}).text

        assert f'href="http://{host}/movies/' in text
        assert "\0" not in text
    below = client.get(OF_BOB, headers={"HX-Request": "true"}, environ_overrides={"SCRIPT_NAME": "/films"}).text
    assert 'href="http://localhost/films/movies/' in below
