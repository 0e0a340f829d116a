"""My data: one file with all that the site holds of a person, whose ratings can be imported again."""

import csv
import io
import json
import zipfile

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, suggestions
from recsite.accounts import personal_data
from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.ratings import history
from recsite.storage.tables import Dismissal, Rating
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import unrate
from tests.web.clients import Client


def opened(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def alice(scored: TrainedWorld, alice: Client) -> Client:
    """A browser in which alice, who has a stored list, is logged in."""
    return alice


def test_the_download_is_one_zip_for_me_alone(alice: Client, world: World) -> None:
    response = alice.get("/accounts/data.zip")

    assert response.mimetype == "application/zip"
    assert response.headers["Content-Disposition"].startswith("attachment; filename=recsite-1-")
    assert response.headers["Cache-Control"] == "private, no-store"
    assert json.loads(opened(response.data)["account.json"])["username"] == "alice"


@pytest.mark.both_databases
def test_the_download_has_all_that_belongs_to_me(alice: Client, world: World) -> None:
    accounts.create_token(accounts.find_user("alice"))
    db.session.add(Dismissal(user_id=1, movie_id=13, is_unwanted=True))
    db.session.commit()
    undone = history.propose(1, "undone.csv", b"tmdbId,rating\n13,2\n")
    suggestions.save_import(1, undone, replace=True)
    suggestions.undo_import(1, undone)
    history.propose(1, "mine.csv", b"tmdbId,rating\n862,4\n")

    files = opened(alice.get("/accounts/data.zip").data)

    first = rows(files["ratings.csv"])[0]
    assert (first["title"], first["year"], first["rating"]) == ("Fight Club", "1999", "5.0")
    assert [row["title"] for row in rows(files["suggestions.csv"])] == ["Forrest Gump"]
    assert [row["not_interested"] for row in rows(files["put_aside.csv"])] == ["True"]
    assert len(rows(files["tokens.csv"])) == 1
    imports = json.loads(files["imports.json"])
    assert [found["file_name"] for found in imports] == ["undone.csv", "mine.csv"]
    assert [(row["import_id"], row["state"], row["title"], row["rating"]) for row in rows(files["imported.csv"])] == [
        (str(imports[0]["id"]), "undone", "Forrest Gump", "2.0"),
        (str(imports[1]["id"]), "waiting", "Toy Story", "4.0"),
    ]


def test_no_password_and_nobody_else_is_in_the_download(app: Flask, world: World) -> None:
    user = accounts.create_user("erin", password="correct-horse-1")

    text = "".join(opened(personal_data.as_zip(user.id)).values())

    assert "scrypt" not in text
    assert "alice" not in text
    assert "Fight Club" not in text


@pytest.mark.both_databases
def test_downloaded_ratings_can_be_imported_again(world: World) -> None:
    columns = (Rating.movie_id, Rating.value, Rating.timestamp)
    query = sa.select(*columns).where(Rating.user_id == world.alice).order_by(Rating.movie_id)
    before = db.session.execute(query).all()
    content = personal_data.as_zip(world.alice)
    for movie_id, *_ in before:
        unrate(world.alice, movie_id)

    import_id = history.propose(world.alice, "data.zip", content)
    suggestions.save_import(world.alice, import_id, replace=False)

    assert db.session.execute(query).all() == before


def test_a_user_who_is_not_there_has_no_data(app: Flask) -> None:
    with pytest.raises(UserNotFound, match="User not found"):
        personal_data.as_zip(99)


def test_a_visitor_is_asked_to_log_in(client: Client) -> None:
    assert client.get("/accounts/data.zip").status_code == 303
