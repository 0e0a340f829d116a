"""POST /api/suggestions/batch: each list is the one that its user would get alone."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, movies, suggestions
from recsite.accounts import site_ids
from recsite.extensions import db
from recsite.storage.tables import Movie, Suggestion, User
from recsite.suggestions.lists import SuggestionList
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import rate, unrate
from tests.web.clients import Client, log_in, token_headers

PATH = "/api/suggestions/batch"
EVERYBODY = [12, 3, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]


def result_of(client: Client, user_id: int, limit: int) -> dict[str, Any]:
    """Return what a batch has to say of this user, from a request for this user alone."""
    response = client.get(f"/api/suggestions?user_id={user_id}&limit={limit}&include=value,genres")
    source = response.headers["X-Suggestion-Source"]
    return {"user_id": user_id, "user": None, "source": source, **response.json}


def check(client: Client, limit: int) -> list[str]:
    """Compare the batch of everybody with each user's own list; return the sources."""
    response = client.post(PATH, json={"user_ids": EVERYBODY, "limit": limit, "include": ["genres", "value"]})
    results = response.json["results"]
    assert results == [result_of(client, user_id, limit) for user_id in EVERYBODY]
    return [result["source"] for result in results]


@pytest.mark.both_databases
def test_lists_stand_in_the_order_asked_and_are_those_of_their_users(client: Client, scored: TrainedWorld) -> None:
    assert check(client, 2) == ["model", "popular", "model", "model", "popular", *["model"] * 7]
    assert check(client, 100).count("model") == 10


@pytest.mark.both_databases
def test_ratings_since_the_last_scoring_count(client: Client, scored: TrainedWorld) -> None:
    rate(scored.dave, 550, 5.0)
    # A process that failed between a rating and the refresh leaves a stale list.
    db.session.execute(sa.update(User).where(User.id.in_((2, 5))).values(rating_generation=User.rating_generation + 1))
    unrate(scored.bob, 278)
    unrate(scored.bob, 680)
    db.session.commit()

    sources = check(client, 3)

    assert sources.count("fold-in") == 2  # dave and user 5; bob has no ratings left
    assert sources.count("popular") == 2


@pytest.mark.both_databases
def test_hidden_rated_and_dismissed_movies_are_in_no_list(client: Client, scored: TrainedWorld) -> None:
    db.session.get_one(Movie, 862).is_hidden = True
    movies.bump_catalog()
    suggestions.dismiss(2, 949)
    suggestions.dismiss(3, 278)
    db.session.execute(sa.update(Suggestion).where(Suggestion.movie_id == 13).values(did_rate=True))
    db.session.commit()

    check(client, 2)
    (of_bob,) = client.post(PATH, json={"user_ids": [2]}).json["results"]
    assert [item["id"] for item in of_bob["suggestions"]] == [550]


@pytest.mark.both_databases
def test_a_full_list_that_lost_movies_is_filled_up(app: Flask, client: Client, scored: TrainedWorld) -> None:
    app.config["SUGGESTIONS_PER_USER"] = 2
    suggestions.rescore([2])
    db.session.execute(sa.update(Suggestion).where(Suggestion.user_id == 2, Suggestion.rank == 1).values(active=False))
    db.session.commit()

    check(client, 2)


@pytest.mark.both_databases
def test_a_list_whose_first_rows_are_gone_goes_on_behind_them(client: Client, scored: TrainedWorld) -> None:
    for rank, movie_id in ((1, 862), (80, 13)):
        db.session.execute(
            sa.update(Suggestion).where(Suggestion.user_id == 2, Suggestion.movie_id == movie_id).values(rank=rank)
        )
    db.session.execute(sa.update(Suggestion).where(Suggestion.user_id == 2, Suggestion.rank < 80).values(did_rate=True))
    db.session.commit()

    check(client, 1)


@pytest.mark.both_databases
def test_without_a_version_lists_are_popular_or_what_another_program_wrote(client: Client, world: World) -> None:
    movies.refresh_averages()
    db.session.add(Suggestion(user_id=2, movie_id=862, value=4.0, rank=1))
    db.session.commit()

    response = client.post(PATH, json={"user_ids": [2, 1, 3]})

    found = [(each["source"], [item["id"] for item in each["suggestions"]]) for each in response.json["results"]]
    assert found[:2] == [("model", [862]), ("popular", [13])]
    assert len(found[2][1]) == 6


def test_the_same_user_may_be_asked_for_twice_and_nobody_gives_nothing(client: Client, scored: TrainedWorld) -> None:
    first, second = client.post(PATH, json={"user_ids": [2, 2]}).json["results"]

    assert first == second
    assert client.post(PATH, json={"user_ids": []}).json == {"results": []}


@pytest.mark.both_databases
def test_users_are_named_by_the_sites_ids_as_well(client: Client, scored: TrainedWorld) -> None:
    db.session.get_one(User, 2).site_id = "cust-42"
    db.session.commit()

    by_number = client.post(PATH, json={"user_ids": [1, 2], "limit": 3}).json["results"]
    by_name = client.post(PATH, json={"users": ["cust-43", "cust-42"], "limit": 3}).json["results"]

    assert [each["user"] for each in by_number] == [None, "cust-42"]
    assert by_name[1] == by_number[1]
    # Of cust-43 nothing is stored.
    (carol,) = client.post(PATH, json={"user_ids": [3], "limit": 3}).json["results"]
    assert by_name[0] == carol | {"user_id": None, "user": "cust-43"}
    assert site_ids.find_user_id("cust-43") is None


@pytest.mark.parametrize(
    ("body", "status", "message"),
    (
        (
            {},
            400,
            "user_ids is missing; it must be a list of at most 1000, each a whole number from 1 to",
        ),
        ({"user_ids": [1], "users": ["cust-42"]}, 400, "user_ids is given, and users as well; send one of them."),
        ({"users": ["cust-42", "cust 43"]}, 400, "users[1] must be 1 to 200 characters of A-Z, a-z, 0-9 and -_.:@."),
        ({"user_ids": [1, 0]}, 400, "user_ids[1] must be a whole number from 1 to 2147483647."),
        ({"user_ids": [1] * 1001}, 400, "user_ids must be a list of at most 1000"),
        ({"user_ids": [1, 99, 2]}, 404, "User 99 not found"),
        ({"user_ids": [1], "include": ["reason"]}, 400, "include[0] must be one of: genres, ids, poster, release_date"),
    ),
)
def test_a_batch_that_makes_no_sense_is_refused_with_the_place(
    client: Client, scored: TrainedWorld, body: dict[str, Any], status: int, message: str
) -> None:
    response = client.post(PATH, json=body)

    assert response.status_code == status
    assert message in response.json["error"]


def test_a_batch_reads_only_what_its_caller_may_read(app: Flask, client: Client, scored: TrainedWorld) -> None:
    app.config["API_AUTH"] = "required"
    accounts.create_user("root", password="long enough 1", is_admin=True)
    root = accounts.find_user("root")
    assert root is not None
    bob = log_in(app, scored.bob)

    def status(user_ids: list[int], by: Client = client, **options: Any) -> int:
        code: int = by.post(PATH, json={"user_ids": user_ids}, **options).status_code
        return code

    assert status([2]) == 401
    assert status([], headers={"Authorization": "Bearer unknown"}) == 401
    assert (status([2], bob), status([2, 1], bob)) == (200, 403)
    assert status([2, 1], log_in(app, root.id)) == 200
    assert status([2, 1], headers=token_headers(scored.carol)) == 200


def test_a_customer_who_is_deleted_meanwhile_gets_popular_movies(
    client: Client, scored: TrainedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, user_id in (("cust-1", scored.alice), ("cust-2", scored.dave)):
        db.session.execute(sa.update(User).where(User.id == user_id).values(site_id=name))
    db.session.commit()
    lists_for = suggestions.lists_for

    def delete_first(user_ids: Sequence[int | None], limit: int) -> list[SuggestionList]:
        monkeypatch.setattr(suggestions, "lists_for", lists_for)
        db.session.execute(sa.delete(User).where(User.id == scored.dave))
        db.session.commit()
        return lists_for(user_ids, limit)

    monkeypatch.setattr(suggestions, "lists_for", delete_first)
    first, second = client.post(PATH, json={"users": ["cust-1", "cust-2"], "limit": 2}).json["results"]

    assert (first["user_id"], first["source"]) == (scored.alice, "model")
    assert (second["user_id"], second["user"], second["source"]) == (None, "cust-2", "popular")
