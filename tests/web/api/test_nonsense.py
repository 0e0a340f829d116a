"""What no sensible client sends: each gets an answer below 500 that says what is wrong."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask

from recsite import ratings
from recsite.extensions import db
from recsite.web.api.parameters import LONGEST_BODY
from tests.conftest import World
from tests.processes.servers import ask_raw, running_site
from tests.web.clients import Client, token_headers

Headers = dict[str, str]

READS = (
    "/api/suggestions",
    "/api/explain",
    "/api/movies",
    "/api/movies/550",
    "/api/movies/550/similar",
    "/api/ratings",
)
QUERIES = (
    "user_id=null",
    "user_id=[1]",
    "user_id[]=1",
    "user_id=1e3",
    "user_id=" + "9" * 199,
    "user_id=1&user_id=1",
    "user_id=%F0%9D%9F%99",
    "user_id=%ff%fe",
    "user_id=1%0A",
    "user_id=1&movie_id=%00",
    "user_id=1&limit=NaN",
    "user_id=1&offset=99999999999999999999",
    "user_id=1&exclude=,",
    "user_id=1&exclude=1,,2",
    "user_id=1&exclude=" + ",".join("1" * 301),
    "user_id=1&include=value,value",
    "user_id=1&include=__class__",
    "user_id=1&sort=",
    "user_id=1&movie_id=550&genre=" + "%F0%9F%8E%AC" * 201,
    "%ff=%fe",
    "=",
    "&&&==&",
    "a" * 3000,
    "__proto__=1",
    "_method=DELETE",
)


@pytest.fixture
def carols(world: World) -> Headers:
    """The header that acts as Carol."""
    return token_headers(world.carol)


@pytest.mark.parametrize("query", QUERIES, ids=[query[:40] for query in QUERIES])
@pytest.mark.parametrize("path", READS)
def test_a_query_that_makes_no_sense_is_told_so(client: Client, world: World, path: str, query: str) -> None:
    response = client.get(f"{path}?{query}")

    assert response.status_code in ((200, 400) if query in ("=", "&&&==&") else (400,))
    assert response.status_code == 200 or response.json.keys() == {"error"}


@pytest.mark.parametrize(
    "path",
    (
        "/api/movies/-1",
        "/api/movies/0x1f",
        "/api/movies/%00",
        "/api/movies/%ff",
        "/api/movies/..%2f..%2fetc%2fpasswd",
        "/api/movies/550/similar/more",
        "/api/movies//550",
        "/api/" + "x" * 3000,
        "/api/try/rate_movie",
        "/api/try/%00",
    ),
)
def test_an_address_that_is_not_there_is_a_404_in_json(client: Client, world: World, path: str) -> None:
    response = client.get(path)

    # A doubled slash leads to the address with one.
    assert response.status_code in ((308, 404) if "//" in path else (404,))
    assert response.status_code == 308 or response.json.keys() == {"error"}


@pytest.mark.parametrize("method", ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "QUERY", "BREW"))
@pytest.mark.parametrize("path", READS[:-1])
def test_a_method_that_is_not_there_is_a_405_with_those_that_are(
    client: Client, world: World, path: str, method: str
) -> None:
    response = client.open(path, method=method)

    assert response.status_code == 405
    assert set(response.allow) == {"GET", "HEAD", "OPTIONS"}
    assert response.json.keys() == {"error"}


@pytest.mark.parametrize("header", ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"))
def test_no_header_makes_another_method_of_one(client: Client, world: World, carols: Headers, header: str) -> None:
    ratings.rate(world.carol, 550, 4.5)

    assert client.post("/api/ratings/550", headers=carols | {header: "DELETE"}).status_code == 405
    assert client.get("/api/movies/550?_method=DELETE", headers=carols | {header: "DELETE"}).status_code == 400
    assert ratings.rating_of(world.carol, 550) == 4.5


BODIES = (
    "{}",
    "[]",
    "0",
    '"movie_id"',
    "true",
    "NaN",
    '{"movie_id": {"$gt": 0}, "value": 4}',
    '{"movie_id": [550], "value": 4}',
    '{"movie_id": 550, "value": null}',
    '{"movie_id": 550, "value": Infinity}',
    '{"movie_id": 550, "value": -0.5}',
    '{"movie_id": 550, "value": 1e-400}',
    '{"movie_id": 550, "value": 4.500000001}',
    '{"movie_id": -550, "value": 4}',
    '{"movie_id": 550, "value": 4} trailing',
    "{'movie_id': 550, 'value': 4}",
    '{"movie_id": 550, "value": 4, "__class__": 1}',
    '{"Movie_id": 550, "value": 4}',
    "movie_id=550&value=4",
    "\x00",
)


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_makes_no_sense_is_a_400_and_changes_nothing(
    client: Client, world: World, carols: Headers, body: str
) -> None:
    response = client.post("/api/ratings", data=body, content_type="application/json", headers=carols)

    assert response.status_code == 400
    assert response.json.keys() == {"error"}
    assert ratings.rating_of(world.carol, 550) is None


@pytest.mark.parametrize(
    "content_type", ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml")
)
def test_a_body_of_another_type_is_a_415(client: Client, world: World, carols: Headers, content_type: str) -> None:
    body = json.dumps({"movie_id": 550, "value": 4})

    response = client.post("/api/ratings", data=body, content_type=content_type, headers=carols)

    assert response.status_code == 415
    assert response.json.keys() == {"error"}


@pytest.mark.parametrize("content_type", ("application/json; charset=utf-8", "application/merge-patch+json"))
def test_a_type_that_is_json_by_another_name_will_do(
    client: Client, world: World, carols: Headers, content_type: str
) -> None:
    body = json.dumps({"movie_id": 550, "value": 4})

    assert client.post("/api/ratings", data=body, content_type=content_type, headers=carols).status_code == 201


def test_a_body_that_is_too_large_is_a_413(client: Client, world: World, carols: Headers) -> None:
    body = json.dumps({"movie_id": 550, "value": 4, "more": "x" * LONGEST_BODY})

    response = client.post("/api/ratings", data=body, content_type="application/json", headers=carols)

    assert response.status_code == 413
    assert response.json.keys() == {"error"}


@pytest.mark.parametrize(
    "sent",
    (
        "Bearer",
        "Bearer ",
        "Bearer null",
        "Bearer " + "x" * 4000,
        "Bearer a b c",
        "Bearer \xff\xfe",
        "bearer\tx",
        "Token x",
        "Basic !!!",
        "Digest x",
        '"',
    ),
)
def test_an_odd_authorization_changes_nothing(client: Client, world: World, sent: str) -> None:
    response = client.post("/api/ratings", json={"movie_id": 550, "value": 4}, headers={"Authorization": sent})

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_token_of_a_user_who_is_gone_is_no_token(app: Flask, client: Client, world: World, carols: Headers) -> None:
    db.session.execute(db.text("DELETE FROM api_tokens"))
    db.session.commit()

    assert client.get("/api/movies", headers=carols).status_code == 401


@pytest.mark.parametrize(
    "headers",
    (
        {"If-None-Match": '"'},
        {"If-None-Match": "W/" * 500},
        {"If-Modified-Since": "yesterday"},
        {"Range": "bytes=5-1"},
        {"Accept": "///,;q=x"},
        {"Accept-Encoding": "gzip;q=nan, *;q=-1"},
        {"Cookie": "session=" + "x" * 3000},
        {"Cookie": "session=.eJw\xff; session=a"},
        {"HX-Request": "TRUE\xff"},
        {"Origin": "null"},
        {"Content-Type": "application/json", "Content-Length": "0"},
    ),
)
def test_odd_headers_are_no_reason_to_fail(client: Client, world: World, headers: Headers) -> None:
    assert client.get("/api/movies", headers=headers).status_code in (200, 304)


@pytest.fixture
def site(app: Flask, world: World) -> Iterator[int]:
    """The port of the running site."""
    with running_site(app, workers=1) as address:
        yield int(address.rpartition(":")[2])


def test_what_is_no_http_at_all_does_not_bring_a_server_down(site: int) -> None:
    head = b"GET /api/movies HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    asked = {
        b"GET /api/movies?q=" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n": (400, 414),
        b"GET /api/movies/\xff\xfe?q=\xff HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n": (400, 404),
        b"GET /api/movies?q=\xc3( HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n": (200, 400),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n": (400, 405, 505),
        b"GET\r\n\r\n": (400,),
        b"FROB /api/movies HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n": (400, 405),
        head + b"Content-Length: -1\r\n\r\n": (400,),
        head + b"Transfer-Encoding: nonsense\r\n\r\n": (400, 501),
        head + b"X: " + b"y" * 9000 + b"\r\n\r\n": (400, 431),
        head + b"Bad Header\r\n\r\n": (400,),
    }

    answered = {request[:40]: (ask_raw(site, request), statuses) for request, statuses in asked.items()}

    assert {request: status for request, (status, expected) in answered.items() if status not in expected} == {}
    assert ask_raw(site, head + b"\r\n") == 200
