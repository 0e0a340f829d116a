"""POST /api/ratings/batch: good rows are saved at once, the others are listed, and nothing is written twice."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import movies, ratings
from recsite.accounts import erasure, site_ids
from recsite.extensions import db
from recsite.ratings import batches
from recsite.storage.tables import Movie, Rating, Suggestion, User
from tests.conftest import MOVIES, TrainedWorld, World
from tests.ratings.changes import rate
from tests.web.clients import Client, site_headers

PATH = "/api/ratings/batch"
FIGHT_CLUB, SHAWSHANK, HEAT = (movie[0] for movie in MOVIES[:3])
NOTHING = {"new": 0, "changed": 0, "unchanged": 0, "withdrawn": 0, "refused": []}


@pytest.fixture
def headers(world: World) -> dict[str, str]:
    """The headers of a program that may write ratings."""
    return site_headers("ratings:write")


def send(client: Client, headers: dict[str, str], *rows: Any) -> dict[str, Any]:
    """Send these rows and return the answer."""
    response = client.post(PATH, json={"ratings": rows}, headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json
    return found


def row(user: str | int, movie: str | int, value: Any, **more: Any) -> dict[str, Any]:
    """Return a row of a batch; numbers are ids of this site."""
    names = {
        "user" if isinstance(user, str) else "user_id": user,
        "movie" if isinstance(movie, str) else "movie_id": movie,
    }
    return {**names, "value": value, **more}


def stored(site_id: str) -> dict[int, float]:
    """Return the stars of the site's user by movie id."""
    db.session.rollback()
    user_id = site_ids.find_user_id(site_id)
    return {each.movie_id: each.value for each in db.session.scalars(sa.select(Rating).filter_by(user_id=user_id))}


@pytest.mark.both_databases
def test_rows_are_new_changed_unchanged_or_withdrawn(client: Client, world: World, headers: dict[str, str]) -> None:
    first = [
        row("cust-1", FIGHT_CLUB, 4.5, timestamp=1_700_000_000),
        row("cust-1", SHAWSHANK, 3),
        row("cust-2", f"tmdb:{FIGHT_CLUB}", 0.5),
    ]
    assert send(client, headers, *first) == NOTHING | {"new": 3}
    assert send(client, headers, *first) == NOTHING | {"unchanged": 3}
    second = [
        row("cust-1", FIGHT_CLUB, 5),
        row("cust-1", SHAWSHANK, None),
        row("cust-2", FIGHT_CLUB, 0.5),
        row("cust-2", SHAWSHANK, None),
    ]
    assert send(client, headers, *second) == NOTHING | {"changed": 1, "withdrawn": 1, "unchanged": 2}
    assert (stored("cust-1"), stored("cust-2")) == ({FIGHT_CLUB: 5}, {FIGHT_CLUB: 0.5})
    # Another time is a change, an equal one is none.
    assert send(client, headers, row("cust-2", FIGHT_CLUB, 0.5, timestamp=1_700_000_000)) == NOTHING | {"changed": 1}
    assert send(client, headers, row("cust-2", FIGHT_CLUB, 0.5, timestamp=1_700_000_000)) == NOTHING | {"unchanged": 1}


@pytest.mark.both_databases
def test_averages_follow_as_if_each_was_rated_alone(client: Client, world: World, headers: dict[str, str]) -> None:
    movies.refresh_all_averages()
    sent = [row(f"cust-{number}", MOVIES[number % 3][0], 0.5 + number % 10 / 2) for number in range(40)]
    send(client, headers, *sent)
    send(
        client, headers, *(each | {"value": None} for each in sent[:10]), *(each | {"value": 1} for each in sent[10:20])
    )
    db.session.rollback()
    columns = (Movie.id, Movie.rating_count, Movie.rating_avg, Movie.score)
    before = db.session.execute(sa.select(*columns).order_by(Movie.id)).all()
    movies.refresh_averages([movie[0] for movie in MOVIES[:3]])
    after = db.session.execute(sa.select(*columns).order_by(Movie.id)).all()
    assert [tuple(each) for each in before] == [pytest.approx(tuple(each)) for each in after]
    assert sum(each.rating_count for each in after) >= 30


def test_the_last_withdrawal_leaves_no_average(client: Client, world: World, headers: dict[str, str]) -> None:
    db.session.add(Movie(id=77, title="Nobody's"))
    db.session.commit()
    send(client, headers, row("cust-1", 77, 4))
    assert send(client, headers, row("cust-1", 77, None)) == NOTHING | {"withdrawn": 1}
    movie = db.session.get_one(Movie, 77, populate_existing=True)
    assert (movie.rating_count, movie.rating_avg, movie.score) == (0, None, None)


@pytest.mark.both_databases
def test_bad_rows_are_listed_and_the_others_saved(client: Client, world: World, headers: dict[str, str]) -> None:
    db.session.get_one(Movie, HEAT).is_hidden = True
    db.session.commit()
    rows = [
        row("cust-1", FIGHT_CLUB, 4.2),
        row("cust-1", FIGHT_CLUB, 4),
        row("cust-1", "site:none", 4),
        row(987_654, FIGHT_CLUB, 4),
        row("cust 1", FIGHT_CLUB, 4),
        row("cust-1", HEAT, 4),
        7,
        {"user": "cust-1", "value": 4},
        row("cust-1", SHAWSHANK, 4, user_id=3),
        row("cust-1", SHAWSHANK, 4, stars=3),
        row("cust-1", "heat", 4),
        row("cust-1", SHAWSHANK, "4"),
        row("cust-1", SHAWSHANK, 4, timestamp=-1),
    ]
    answer = send(client, headers, *rows)
    assert {name: answer[name] for name in ("new", "changed", "unchanged", "withdrawn")} == {
        "new": 1, "changed": 0, "unchanged": 0, "withdrawn": 0
    }  # fmt: skip
    found = {each["index"]: each["error"] for each in answer["refused"]}
    assert found == {
        0: "value must be a number from 0.5 to 5 in steps of 0.5, or null.",
        2: "There is no movie site:none.",
        3: "There is no user with the user_id 987654.",
        4: "user must be 1 to 200 characters of A-Z, a-z, 0-9 and -_.:@.",
        5: f"The movie {HEAT} is hidden; ratings of it can only be withdrawn.",
        6: "The row must be an object with the keys user_id, user, movie_id, movie, value, timestamp.",
        7: found[7],
        8: "user_id is given, and user as well; send one of them.",
        9: "Unknown key 'stars'; the keys are: user_id, user, movie_id, movie, value, timestamp.",
        10: found[10],
        11: "value must be a number from 0.5 to 5 in steps of 0.5, or null.",
        12: "timestamp must be a whole number from 0 to 4102444799, or null.",
    }
    assert found[7].startswith("movie_id is missing")
    assert found[10].startswith("movie must be a movie's id")
    assert stored("cust-1") == {FIGHT_CLUB: 4}


def test_a_batch_may_be_one_row_a_line(client: Client, world: World, headers: dict[str, str]) -> None:
    lines = [json.dumps(row("cust-1", FIGHT_CLUB, 4)), "", "{nonsense", json.dumps(row("cust-1", SHAWSHANK, 3.0)), ""]
    response = client.post(PATH, data="\n".join(lines), content_type="application/x-ndjson", headers=headers)
    refused = [{"index": 1, "error": "The line is not valid JSON."}]
    assert response.json == NOTHING | {"new": 2, "refused": refused}
    assert stored("cust-1") == {FIGHT_CLUB: 4, SHAWSHANK: 3}


def test_the_last_row_for_a_movie_counts(client: Client, world: World, headers: dict[str, str]) -> None:
    rows = [row("cust-1", FIGHT_CLUB, 4), row("cust-1", f"tmdb:{FIGHT_CLUB}", 2)]
    assert send(client, headers, *rows) == NOTHING | {"new": 1, "unchanged": 1}
    assert send(client, headers, *rows) == NOTHING | {"unchanged": 2}
    assert stored("cust-1") == {FIGHT_CLUB: 2}


def test_nobody_is_created_for_nothing(client: Client, world: World, headers: dict[str, str]) -> None:
    before = db.session.scalar(sa.select(sa.func.count(User.id)))
    answer = send(client, headers, row("cust-1", FIGHT_CLUB, None), row("cust-2", "site:none", 4))
    assert (answer["unchanged"], len(answer["refused"])) == (1, 1)
    assert db.session.scalar(sa.select(sa.func.count(User.id))) == before


@pytest.mark.both_databases
def test_lists_follow_at_once(client: Client, scored: TrainedWorld, headers: dict[str, str]) -> None:
    path = f"/api/suggestions?user_id={scored.bob}&limit=5"
    first = client.get(path, headers=headers).json["suggestions"][0]["id"]
    send(client, headers, row(scored.bob, first, 5))
    assert first not in [each["id"] for each in client.get(path).json["suggestions"]]
    db.session.rollback()
    noted = db.session.get_one(Suggestion, (scored.bob, first), populate_existing=True)
    assert (noted.did_rate, noted.rating_value) == (True, 5)
    user = db.session.get_one(User, scored.bob)
    assert user.list_rating_generation is not None
    assert user.list_rating_generation < user.rating_generation
    send(client, headers, row(scored.bob, first, None))
    noted = db.session.get_one(Suggestion, (scored.bob, first), populate_existing=True)
    assert (noted.did_rate, noted.rating_value, noted.did_rate_timestamp) == (False, None, None)


def test_too_many_rows_and_other_bodies_are_refused_whole(
    client: Client, world: World, headers: dict[str, str]
) -> None:
    many = client.post(PATH, json={"ratings": [row("cust-1", FIGHT_CLUB, 4)] * 10_001}, headers=headers)
    assert (many.status_code, many.json) == (
        400, {"error": "ratings has more than 10,000 rows; send several batches."}
    )  # fmt: skip
    bodies: list[Any] = [[], {"ratings": {}}, {}, {"ratings": [], "more": 1}, "x"]
    for body in bodies:
        response = client.post(PATH, json=body, headers=headers)
        assert response.status_code == 400
        assert response.json["error"].startswith("The body must be a JSON object with the key ratings, a list")
    assert client.post(PATH, data="x", headers=headers).status_code == 415
    assert client.post(PATH, data=b"[" * 9_000_000, content_type="application/json", headers=headers).status_code == 413
    assert stored("cust-1") == {}
    assert send(client, headers) == NOTHING


@pytest.mark.both_databases
def test_a_user_deleted_meanwhile_stops_the_batch(
    client: Client, world: World, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, headers, row("cust-1", FIGHT_CLUB, 4))
    gone = site_ids.find_user_id("cust-1") or 0
    db.session.rollback()
    monkeypatch.setattr(site_ids, "find_user_ids", lambda named: dict.fromkeys(named, gone + 1000))
    response = client.post(
        PATH, json={"ratings": [row("cust-1", SHAWSHANK, 4), row(world.bob, HEAT, 1)]}, headers=headers
    )
    assert (response.status_code, response.json) == (404, {"error": f"User {gone + 1_000} not found"})
    assert ratings.rating_of(world.bob, HEAT) is None


@pytest.mark.both_databases
def test_a_batch_is_saved_although_a_user_is_deleted_meanwhile(
    client: Client, world: World, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, headers, row("cust-1", FIGHT_CLUB, 4))
    lock = batches.lock

    def lock_late(user_ids: Any) -> None:
        monkeypatch.setattr(batches, "lock", lock)
        with app_of(client).app_context():
            for user_id in (site_ids.find_user_id("cust-1") or 0, world.carol):
                erasure.erase(user_id, "the tests")
        lock(user_ids)

    monkeypatch.setattr(batches, "lock", lock_late)
    answer = send(client, headers, row("cust-1", SHAWSHANK, 4), row(world.carol, SHAWSHANK, 1), row(world.bob, HEAT, 1))
    refused = [{"index": 1, "error": f"There is no user with the user_id {world.carol}."}]
    assert answer == NOTHING | {"new": 2, "refused": refused}
    assert (stored("cust-1"), ratings.rating_of(world.bob, HEAT)) == ({SHAWSHANK: 4}, 1)


def test_a_closed_door_for_others(app: Flask, client: Client, world: World) -> None:
    app.config["API_AUTH"] = "open"
    rate(world.bob, FIGHT_CLUB, 3)
    assert client.post(PATH, json={"ratings": []}).status_code == 401


@pytest.mark.both_databases
def test_a_rating_in_between_is_seen_behind_the_locks(
    client: Client, world: World, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, headers, row(world.bob, HEAT, 4))
    lock = batches.lock

    def lock_late(user_ids: Any) -> None:
        monkeypatch.setattr(batches, "lock", lock)
        # Another request changes one of the two ratings after the batch has read them.
        with app_of(client).app_context():
            rate(world.bob, HEAT, 2)
        lock(user_ids)

    monkeypatch.setattr(batches, "lock", lock_late)
    answer = send(client, headers, row(world.bob, HEAT, 4), row(world.bob, FIGHT_CLUB, 1))
    assert answer == NOTHING | {"new": 1, "changed": 1}
    db.session.rollback()
    assert db.session.get_one(Rating, (world.bob, HEAT), populate_existing=True).value == 4
    movie = db.session.get_one(Movie, HEAT, populate_existing=True)
    before = [movie.rating_count, movie.rating_avg]
    movies.refresh_averages([HEAT])
    db.session.refresh(movie)
    assert before == pytest.approx([movie.rating_count, movie.rating_avg])


def app_of(client: Client) -> Flask:
    """Return the app that the client calls."""
    app = client.application
    assert isinstance(app, Flask)
    return app
