"""Feeds: what Radarr, a feed reader and a program read, and who reads nothing any more."""

import logging
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.accounts import erasure, feeds
from recsite.extensions import db
from recsite.storage.tables import MOVIE_ID_WITHOUT_TMDB, FeedToken, Movie
from tests.conftest import FIRST_RATED_AT, TrainedWorld
from tests.ratings.changes import rate
from tests.web.clients import Client, token_headers

FORMATS = ("radarr.json", "suggestions.json", "suggestions.rss")


@pytest.fixture
def feed(app: Flask, scored: TrainedWorld) -> str:
    """The beginning of the addresses of a feed of bob's, on a site where nobody reads the lists of others."""
    app.config["API_AUTH"] = "required"
    return f"/feeds/{feeds.create(scored.bob)}"


def rss_of(response: Any) -> ET.Element:
    """Return the channel of a feed that is RSS 2.0: with all that the specification requires."""
    assert (response.status_code, response.mimetype) == (200, "application/rss+xml")
    rss = ET.fromstring(response.data)  # noqa: S314 - our own response
    assert (rss.tag, rss.attrib) == ("rss", {"version": "2.0"})
    (channel,) = rss
    assert all(channel.findtext(name) for name in ("title", "link", "description"))
    for item in channel.findall("item"):
        assert [child.tag for child in item][:4] == ["title", "link", "guid", "description"]
    return channel


def test_radarr_gets_a_bare_list_of_tmdb_ids(client: Client, feed: str, scored: TrainedWorld) -> None:
    db.session.execute(sa.update(Movie).where(Movie.id == 550).values(imdb_id="tt0137523"))
    db.session.commit()
    listed = client.get(f"/api/suggestions?user_id={scored.bob}", headers=admin_headers()).json["suggestions"]

    found = client.get(f"{feed}/radarr.json").json

    expected = [
        {"id": each["id"], "title": each["title"], "imdb_id": "tt0137523" if each["id"] == 550 else None}
        for each in listed
    ]
    assert found == expected
    assert len(found) == 4


def admin_headers() -> dict[str, str]:
    """Return the headers of a program that reads every list."""
    return token_headers(TrainedWorld.alice)


def test_movies_without_a_tmdb_id_are_left_out_and_others_move_up(client: Client, feed: str) -> None:
    first = client.get(f"{feed}/suggestions.json?limit=1").json["suggestions"][0]["id"]
    own = MOVIE_ID_WITHOUT_TMDB + 7
    with db.engine.begin() as connection:
        connection.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        for table in ("ratings", "suggestions"):
            connection.execute(sa.text(f"UPDATE {table} SET movie_id = {own} WHERE movie_id = {first}"))
        connection.execute(sa.text(f"UPDATE movies SET id = {own} WHERE id = {first}"))

    found = client.get(f"{feed}/radarr.json?limit=2").json

    assert client.get(f"{feed}/suggestions.json?limit=1").json["suggestions"][0]["id"] == own
    assert len(found) == 2
    assert own not in [each["id"] for each in found]


def test_the_json_is_that_of_the_api(client: Client, feed: str, scored: TrainedWorld) -> None:
    expected = client.get(f"/api/suggestions?user_id={scored.bob}&limit=2", headers=admin_headers())

    response = client.get(f"{feed}/suggestions.json?limit=2")

    linked = [each | {"link": f"http://localhost/movies/{each['id']}/"} for each in expected.json["suggestions"]]
    assert response.json == {"suggestions": linked}
    assert response.headers["X-Suggestion-Source"] == "model"
    assert response.headers["X-Model-Version"] == scored.version_name


def test_a_feed_reader_gets_rss(client: Client, feed: str) -> None:
    listed = client.get(f"{feed}/suggestions.json").json["suggestions"]

    channel = rss_of(client.get(f"{feed}/suggestions.rss"))

    items = channel.findall("item")
    assert [item.findtext("link") for item in items] == [f"http://localhost/movies/{each['id']}/" for each in listed]
    assert [item.findtext("guid") for item in items] == [item.findtext("link") for item in items]
    heat = next(item for item in items if item.findtext("title") == "Heat (1995)")
    assert heat.findtext("description") == "A thief and a detective over coffee."
    assert [category.text for category in heat.findall("category")] == ["Action", "Crime", "Drama"]


def test_movies_lead_to_their_own_pages_on_the_site(client: Client, feed: str) -> None:
    link = "https://shop.example/film/heat?a=1&b=2"
    db.session.execute(sa.update(Movie).where(Movie.id == 949).values(link=link))
    db.session.execute(sa.update(Movie).where(Movie.id == 550).values(link="javascript:alert(1)"))
    db.session.commit()

    listed = {each["id"]: each["link"] for each in client.get(f"{feed}/suggestions.json").json["suggestions"]}
    channel = rss_of(client.get(f"{feed}/suggestions.rss"))

    assert listed[949] == link
    assert listed[550] == "http://localhost/movies/550/"
    items = channel.findall("item")
    assert [item.findtext("link") for item in items] == list(listed.values())
    assert [item.findtext("guid") for item in items] == [f"http://localhost/movies/{number}/" for number in listed]


def test_odd_texts_of_a_movie_leave_the_rss_valid(client: Client, feed: str) -> None:
    odd = {
        "title": "A\x0b & <b>\ufffe]]> \U0001f3ac",
        "overview": "<script>alert(1)</script>\x1b",
        "release_date": None,
    }
    db.session.execute(sa.update(Movie).values(odd))
    db.session.commit()

    item = rss_of(client.get(f"{feed}/suggestions.rss")).find("item")

    assert item is not None
    assert item.findtext("title") == "A & <b>]]> \U0001f3ac"
    # A reader takes this for HTML that shows the text.
    assert item.findtext("description") == "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.mark.parametrize("name", FORMATS)
def test_a_feed_is_private_and_has_an_etag(client: Client, feed: str, name: str, scored: TrainedWorld) -> None:
    first = client.get(f"{feed}/{name}")

    assert "private" in first.headers["Cache-Control"]
    has_it = {"If-None-Match": first.headers["ETag"]}
    assert client.get(f"{feed}/{name}", headers=has_it).status_code == 304
    rate(scored.bob, 949, 5)
    assert client.get(f"{feed}/{name}", headers=has_it).status_code == 200


@pytest.mark.parametrize("name", FORMATS)
def test_an_unknown_a_removed_and_an_erased_feed_are_not_found(
    client: Client, feed: str, name: str, scored: TrainedWorld
) -> None:
    removed = f"/feeds/{feeds.create(scored.bob)}"
    feeds.revoke(feeds.list_of(scored.bob)[1].id, scored.bob)
    assert client.get(f"{feed}/{name}").status_code == 200

    for path in (removed, "/feeds/unknown", "/feeds/%00", "/feeds/%ff", "/feeds/" + "x" * 3000):
        response = client.get(f"{path}/{name}", headers={"Accept": "application/json"})
        assert response.status_code == 404, path
    erasure.erase(scored.bob)
    assert client.get(f"{feed}/{name}").status_code == 404


def test_a_feed_reads_one_list_and_changes_nothing(client: Client, feed: str, scored: TrainedWorld) -> None:
    token = {"Authorization": f"Bearer {feed.removeprefix('/feeds/')}"}

    assert client.get(f"/api/suggestions?user_id={scored.bob}", headers=token).status_code == 401
    assert client.post("/api/ratings", json={"movie_id": 550, "value": 4}, headers=token).status_code == 401
    assert client.post(f"{feed}/radarr.json").status_code == 405
    assert client.get(f"{feed}/radarr.json?user_id={scored.alice}").status_code == 400


@pytest.mark.parametrize("limit", ("0", "101", "-1", "1e1", "", "ten", "1&limit=2"))
def test_a_limit_that_makes_no_sense_is_refused(client: Client, feed: str, limit: str) -> None:
    for name in FORMATS:
        response = client.get(f"{feed}/{name}?limit={limit}", headers={"Accept": "application/json"})

        assert response.status_code == 400
        assert "limit" in response.json["error"]
    assert len(client.get(f"{feed}/radarr.json?limit=3").json) == 3
    assert client.get(f"{feed}/radarr.json?limit=100").status_code == 200


def test_feeds_are_limited_per_address(app: Flask, client: Client, feed: str) -> None:
    app.config["PAGES_PER_MINUTE"] = 2

    statuses = [client.get(f"{feed}/radarr.json").status_code for _ in range(3)]

    assert statuses == [200, 200, 429]


def test_only_a_hash_is_stored_and_the_time_of_use(client: Client, feed: str) -> None:
    client.get(f"{feed}/radarr.json")

    (row,) = db.session.scalars(sa.select(FeedToken))
    assert row.last_used_at is not None
    assert row.last_used_at > FIRST_RATED_AT
    assert feed.removeprefix("/feeds/") not in str([getattr(row, column.key) for column in FeedToken.__table__.columns])


def test_the_log_has_no_token(client: Client, feed: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.get(f"{feed}/radarr.json")

    assert "/radarr.json 200" in caplog.text
    assert feed.removeprefix("/feeds/") not in caplog.text
