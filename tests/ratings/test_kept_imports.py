"""Imports of data sets are kept, and undone as a whole."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.accounts import erasure
from recsite.errors import InvalidInput, NotFound
from recsite.extensions import db
from recsite.ratings.importers import kept, kept_files
from recsite.storage.tables import DatasetImport, Movie, Rating, Suggestion, User
from tests.ratings.changes import everything, rate
from tests.ratings.importing import import_ratings
from tests.web.clients import Runner

pytestmark = pytest.mark.both_databases

HEAT, TOY_STORY = 949, 862
FIRST = "user_id,movie_id,rating,timestamp\n1,949,4.5,100\n2,949,3.0,100\n"
SECOND = "user_id,movie_id,rating,timestamp\n1,949,1.0,200\n1,862,2.0,200\n2,862,5.0,200\n3,949,2.0,200\n"


@pytest.fixture
def path(app: Flask, tmp_path: Path) -> Path:
    """The file of the second of two imports, which changes one rating and adds three."""
    db.session.add_all((Movie(id=HEAT, title="Heat"), Movie(id=TOY_STORY, title="Toy Story")))
    db.session.commit()
    path = tmp_path / "ratings.csv"
    path.write_text(FIRST)
    import_ratings(path)
    path.write_text(SECOND)
    return path


def import_second(path: Path) -> int:
    import_id = import_ratings(path).import_id
    assert import_id is not None
    return import_id


def test_an_import_is_kept_with_who_when_and_what(path: Path, runner: Runner) -> None:
    result = runner.invoke(args=["import", "ratings", str(path), "--json"])

    report = json.loads(result.stdout)
    made = db.session.get_one(DatasetImport, report["import_id"])
    assert made.sha256 == hashlib.sha256(SECOND.encode()).hexdigest()
    assert made.imported_by.endswith("(command line)")
    assert report["counts"]["ratings"] | {"left_out": 0} == made.report["counts"]["ratings"]
    assert (report["counts"]["ratings"]["new"], report["counts"]["ratings"]["changed"]) == (3, 1)


def test_undoing_leaves_every_rating_as_it_was(path: Path) -> None:
    db.session.add(Suggestion(user_id=2, movie_id=TOY_STORY, value=4.0, rank=1))
    db.session.commit()
    before = everything()
    generation = db.session.get_one(User, 2).rating_generation
    import_id = import_second(path)
    assert everything() != before

    assert kept.undo(import_id, "ann") == 0

    assert everything() == before
    assert db.session.get_one(User, 2).rating_generation == generation + 2
    assert db.session.get_one(DatasetImport, import_id).undone_by == "ann"


def test_undoing_leaves_what_was_rated_since(path: Path) -> None:
    import_id = import_second(path)
    rate(1, HEAT, 3.5)

    assert kept.undo(import_id, "ann") == 1

    ratings = {(user_id, movie_id): value for user_id, movie_id, value, _ in everything()[:2]}
    assert ratings == {(1, HEAT): 3.5, (2, HEAT): 3.0}


def test_undoing_twice_or_an_unknown_import_says_why_not(path: Path, runner: Runner) -> None:
    import_id = import_second(path)

    done = runner.invoke(args=["import", "undo", str(import_id)])
    again = runner.invoke(args=["import", "undo", str(import_id)])

    assert (done.exit_code, done.stdout) == (0, f"Import {import_id} is undone.\n")
    assert (again.exit_code, again.stderr) == (1, f"Error: Import {import_id} is undone already.\n")
    with pytest.raises(NotFound, match="No import has the id 999"):
        kept.undo(999, "ann")


def test_an_import_that_fails_is_not_kept(path: Path) -> None:
    path.write_text("user_id,movie_id,rating\n1,949,banana\n")
    before = everything()

    with pytest.raises(Exception, match="Nothing was saved: 1 of 1 ratings are refused"):
        import_ratings(path, accept_refused=False)

    assert everything() == before
    assert len(kept.list_imports()) == 1


def test_only_the_last_imports_can_be_undone(path: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kept.list_imports()[0].id
    monkeypatch.setattr(kept_files, "FILES_KEPT", 1)
    second = import_second(path)

    listed = runner.invoke(args=["import", "list"]).stdout.splitlines()

    assert [line[:5].strip() for line in listed] == [f"{second}*", f"{first}"]
    with pytest.raises(InvalidInput, match="only the last 1 imports"):
        kept.undo(first, "ann")


def test_an_erased_user_is_in_no_file_and_does_not_come_back(path: Path) -> None:
    import_id = import_second(path)
    erasure.erase(1)
    erasure.clean_exports()

    assert 1 not in pl.read_parquet(kept_files.path_of(import_id))["user_id"].to_list()
    kept.undo(import_id, "ann")
    assert db.session.scalars(sa.select(Rating.user_id)).all() == [2]


def test_with_a_media_url_the_file_is_there_and_an_erasure_reaches_it(
    app: Flask, path: Path, tmp_path: Path, runner: Runner
) -> None:
    app.config["MEDIA_URL"] = f"file://{tmp_path}/shared"
    import_id = import_second(path)
    erasure.erase(1)
    erasure.clean_exports()

    assert not kept_files.path_of(import_id).exists()
    shared = tmp_path / "shared" / "imports" / f"ratings-{import_id}.parquet"
    assert 1 not in pl.read_parquet(shared)["user_id"].to_list()
    assert f"{import_id}* " in runner.invoke(args=["import", "list"]).stdout
    kept.undo(import_id, "ann")
    assert db.session.scalars(sa.select(Rating.user_id)).all() == [2]
    assert not shared.exists()
