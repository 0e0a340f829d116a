"""Uploads of files of ratings that no browser would send, or at the same time as another request."""

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.extensions import db
from recsite.ratings import history
from recsite.storage.tables import HistoryImport
from tests.conftest import World
from tests.ratings.test_history import FILE, bob, send
from tests.web.clients import Client

pytestmark = pytest.mark.both_databases
__all__ = ["bob"]


def test_a_file_whose_import_another_upload_replaces_at_once_is_no_fault(app: Flask, bob: Client) -> None:
    def replace(_: object) -> None:
        with db.engine.begin() as connection:
            connection.execute(sa.delete(HistoryImport.__table__))

    sa.event.listen(sa.orm.Session, "after_commit", replace)
    try:
        response = send(bob)
    finally:
        sa.event.remove(sa.orm.Session, "after_commit", replace)

    assert response.status_code == 303
    assert bob.get(response.location).status_code == 404


def test_an_import_that_is_deleted_while_it_is_saved_is_a_conflict(app: Flask, bob: Client) -> None:
    address = send(bob).location

    def delete(_: object) -> None:
        with db.engine.begin() as connection:
            connection.execute(sa.delete(HistoryImport.__table__))

    sa.event.listen(sa.orm.Session, "after_commit", delete)
    try:
        response = bob.post(f"{address}save")
    finally:
        sa.event.remove(sa.orm.Session, "after_commit", delete)

    assert response.status_code == 409
    assert "Another request deleted this at the same time; load the page again." in response.text


def test_an_unprintable_name_of_a_file_is_cleaned(world: World, subtests: pytest.Subtests) -> None:
    for name in ("mine\0.csv", "mi\ud800ne.csv", "mine\x1b[2J.csv", "\0", "\u202e.csv"):
        with subtests.test(name=name):
            batch = history.find_import(2, history.propose(2, name, FILE.encode()))

            assert batch.file_name.isprintable()
            assert batch.file_name != ""


def test_any_name_of_a_file_can_be_sent(bob: Client, subtests: pytest.Subtests) -> None:
    for name in ('mine\0.csv"', "mine%00.csv", "é\\.csv"):
        with subtests.test(name=name):
            assert bob.get(send(bob, name=name).location).status_code == 200


def test_what_is_refused_in_a_file_is_shown_whatever_it_is(bob: Client) -> None:
    content = b"tmdbId,rating,timestamp\n949,4\n\x00,\xff\x00,\x00\n949,\xed\xa0\x80,1\n949,4,\x00\n"

    response = bob.get(send(bob, content).location)

    assert response.status_code == 200
    assert "Line 3" in response.text


def test_files_sent_have_a_limit_of_their_own(app: Flask, bob: Client) -> None:
    app.config["UPLOADS_PER_MINUTE"] = 2

    assert {send(bob).status_code for _ in range(2)} == {303}
    # A new minute may begin in between.
    assert 429 in {send(bob).status_code for _ in range(5)}
