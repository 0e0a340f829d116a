"""PUT and DELETE /api/movies/<id> and POST /api/movies/batch: a site's own catalogue."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from recsite.extensions import db
from recsite.movies import require_id
from recsite.storage.tables import AuditEntry, Movie
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client, site_headers

PATH = "/api/movies/batch"
NOTHING = {"new": 0, "changed": 0, "unchanged": 0, "withdrawn": 0, "refused": []}
HEAT = 949
WHOLE = {
    "title": "The Long Film",
    "overview": "It goes on.",
    "release_date": "2020-02-29",
    "genres": ["Drama", "Crime"],
    "poster_path": "/long.jpg",
    "imdb_id": "tt7654321",
    "link": "https://shop.example/film/SKU-1",
    "is_hidden": False,
}


@pytest.fixture
def headers(world: World) -> dict[str, str]:
    """The headers of a program that may write the catalogue."""
    return site_headers("catalog:write")


def send(client: Client, headers: dict[str, str], *rows: Any) -> dict[str, Any]:
    """Send these rows and return the answer."""
    response = client.post(PATH, json={"movies": rows}, headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json
    return found


def read(reference: str | int) -> Movie:
    """Return the stored movie."""
    db.session.rollback()
    movie_id = require_id(reference) if isinstance(reference, str) else reference
    return db.session.get_one(Movie, movie_id, populate_existing=True)


@pytest.mark.both_databases
def test_movies_are_new_changed_or_unchanged(client: Client, headers: dict[str, str]) -> None:
    rows = [
        {"movie": "site:SKU-1", **WHOLE},
        {"movie_id": 4711, "title": "By TMDB's id"},
        {"movie": "movielens:77", "title": "M"},
    ]
    assert send(client, headers, *rows) == NOTHING | {"new": 3}
    assert send(client, headers, *rows) == NOTHING | {"unchanged": 3}
    movie = read("site:SKU-1")
    assert movie.id == 2_000_000_000
    found = {name: getattr(movie, name) for name in WHOLE}
    assert found == WHOLE | {"release_date": date(2020, 2, 29), "genres": "Drama|Crime"}
    assert (read(4711).title, read("movielens:77").id) == ("By TMDB's id", 1_000_000_077)
    changes = [{"movie": "site:SKU-1", "genres": [], "release_date": None}, {"movie": "tmdb:4711", "site_id": "SKU-2"}]
    assert send(client, headers, *changes, {"movie": "site:SKU-3", "title": "T"}) == NOTHING | {"new": 1, "changed": 2}
    movie = read("site:SKU-1")
    assert (movie.genres, movie.release_date, movie.title) == ("", None, "The Long Film")
    assert (read("site:SKU-2").id, read("site:SKU-3").id) == (4711, 2_000_000_001)


@pytest.mark.both_databases
def test_own_ids_can_be_exchanged(client: Client, headers: dict[str, str]) -> None:
    send(client, headers, {"movie_id": 1, "title": "A", "site_id": "a"}, {"movie_id": 2, "title": "B", "site_id": "b"})
    swapped = [{"movie_id": 1, "site_id": None}, {"movie_id": 2, "site_id": "a"}, {"movie_id": 1, "site_id": "b"}]
    assert send(client, headers, *swapped) == NOTHING | {"changed": 2, "unchanged": 1}
    assert (read("site:a").id, read("site:b").id) == (2, 1)
    renamed = send(client, headers, {"movie": "site:b", "site_id": "c"}, {"movie": "site:b", "overview": "Gone."})
    gone = {"index": 1, "error": "The movie site:b is not stored yet, and title is missing."}
    assert renamed == NOTHING | {"changed": 1, "refused": [gone]}
    clash = send(client, headers, {"movie_id": 1, "site_id": "a"})
    assert clash["refused"] == [{"index": 0, "error": "The site_id a belongs to another movie, 2."}]


@pytest.mark.both_databases
def test_an_own_id_goes_to_the_movie_with_the_imdb_id(client: Client, headers: dict[str, str]) -> None:
    db.session.get_one(Movie, HEAT).imdb_id = "tt0113277"
    db.session.commit()
    row = {"movie": "site:SKU-9", "imdb_id": "tt113277", "title": "Heat", "link": "http://shop.example/9"}
    assert send(client, headers, row) == NOTHING | {"changed": 1}
    assert (read("site:SKU-9").id, read(HEAT).imdb_id) == (HEAT, "tt0113277")
    assert send(client, headers, row) == NOTHING | {"unchanged": 1}
    # Another article of the same film is a movie of its own.
    assert send(client, headers, row | {"movie": "site:SKU-10"}) == NOTHING | {"new": 1}


def test_bad_rows_are_listed(client: Client, headers: dict[str, str]) -> None:
    rows = [
        {"movie": "site:new"},
        {"movie_id": 1_999_999_999, "title": "No"},
        {"movie_id": HEAT, "title": ""},
        {"movie_id": HEAT, "genres": ["a,b"]},
        {"movie_id": HEAT, "release_date": "1995"},
        {"movie_id": HEAT, "link": "javascript:alert(1)"},
        {"movie_id": HEAT, "imdb_id": "113277"},
        {"movie_id": HEAT, "rating": 5},
        {"movie": "site:x", "title": "X", "site_id": "y"},
        {"movie_id": HEAT, "is_hidden": "yes"},
        {"movie_id": HEAT, "title": "Heat 2"},
    ]
    answer = send(client, headers, *rows)
    found = {each["index"]: each["error"] for each in answer["refused"]}
    assert (answer["changed"], list(found)) == (1, list(range(10)))
    assert found[0] == "The movie site:new is not stored yet, and title is missing."
    assert found[1] == "Movie 1999999999 not found"
    assert found[2] == "title must be text of 1 to 500 characters, without NUL."
    assert found[3].startswith("genres[0] must be")
    assert found[4] == "release_date must be a date such as 1995-12-15, or null."
    assert found[5] == "link must be an address that begins with https:// or http://, or null."
    assert found[6] == "imdb_id must be an id such as tt0113277, or null."
    assert found[8] == "site_id must be that in site:x, or be left out; the movie is not stored yet."
    assert found[9] == "is_hidden must be true or false."
    assert read(HEAT).title == "Heat 2"


@pytest.mark.both_databases
def test_names_of_one_movie_mean_one_movie(client: Client, headers: dict[str, str]) -> None:
    rows = [
        {"movie": "imdb:tt01234", "title": "By IMDb's id"},
        {"movie": "imdb:tt0001234", "overview": "With zeros."},
        {"movie": "tmdb:4711", "title": "By TMDB's id", "overview": "Kept."},
        {"movie_id": 4711, "poster_path": "/p.jpg"},
        {"movie": "site:a", "imdb_id": "tt7777777", "title": "A"},
        {"movie": "imdb:tt7777777", "overview": "By the id of the row before."},
    ]
    assert send(client, headers, *rows) == NOTHING | {"new": 3, "unchanged": 3}
    assert send(client, headers, *rows) == NOTHING | {"unchanged": 6}
    assert [(read(name).title, read(name).overview) for name in ("imdb:tt0001234", 4711, "site:a")] == [
        ("By IMDb's id", "With zeros."),
        ("By TMDB's id", "Kept."),
        ("A", "By the id of the row before."),
    ]
    # It would be a new movie each time.
    other = send(client, headers, {"movie": "imdb:tt5555555", "imdb_id": "tt6666666", "title": "No"})
    assert other["refused"][0]["error"].startswith("imdb_id must be that in imdb:tt5555555")


@pytest.mark.both_databases
def test_what_does_not_fit_is_refused(client: Client, headers: dict[str, str]) -> None:
    rows = [
        # The id of a movie that is made of such a number would be one of the site's own, or too large.
        {"movie": "movielens:500000000", "title": "No"},
        {"movie": "movielens:2147483646", "title": "No"},
        {"movie": "tmdb:9999999999", "title": "No"},
        {"movie_id": HEAT, "genres": ["x" * 100] * 5},
        {"movie_id": HEAT, "genres": ["x" * 100, "y" * 100, "z" * 100, "a" * 100, "b" * 96]},
    ]
    answer = send(client, headers, *rows)
    assert [each["error"] for each in answer["refused"]] == [
        "Movie movielens:500000000 not found",
        "Movie movielens:2147483646 not found",
        "Movie tmdb:9999999999 not found",
        "genres must have at most 500 characters together.",
    ]
    assert answer["changed"] == 1


def test_a_line_break_at_the_end_is_no_part_of_an_id(client: Client, headers: dict[str, str]) -> None:
    rows = [
        {"movie": "site:a\n", "title": "No"},
        {"movie_id": HEAT, "site_id": "a\n"},
        {"movie_id": HEAT, "imdb_id": "tt0113277\n"},
        {"movie_id": HEAT, "link": "https://shop.example/9\n"},
        {"movie_id": HEAT, "title": "Heat 2"},
    ]
    answer = send(client, headers, *rows)
    assert (answer["changed"], [each["index"] for each in answer["refused"]]) == (1, [0, 1, 2, 3])


@pytest.mark.both_databases
def test_one_movie_is_put_and_hidden(client: Client, scored: TrainedWorld, headers: dict[str, str]) -> None:
    new = client.put("/api/movies/4711", json=WHOLE, headers=headers)
    assert (new.status_code, new.json["title"], new.json["genres"]) == (201, "The Long Film", ["Drama", "Crime"])
    again = client.put("/api/movies/4711", json={"title": "The Short Film"}, headers=headers)
    assert (again.status_code, again.json["title"], again.json["overview"]) == (200, "The Short Film", "It goes on.")
    path = f"/api/suggestions?user_id={scored.bob}"
    first = client.get(path).json["suggestions"][0]["id"]
    for _ in range(2):
        assert client.delete(f"/api/movies/{first}", headers=headers).status_code == 204
        assert first not in [each["id"] for each in client.get(path).json["suggestions"]]
    assert client.put(f"/api/movies/{first}", json={"is_hidden": False}, headers=headers).status_code == 200
    assert client.get(path).json["suggestions"][0]["id"] == first
    unknown = client.delete("/api/movies/12345", headers=headers)
    assert (unknown.status_code, unknown.json) == (404, {"error": "Movie not found"})
    impossible = client.put("/api/movies/1999999999", json={"title": "x"}, headers=headers)
    assert (impossible.status_code, impossible.json) == (404, {"error": "Movie 1999999999 not found"})
    assert client.put("/api/movies/2147483648", json=WHOLE, headers=headers).status_code == 404
    taken = [client.put(f"/api/movies/{movie}", json={"site_id": "x"}, headers=headers) for movie in (4711, HEAT)]
    assert [each.status_code for each in taken] == [200, 409]
    assert client.put("/api/movies/12345", json={}, headers=headers).status_code == 404


def test_who_did_it_is_in_the_audit_log(client: Client, headers: dict[str, str]) -> None:
    client.put(f"/api/movies/{HEAT}", json={"title": "Heat!"}, headers=headers)
    send(client, headers, {"movie_id": 1, "title": "A"}, {"movie_id": 2, "title": "B"})
    entries = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(2)).all()
    assert [(each.by, each.action, each.after) for each in entries] == [
        ("token: the shop", "send movies", {"new": 2, "changed": 0}),
        ("token: the shop", "edit movie", {"title": "Heat!"}),
    ]
