"""DELETE /api/users and /api/dismissals: what a site does for its users besides ratings."""

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.accounts import site_ids
from recsite.extensions import db
from recsite.storage.tables import AuditEntry, Rating, User
from tests.conftest import MOVIES, TrainedWorld, World
from tests.web.clients import Client, site_headers, token_headers

FIGHT_CLUB = MOVIES[0][0]


@pytest.fixture
def headers(world: World) -> dict[str, str]:
    """The headers of a program that may delete users and write ratings."""
    return site_headers("users:write", "ratings:write")


@pytest.mark.both_databases
def test_a_deleted_user_leaves_a_receipt(client: Client, world: World, headers: dict[str, str]) -> None:
    answer = client.delete(f"/api/users/{world.alice}", headers=headers)
    assert (answer.status_code, answer.json["user_id"]) == (200, world.alice)
    assert "ratings (5)" in " ".join(answer.json["receipt"])
    assert client.get(answer.json["receipt_url"]).status_code == 200
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).where(Rating.user_id == world.alice)) == 0
    again = client.delete(f"/api/users/{world.alice}", headers=headers)
    assert (again.status_code, again.data) == (204, b"")
    assert client.delete("/api/users/987654", headers=headers).status_code == 404
    entry = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (entry.by, entry.action) == ("token: the shop", "delete user")


def test_a_user_is_deleted_by_the_sites_id(client: Client, world: World, headers: dict[str, str]) -> None:
    rating = {"user": "cust-1", "movie_id": FIGHT_CLUB, "value": 4}
    assert client.post("/api/ratings", json=rating, headers=headers).status_code == 201
    assert client.delete("/api/users?user=cust-1", headers=headers).status_code == 200
    assert site_ids.find_user_id("cust-1") is None
    assert client.delete("/api/users?user=cust-1", headers=headers).status_code == 204
    for query in ("", "?user=", "?user=a%20b", "?user_id=1"):
        assert client.delete(f"/api/users{query}", headers=headers).status_code == 400


def test_admins_are_not_deleted_and_users_delete_nobody(client: Client, world: World, headers: dict[str, str]) -> None:
    db.session.get_one(User, world.bob).is_admin = True
    db.session.commit()
    refused = client.delete(f"/api/users/{world.bob}", headers=headers)
    assert (refused.status_code, refused.json) == (
        403,
        {"error": "This user is an admin, whom the API does not delete."},
    )
    assert client.delete(f"/api/users/{world.alice}", headers=token_headers(world.carol)).status_code == 403
    assert db.session.scalar(sa.select(sa.func.count(User.id)).where(User.id.in_([world.alice, world.bob]))) == 2


@pytest.mark.both_databases
def test_a_dismissed_movie_leaves_the_list_and_comes_back(
    client: Client, scored: TrainedWorld, headers: dict[str, str]
) -> None:
    path = f"/api/suggestions?user_id={scored.bob}"

    def listed() -> list[int]:
        return [each["id"] for each in client.get(path).json["suggestions"]]

    before = listed()
    body = {"movie_id": before[0], "user_id": scored.bob}
    for _ in range(2):
        answer = client.post("/api/dismissals", json=body, headers=headers)
        assert (answer.status_code, answer.json) == (200, body)
        assert before[0] not in listed()
    for _ in range(2):
        gone = client.delete(f"/api/dismissals/{before[0]}?user_id={scored.bob}", headers=headers)
        assert gone.status_code == 204
        assert listed() == before


def test_users_dismiss_for_themselves_alone(app: Flask, client: Client, trained: TrainedWorld) -> None:
    own = token_headers(trained.bob)
    assert client.post("/api/dismissals", json={"movie_id": FIGHT_CLUB}, headers=own).json["user_id"] == trained.bob
    other = {"movie_id": FIGHT_CLUB, "user_id": trained.alice}
    assert client.post("/api/dismissals", json=other, headers=own).status_code == 403
    assert client.delete(f"/api/dismissals/{FIGHT_CLUB}?user_id={trained.alice}", headers=own).status_code == 403
    assert client.post("/api/dismissals", json={"movie_id": FIGHT_CLUB}).status_code == 401
    assert client.post("/api/dismissals", json={"movie": "imdb:tt0000009"}, headers=own).status_code == 404


def test_a_sites_user_is_created_by_a_dismissal(client: Client, world: World, headers: dict[str, str]) -> None:
    assert client.delete(f"/api/dismissals/{FIGHT_CLUB}?user=cust-7", headers=headers).status_code == 204
    assert site_ids.find_user_id("cust-7") is None
    answer = client.post("/api/dismissals", json={"user": "cust-7", "movie": f"tmdb:{FIGHT_CLUB}"}, headers=headers)
    assert answer.json == {"user_id": site_ids.find_user_id("cust-7"), "movie_id": FIGHT_CLUB}
