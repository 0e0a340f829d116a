"""How often one caller may ask in a minute, and what the answers say of it."""

import pytest
from flask import Flask

from recsite.storage.tables import User
from recsite.web import trust_proxies
from recsite.web.request import limits
from tests.conftest import World
from tests.processes.servers import RedisServer
from tests.web.clients import Client, log_in, new_client, token_headers

PATH = "/api/movies"
LOGIN = {"username": "nobody", "password": "wrong password"}


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Twenty seconds into a minute."""
    clock = Clock(60 * 1000 + 20)
    monkeypatch.setattr(limits, "time", clock)
    return clock


def statuses(client: Client, times: int, path: str = PATH, **options: object) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(times)]


def test_an_answer_says_what_is_left(client: Client, world: World, clock: Clock) -> None:
    client.get(PATH)

    headers = client.get(PATH).headers

    assert headers["X-RateLimit-Limit"] == "900"
    assert headers["X-RateLimit-Remaining"] == "898"
    assert headers["X-RateLimit-Reset"] == "40"


def test_an_error_counts_and_says_what_is_left(client: Client, world: World, clock: Clock) -> None:
    assert client.get(f"{PATH}?page=x").headers["X-RateLimit-Remaining"] == "899"


def test_one_request_too_many_is_a_429_that_says_when_to_come_back(
    app: Flask, client: Client, world: World, clock: Clock
) -> None:
    app.config["API_READS_PER_MINUTE"] = 2
    assert statuses(client, 2) == [200, 200]

    response = client.get(PATH)

    assert response.status_code == 429
    assert response.json == {"error": "More than 2 requests in a minute; go on in 40 seconds."}
    assert response.headers["Retry-After"] == "40"
    assert response.headers["X-RateLimit-Remaining"] == "0"


def test_the_next_minute_starts_anew(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config["API_READS_PER_MINUTE"] = 1
    assert statuses(client, 2) == [200, 429]

    clock.now += 40

    assert statuses(client, 1) == [200]


def test_each_address_has_its_own_count(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config["API_READS_PER_MINUTE"] = 1
    assert statuses(client, 2, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}) == [200, 429]

    assert statuses(client, 1, environ_overrides={"REMOTE_ADDR": "192.0.2.2"}) == [200]


def test_addresses_of_one_ipv6_network_count_as_one(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config["API_READS_PER_MINUTE"] = 1
    assert statuses(client, 1, environ_overrides={"REMOTE_ADDR": "2001:db8:1:2::1"}) == [200]

    assert statuses(client, 1, environ_overrides={"REMOTE_ADDR": "2001:db8:1:2:ffff::9"}) == [429]
    assert statuses(client, 1, environ_overrides={"REMOTE_ADDR": "2001:db8:1:3::1"}) == [200]


def test_a_login_counts_by_itself_wherever_it_comes_from(app: Flask, world: World, clock: Clock) -> None:
    app.config["API_READS_PER_MINUTE"] = 1
    alice = log_in(app, world.alice)
    assert statuses(alice, 1, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}) == [200]

    assert statuses(alice, 1, environ_overrides={"REMOTE_ADDR": "192.0.2.2"}) == [429]
    assert statuses(new_client(app), 1) == [200]


def test_a_token_has_a_limit_of_its_own(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config.update(API_READS_PER_MINUTE=1, API_TOKEN_READS_PER_MINUTE=3)

    assert statuses(client, 4, headers=token_headers(world.alice)) == [200, 200, 200, 429]
    assert statuses(client, 1, headers=token_headers(world.bob)) == [200]


def test_an_unknown_token_counts_for_its_address(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config["API_READS_PER_MINUTE"] = 2

    tried = [client.get(PATH, headers={"Authorization": f"Bearer {guess}"}).status_code for guess in "abc"]

    assert tried == [401, 401, 429]


def test_changes_have_a_limit_of_their_own(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config["API_TOKEN_WRITES_PER_MINUTE"] = 1
    token = token_headers(world.carol)

    changes = [client.post("/api/ratings", json={"movie_id": 550, "value": 4}, headers=token) for _ in range(2)]

    assert [change.status_code for change in changes] == [201, 429]
    assert statuses(client, 1, headers=token) == [200]


def test_no_limit_leaves_the_answers_without_the_headers(app: Flask, client: Client, world: World) -> None:
    app.config["API_READS_PER_MINUTE"] = 0

    response = client.get(PATH)

    assert response.status_code == 200
    assert "X-RateLimit-Limit" not in response.headers


def test_pages_are_not_counted(app: Flask, client: Client, world: World) -> None:
    app.config["API_READS_PER_MINUTE"] = 1

    assert statuses(client, 3, "/movies/") == [200, 200, 200]


@pytest.mark.parametrize("path", ("/accounts/login/", "/accounts/signup/"))
def test_guessing_passwords_is_slowed_down(app: Flask, client: Client, world: World, clock: Clock, path: str) -> None:
    app.config["LOGINS_PER_MINUTE"] = 2

    tried = [client.post(path, data=LOGIN | {"username": "a b"}).status_code for _ in range(3)]

    assert tried == [400, 400, 429]
    assert client.get(path).status_code == 200


def test_a_browser_that_is_slowed_down_gets_a_page(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config["LOGINS_PER_MINUTE"] = 1
    client.post("/accounts/login/", data=LOGIN)

    response = client.post("/accounts/login/", data=LOGIN)

    assert response.mimetype == "text/html"
    assert "go on in 40 seconds" in response.text


def test_web_processes_count_attempts_and_changes_together(app: Flask, world: World, clock: Clock) -> None:
    app.config.update(LOGINS_PER_MINUTE=2)
    app.test_client().post("/accounts/login/", data=LOGIN)
    app.extensions["limits"] = limits.Counts()  # as another process has them

    tried = [app.test_client().post("/accounts/login/", data=LOGIN).status_code for _ in range(2)]

    assert tried == [400, 429]


def test_guesses_at_one_name_are_counted_together_wherever_they_come_from(app: Flask, erin: User, clock: Clock) -> None:
    app.config["LOGINS_PER_MINUTE"] = 2

    def guess(number: int, name: str) -> int:
        addresses = {"REMOTE_ADDR": f"192.0.2.{number}"}
        sent = {"username": name, "password": "a wrong guess"}
        return int(new_client(app).post("/accounts/login/", data=sent, environ_overrides=addresses).status_code)

    assert [guess(number, name) for number, name in enumerate(("erin", " ERIN", "erin"))] == [400, 400, 429]
    assert guess(9, "frank") == 400


@pytest.mark.parametrize("path", ("/accounts/password/", "/accounts/delete/"))
def test_guesses_in_a_stolen_session_are_counted_for_its_user(app: Flask, erin: User, path: str, clock: Clock) -> None:
    app.config["LOGINS_PER_MINUTE"] = 2
    stolen = log_in(app, erin.id)

    tried = [
        stolen.post(
            path,
            data={"password": "a wrong guess", "old": "a wrong guess", "new": "another one", "again": "another one"},
            environ_overrides={"REMOTE_ADDR": f"192.0.2.{number}"},
        ).status_code
        for number in range(3)
    ]

    assert tried == [400, 400, 429]


def test_without_redis_each_process_counts_for_itself(
    app: Flask, client: Client, world: World, own_redis: RedisServer, clock: Clock
) -> None:
    own_redis.stop()
    app.config["LOGINS_PER_MINUTE"] = 2

    tried = [client.post("/accounts/login/", data=LOGIN).status_code for _ in range(3)]

    assert tried == [400, 400, 429]


def test_each_client_has_one_name_however_its_address_is_written() -> None:
    names = {
        "203.0.113.7": (
            "203.0.113.7",
            "203.0.113.7:51234",
            " 203.0.113.7 ",
            "::ffff:203.0.113.7",
            "[::ffff:cb00:7107]:80",
        ),
        "2001:db8::/64": ("2001:db8::1", "2001:db8::ffff:1", "[2001:db8::1]", "[2001:db8::1]:443", "2001:db8::1%eth0"),
        "unix:": ("unix:",),
        "a:b": ("a:b",),
        "": ("", "  "),
    }
    for name, addresses in names.items():
        for address in addresses:
            assert limits.normalize(address) == name, address

    assert limits.normalize("::ffff:192.0.2.1") != limits.normalize("::ffff:198.51.100.9")


def test_a_proxy_may_send_anything_as_the_clients_address(app: Flask, world: World) -> None:
    trust_proxies(app, 1)
    client = new_client(app)

    for sent in ("203.0.113.7:51234", "[2001:db8::1]:443", "[2001:db8::1]", "unix:", "a:b", "203.0.113.7:1, x:80", "é"):
        headers = {"X-Forwarded-For": sent}
        assert client.get(PATH, headers=headers).status_code == 200, sent
        assert client.post("/accounts/login/", data=LOGIN, headers=headers).status_code == 400, sent


def test_pages_forms_and_searches_have_limits(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config.update(PAGES_PER_MINUTE=3, FORMS_PER_MINUTE=2, SEARCHES_PER_MINUTE=1)

    assert statuses(client, 1, "/movies/?q=heat") == [200]
    assert statuses(client, 1, "/movies/?q=heat") == [429]
    assert statuses(client, 1, f"{PATH}?q=heat") == [429]
    assert statuses(client, 2, "/movies/") == [200, 429]
    assert [client.post("/movies/949/rate", data={"value": "4"}).status_code for _ in range(3)][2] == 429
    # Files, monitoring and the API have limits of their own, or none.
    assert statuses(client, 5, "/healthz") + statuses(client, 5, "/static/site.css") + statuses(client, 1) == 11 * [200]


def test_a_filtered_list_counts_as_a_search(app: Flask, client: Client, world: World, clock: Clock) -> None:
    app.config["SEARCHES_PER_MINUTE"] = 2
    path = "/api/suggestions?user_id=2"

    assert statuses(client, 2, f"{path}&exclude=13") == [200, 200]
    assert statuses(client, 1, f"{path}&offset=1") == [429]
    assert statuses(client, 3, path) == [200, 200, 200]
    assert statuses(client, 3, f"{path}&limit=7") == [200, 200, 200]
