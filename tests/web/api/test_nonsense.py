"""What no sensible client sends: each gets an answer below 500 that says what is wrong."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask

from recsite import ratings
from recsite.accounts import site_tokens
from recsite.extensions import db
from recsite.web.api.schema import LONGEST_BODY
from tests.conftest import World
from tests.processes.servers import ask_raw, running_site
from tests.ratings.changes import rate
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
ID = "a whole number from 1 to 2147483647"
BAD_IDS = ("null", "[1]", "1e3", "1.0", "+1", "1_0", "%F0%9D%9F%99", "%ff%fe", "1%0A", "%00", "9" * 199, "-0", "")
BAD_OPTIONS = {
    # path: each query, and what the error says of it
    "/api/suggestions?user_id=1": {
        "limit=NaN": "limit must be a whole number from 1 to 100.",
        "offset=99999999999999999999": "offset must be a whole number from 0 to 1000.",
        "exclude=,": f"exclude must be a list of at most 300, joined by commas, each {ID}.",
        "exclude=1,,2": f"exclude must be a list of at most 300, joined by commas, each {ID}.",
        "exclude=" + ",".join("1" * 301): f"exclude must be a list of at most 300, joined by commas, each {ID}.",
        "include=value,value": "include must be a list without repetition, joined by commas, each one of: ",
        "include=__class__": "include must be a list without repetition, joined by commas, each one of: ",
        "sort=": "sort must be one of: score, value.",
        "genre="
        + "%F0%9F%8E%AC" * 201: "genre must be a list of at most 10, joined by commas, each a name of 1 to 100",
        "user_id=1": "user_id is given more than once.",
        "user_id[]=1": "Unknown option 'user_id[]'; the options are: diversity, exclude, fewest_ratings,",
    },
    "/api/movies?page=1": {
        "page=1": "page is given more than once.",
        "per_page=0x10": "per_page must be a whole number from 1 to 100.",
        "sort=Popular": "sort must be one of: ",
        "q=%00": "q must be text of at most 200 characters, without NUL.",
        "%ff=%fe": "Unknown option '%FF'",
        "a" * 3000: f"Unknown option '{'a' * 50}'",
        "__proto__=1": "Unknown option '__proto__'",
        "_method=DELETE": "Unknown option '_method'",
    },
    "/api/movies/550/similar?limit=1": {"limit=1": "limit is given more than once.", "x": "are: limit, precision."},
    "/api/movies/550?": {"fields=id": "Unknown option 'fields'; the options are: precision."},
}


@pytest.fixture
def carols(world: World) -> Headers:
    """The header that acts as Carol."""
    return token_headers(world.carol)


def test_an_id_that_makes_no_sense_is_refused_by_every_path_that_takes_one(client: Client, world: World) -> None:
    for path in ("/api/suggestions?", "/api/explain?movie_id=550&", "/api/ratings?"):
        for sent in BAD_IDS:
            response = client.get(f"{path}user_id={sent}")

            assert (response.status_code, response.json) == (400, {"error": f"user_id must be {ID}."}), (path, sent)


def test_an_option_that_makes_no_sense_is_refused_with_what_it_may_be(client: Client, world: World) -> None:
    for path, queries in BAD_OPTIONS.items():
        for query, message in queries.items():
            response = client.get(f"{path}&{query}")

            assert response.status_code == 400, (path, query)
            assert message in response.json["error"], (path, query)


def test_empty_options_are_no_options(client: Client, world: World) -> None:
    for path in ("/api/movies", "/api/movies/550", "/api/movies/550/similar"):
        assert client.get(f"{path}?&&").status_code == 200
        assert client.get(f"{path}?=").status_code == 400


def test_an_address_that_is_not_there_is_a_404_in_json(client: Client, world: World, subtests: pytest.Subtests) -> None:
    for path in (
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
    ):
        with subtests.test(path=path):
            response = client.get(path)

            # A doubled slash leads to the address with one.
            assert response.status_code in ((308, 404) if "//" in path else (404,))
            assert response.status_code == 308 or response.json.keys() == {"error"}


def test_a_method_that_is_not_there_is_a_405_with_those_that_are(
    client: Client, world: World, subtests: pytest.Subtests
) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "QUERY", "BREW"):
        with subtests.test(method=method):
            for path in READS[1:-1]:
                more = {"PUT", "DELETE"} if path == "/api/movies/550" else set()
                response = client.open(path, method=method)

                assert response.status_code == (401 if method in more else 405), path
                assert method in more or set(response.allow) == {"GET", "HEAD", "OPTIONS"} | more
                assert response.json.keys() == {"error"}


@pytest.mark.parametrize("header", ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"))
def test_no_header_makes_another_method_of_one(client: Client, world: World, carols: Headers, header: str) -> None:
    rate(world.carol, 550, 4.5)

    assert client.post("/api/ratings/550", headers=carols | {header: "DELETE"}).status_code == 405
    assert client.get("/api/movies/550?_method=DELETE", headers=carols | {header: "DELETE"}).status_code == 400
    assert ratings.rating_of(world.carol, 550) == 4.5


VALUE = "value must be a number from 0.5 to 5 in steps of 0.5."
BODIES = {
    "{}": "movie_id is missing",
    "[]": "The body must be a JSON object with user_id or user and movie_id or movie and value and timestamp.",
    "0": "The body must be a JSON object",
    '"movie_id"': "The body must be a JSON object",
    "true": "The body must be a JSON object",
    "NaN": "The body is not valid JSON.",
    '{"movie_id": {"$gt": 0}, "value": 4}': f"movie_id must be {ID}.",
    '{"movie_id": [550], "value": 4}': f"movie_id must be {ID}.",
    '{"movie_id": "550", "value": 4}': f"movie_id must be {ID}.",
    '{"movie_id": -550, "value": 4}': f"movie_id must be {ID}.",
    '{"movie_id": 550, "value": null}': VALUE,
    '{"movie_id": 550, "value": -0.5}': VALUE,
    '{"movie_id": 550, "value": 1e-400}': VALUE,
    '{"movie_id": 550, "value": 4.500000001}': VALUE,
    '{"movie_id": 550, "value": Infinity}': "The body is not valid JSON.",
    '{"movie_id": 550, "value": 4} trailing': "The body is not valid JSON.",
    "{'movie_id': 550, 'value': 4}": "The body is not valid JSON.",
    '{"movie_id": 550, "value": 4, "__class__": 1}': "Unknown key '__class__' in the body",
    '{"Movie_id": 550, "value": 4}': "Unknown key 'Movie_id' in the body",
    "movie_id=550&value=4": "The body is not valid JSON.",
    "\x00": "The body is not valid JSON.",
}


@pytest.mark.parametrize("sent", (b'{"movie_id": 550, "\xff": 4}', b'{"user": "\xed\xa0\x80"}', b'{"user": "\\ud800"}'))
@pytest.mark.parametrize("kind", ("application/json", "application/x-ndjson"))
def test_a_body_that_is_not_utf_8_is_not_valid_json(
    client: Client, world: World, carols: Headers, sent: bytes, kind: str
) -> None:
    shop = {"Authorization": f"Bearer {site_tokens.create('the shop', ['ratings:write'], None, 'the tests')}"}
    batch = client.post("/api/ratings/batch", data=sent, content_type=kind, headers=shop)
    message = batch.json["refused"][0]["error"] if kind.endswith("ndjson") else batch.json["error"]
    assert message.endswith("is not valid JSON.")
    one = client.post("/api/ratings", data=sent, content_type="application/json", headers=carols)
    assert (one.status_code, one.json["error"]) == (400, "The body is not valid JSON.")


def test_a_line_break_at_the_end_of_a_users_id_is_refused(client: Client, world: World) -> None:
    shop = {"Authorization": f"Bearer {site_tokens.create('the shop', ['ratings:write'], None, 'the tests')}"}
    rows = [{"user": name, "movie": movie, "value": 4} for name, movie in (("a\n", "tmdb:550"), ("a", "tmdb:550\n"))]
    answer = client.post("/api/ratings/batch", json={"ratings": rows}, headers=shop)
    assert [each["index"] for each in answer.json["refused"]] == [0, 1]


def test_a_body_that_makes_no_sense_is_a_400_and_changes_nothing(client: Client, world: World, carols: Headers) -> None:
    for body, message in BODIES.items():
        response = client.post("/api/ratings", data=body, content_type="application/json", headers=carols)

        assert response.status_code == 400, body
        assert message in response.json["error"], body
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


def test_an_odd_authorization_changes_nothing(client: Client, world: World, subtests: pytest.Subtests) -> None:
    for sent in (
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
    ):
        with subtests.test(sent=sent):
            response = client.post("/api/ratings", json={"movie_id": 550, "value": 4}, headers={"Authorization": sent})

            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_token_of_a_user_who_is_gone_is_no_token(app: Flask, client: Client, world: World, carols: Headers) -> None:
    db.session.execute(db.text("DELETE FROM api_tokens"))
    db.session.commit()

    assert client.get("/api/movies", headers=carols).status_code == 401


def test_odd_headers_are_no_reason_to_fail(client: Client, world: World, subtests: pytest.Subtests) -> None:
    for headers in (
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
    ):
        with subtests.test(headers=headers):
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
