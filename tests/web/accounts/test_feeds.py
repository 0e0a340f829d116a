"""The page of my feeds."""

import re

import pytest
from flask import Flask

from recsite.accounts import feeds
from tests.accounts.test_personal_data import opened
from tests.conftest import World
from tests.web.clients import Client, log_in

ADDRESS = re.compile(r"http://localhost(/feeds/[\w-]{43}/[a-z]+\.[a-z]+)")


def test_a_new_feed_shows_its_addresses_once(app: Flask, client: Client, alice: Client, world: World) -> None:
    created = alice.post("/accounts/feeds/create", follow_redirects=True)

    addresses = ADDRESS.findall(created.text)
    assert [address.rpartition("/")[2] for address in addresses] == [
        "suggestions.rss",
        "radarr.json",
        "suggestions.json",
    ]
    assert created.headers["Cache-Control"] == "no-store"
    for address in addresses:
        assert client.get(address).status_code == 200
    again = alice.get("/accounts/feeds/").text
    assert ADDRESS.findall(again) == []
    assert "last read on" in again


def test_a_removed_feed_stops_working_and_others_go_on(app: Flask, client: Client, alice: Client, world: World) -> None:
    kept, removed = (f"/feeds/{feeds.create(world.alice)}/radarr.json" for _ in range(2))
    page = alice.get("/accounts/feeds/").text
    path = re.findall(r'action="(/accounts/feeds/\d+/remove)"', page)[1]

    answer = alice.post(path, follow_redirects=True)

    assert "The feed is removed." in answer.text
    assert (client.get(removed).status_code, client.get(kept).status_code) == (404, 200)
    assert alice.post(path).status_code == 404


def test_nobody_removes_or_sees_the_feed_of_another(app: Flask, client: Client, alice: Client, world: World) -> None:
    address = f"/feeds/{feeds.create(world.alice)}/radarr.json"
    feed_id = feeds.list_of(world.alice)[0].id
    bob = log_in(app, world.bob)

    assert "You have no feeds." in bob.get("/accounts/feeds/").text
    assert bob.post(f"/accounts/feeds/{feed_id}/remove").status_code == 404
    assert client.post(f"/accounts/feeds/{feed_id}/remove").status_code == 303
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("path", ("/accounts/feeds/create", "/accounts/feeds/1/remove"))
def test_a_change_takes_a_csrf_token(app: Flask, alice: Client, world: World, path: str) -> None:
    feeds.create(world.alice)
    app.config["WTF_CSRF_ENABLED"] = True

    response = alice.post(path)

    assert response.status_code == 400
    assert len(feeds.list_of(world.alice)) == 1


def test_there_is_a_most_number_of_feeds(
    app: Flask, alice: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOST", 1)
    feeds.create(world.alice)

    response = alice.post("/accounts/feeds/create")

    assert response.status_code == 400
    assert "You have 1 feeds, which is the most" in response.text
    assert len(feeds.list_of(world.alice)) == 1


def test_my_data_names_my_feeds(alice: Client, world: World) -> None:
    token = feeds.create(world.alice)

    files = opened(alice.get("/accounts/data.zip").data)

    assert files["feeds.csv"].splitlines()[0] == "id,created_at,last_used_at"
    assert len(files["feeds.csv"].splitlines()) == 2
    assert "feeds.csv" in files["README.txt"]
    assert token not in str(files)
