"""The admin page of imports."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.tables import AuditEntry, DatasetImport, Movie
from recsite.web.admin import imports
from tests.ratings.importing import load, stored
from tests.web.clients import Client

CONTENT = "user_id,movie_id,rating,timestamp\n9001,949,4.5,100\n9002,949,3.0,<b>\n9003,949,7,\n"


@pytest.fixture
def import_id(admin: Client, tmp_path: Path) -> int:
    """An import of two ratings, one of them without its time, and a refused one."""
    if db.session.get(Movie, 949) is None:
        db.session.add(Movie(id=949, title="Heat"))
        db.session.commit()
    made = load(tmp_path, CONTENT, accept_refused=True, operator="bob (command line)", scale_name="5").import_id
    assert made is not None
    return made


def test_the_page_shows_who_imported_what_with_the_report(admin: Client, import_id: int) -> None:
    page = admin.get("/admin/imports/").text

    assert "bob (command line)" in page
    assert "ratings: 2 new, 0 changed, 0 unchanged, 1 refused" in page
    assert "1 refused:</strong> rating is not from 0.5 to 5.0 in halves" in page
    assert "ratings.csv, line 4" in page
    assert "1 saved without the field:</strong> timestamp is neither" in page
    assert f'action="/admin/imports/{import_id}/undo"' in page
    assert 'href="/admin/imports/"' in admin.get("/admin/").text


def test_the_button_takes_the_ratings_back_and_the_log_says_who(admin: Client, import_id: int) -> None:
    before = stored()

    response = admin.post(f"/admin/imports/{import_id}/undo", follow_redirects=True)

    assert "The import is undone." in response.text
    assert before.keys() - stored().keys() == {(9001, 949), (9002, 949)}
    assert db.session.get_one(DatasetImport, import_id).undone_by == "alice"
    assert db.session.execute(sa.select(AuditEntry.by, AuditEntry.action)).all() == [("alice", "undo import")]
    assert f"/admin/imports/{import_id}/undo" not in response.text


def test_undoing_again_says_that_it_is_undone(admin: Client, import_id: int) -> None:
    admin.post(f"/admin/imports/{import_id}/undo")

    response = admin.post(f"/admin/imports/{import_id}/undo", follow_redirects=True)

    assert f"Import {import_id} is undone already." in response.text


def test_a_large_import_is_not_undone_within_a_request(
    admin: Client, import_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_UNDONE", 1)

    assert "too large to undo on this page" in admin.get("/admin/imports/").text
    response = admin.post(f"/admin/imports/{import_id}/undo", follow_redirects=True)

    assert "wrote 2 ratings, too many to take back on a page" in response.text
    assert (9001, 949) in stored()


def test_an_unknown_import_is_not_found(admin: Client) -> None:
    assert admin.post("/admin/imports/99/undo").status_code == 404


def test_without_imports_the_page_says_so(admin: Client) -> None:
    assert "imports of data sets are listed here" in admin.get("/admin/imports/").text
