"""What every answer of the API has in common: ETag, HEAD, links, compression, both forms of an address."""

import gzip
import re

import pytest
from flask import Flask

from recsite import accounts, suggestions
from recsite.extensions import cache, db
from recsite.storage.tables import Movie, User
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import rate
from tests.web.clients import Client

READS = (
    "/api/suggestions?user_id=1",
    "/api/explain?user_id=1&movie_id=550",
    "/api/movies",
    "/api/movies/550",
    "/api/movies/550/similar",
    "/api/ratings?user_id=1",
    "/api/openapi.json",
)
GZIP = {"Accept-Encoding": "gzip, br"}


@pytest.fixture
def wordy(world: World) -> World:
    """The world with titles and overviews that are worth compressing."""
    for movie in db.session.scalars(db.select(Movie)):
        movie.title += ", or a title that hardly ends" * 10
        movie.overview = "A long story. " * 60
    db.session.commit()
    return world


def test_a_client_that_has_the_answer_gets_a_304_without_a_body(
    program: Client, trained: TrainedWorld, subtests: pytest.Subtests
) -> None:
    for path in READS:
        for headers in ({}, GZIP):
            with subtests.test(path=path, headers=headers):
                first = program.get(path, headers=headers)

                second = program.get(path, headers=headers | {"If-None-Match": first.headers["ETag"]})

                assert (first.status_code, second.status_code, second.data) == (200, 304, b"")
                assert second.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("path", ("/api/movies", "/api/movies/550", "/api/ratings?user_id=1"))
def test_an_answer_that_changed_has_another_etag(program: Client, world: World, path: str) -> None:
    before = program.get(path).headers["ETag"]

    rate(world.alice, 550, 0.5)

    assert program.get(path, headers={"If-None-Match": before}).status_code == 200


@pytest.mark.parametrize("path", READS)
def test_head_has_the_headers_of_get_and_no_body(program: Client, trained: TrainedWorld, path: str) -> None:
    got, head = program.get(path), program.head(path)

    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Vary", "Link", "X-Suggestion-Source"):
        assert head.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("path", READS)
def test_both_forms_of_an_address_answer(program: Client, trained: TrainedWorld, path: str) -> None:
    without, _, query = path.partition("?")

    response = program.get(f"{without}/?{query}")

    assert response.status_code == 200
    assert response.data == program.get(path).data


@pytest.mark.parametrize("path", READS)
def test_answers_are_for_the_client_alone(program: Client, trained: TrainedWorld, path: str) -> None:
    response = program.get(path)

    assert response.headers["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie", "Accept-Encoding"} <= set(response.vary)


def links(response: object) -> dict[str, str]:
    """Return the URLs of the Link header by relation."""
    return {name: path for path, name in re.findall(r'<([^>]*)>; rel="(\w+)"', response.headers["Link"])}  # type: ignore[attr-defined]


def test_a_page_links_to_the_pages_around_it(client: Client, world: World) -> None:
    found = links(client.get("/api/movies?genre=Drama&page=2&per_page=1"))

    assert found.keys() == {"first", "prev", "next", "last"}
    assert client.get(found["next"]).json["page"] == 3
    assert client.get(found["prev"]).json["page"] == 1


def test_following_the_links_reads_the_whole_list(client: Client, world: World) -> None:
    path: str | None = "/api/movies?sort=old&per_page=4"
    seen = []
    while path:
        response = client.get(path)
        seen += [movie["id"] for movie in response.json["movies"]]
        path = links(response).get("next")

    assert seen == [13, 680, 278, 862, 949, 550]


def test_the_last_page_has_no_next_and_one_behind_it_leads_back(program: Client, world: World) -> None:
    assert "next" not in links(program.get("/api/ratings?user_id=2&per_page=1&page=2"))
    assert "page=2" in links(program.get("/api/ratings?user_id=2&per_page=1&page=9"))["prev"]


def test_what_stands_in_a_search_cannot_break_out_of_a_link(client: Client, world: World) -> None:
    db.session.add_all(Movie(id=number, title='x>; rel="evil"') for number in range(1, 4))
    db.session.commit()

    found = links(client.get("/api/movies", query_string={"q": '>; rel="evil"', "per_page": 1}))

    assert found.keys() == {"first", "next", "last"}


@pytest.mark.parametrize("path", ("/api/suggestions?user_id=3", "/api/movies", "/api/openapi.json"))
def test_a_large_answer_is_compressed_for_who_takes_it(client: Client, wordy: World, path: str) -> None:
    plain = client.get(path)

    for _ in range(2):  # made, and kept
        packed = client.get(path, headers=GZIP)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        assert len(packed.data) < len(plain.data) / 2
        assert packed.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize("accepts", ("", "identity", "br", "gzip;q=0", "gzip;q=x"))
def test_nobody_gets_gzip_who_did_not_ask_for_it(client: Client, wordy: World, accepts: str) -> None:
    response = client.get("/api/movies", headers={"Accept-Encoding": accepts})

    assert "Content-Encoding" not in response.headers
    assert len(response.json["movies"]) == 6


def test_a_small_answer_is_left_as_it_is(client: Client, world: World) -> None:
    assert "Content-Encoding" not in client.get("/api/movies/550", headers=GZIP).headers


def test_a_snippet_is_compressed_too(client: Client, wordy: World) -> None:
    response = client.get("/api/suggestions?user_id=3", headers=GZIP | {"HX-Request": "true"})

    assert response.headers["Content-Encoding"] == "gzip"
    assert b"Fight Club" in gzip.decompress(response.data)


def test_a_rating_counts_at_once_in_a_compressed_answer(app: Flask, client: Client, trained: TrainedWorld) -> None:
    suggestions.rescore(suggestions.all_user_ids())
    before = client.get("/api/suggestions?user_id=2", headers=GZIP)

    rate(trained.bob, 550, 4.0)

    after = client.get("/api/suggestions?user_id=2", headers=GZIP | {"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200


def test_an_answer_comes_without_the_cache_as_well(app: Flask, client: Client, wordy: World) -> None:
    app.config["CACHE_DEFAULT_TIMEOUT"] = 0
    cache.init_app(app)

    packed = client.get("/api/suggestions?user_id=3", headers=GZIP)

    assert gzip.decompress(packed.data) == client.get("/api/suggestions?user_id=3").data


def test_a_change_has_no_etag(client: Client, world: World) -> None:
    token = accounts.create_token(db.session.get_one(User, world.carol))

    response = client.post(
        "/api/ratings", json={"movie_id": 550, "value": 4}, headers={"Authorization": f"Bearer {token}"}
    )

    assert response.status_code == 201
    assert "ETag" not in response.headers
