"""flask export: files that can be imported again."""

import csv
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.extensions import db
from recsite.ratings import exports
from recsite.storage.tables import Movie, Rating, User
from tests.conftest import TrainedWorld, World
from tests.ratings.importing import import_ratings, import_tmdb
from tests.web.clients import Runner

pytestmark = pytest.mark.both_databases


def folder(app: Flask, kind: str) -> Path:
    path: Path = app.config["MEDIA_ROOT"] / "exports" / kind
    return path


def test_exported_ratings_import_again_without_a_change(app: Flask, trained: TrainedWorld) -> None:
    # As imported users are named; with names of their own they would be accounts, which no import may change.
    db.session.execute(sa.update(User).values(username="user-" + sa.cast(User.id, sa.Text)))
    db.session.commit()
    path = exports.export_ratings()

    report = import_ratings(path)

    assert (report.ratings.read, report.ratings.unchanged) == (47, 47)


def test_exported_movies_bring_back_what_was_lost(app: Flask, world: World) -> None:
    path = exports.export_movies()
    db.session.execute(sa.update(Movie).values(overview=""))
    db.session.commit()

    import_tmdb(path)

    assert db.session.get_one(Movie, 949).overview == "A thief and a detective over coffee."


def test_the_file_has_a_date_and_latest_is_the_newest(app: Flask, world: World) -> None:
    path = exports.export_ratings()

    latest = folder(app, "ratings") / "latest.csv"
    assert latest.resolve() == path.resolve()
    assert [each.name for each in folder(app, "ratings").iterdir() if each.name.startswith(".")] == []


def test_an_export_that_fails_leaves_the_last_one(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    exports.export_ratings()
    before = (folder(app, "ratings") / "latest.csv").read_text()
    db.session.execute(sa.delete(Rating))
    db.session.commit()

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt("now")

    db.session.add(Rating(user_id=1, movie_id=550, value=4))
    with pytest.raises(KeyboardInterrupt, match="now"):
        exports.export_ratings(fail)

    assert (folder(app, "ratings") / "latest.csv").read_text() == before
    assert len(list(folder(app, "ratings").iterdir())) == 2


@pytest.mark.parametrize(("kind", "rows"), (("ratings", 7), ("movies", 6)))
def test_the_command_names_the_file_that_it_wrote(runner: Runner, world: World, kind: str, rows: int) -> None:
    result = runner.invoke(args=["export", kind])

    assert result.exit_code == 0
    path = Path(result.stdout.strip().removeprefix("Wrote "))
    with path.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == rows


def test_an_export_keeps_the_last_files_and_removes_older_ones(app: Flask, world: World) -> None:
    app.config["EXPORTS_KEPT"] = 3
    exports.export_ratings()
    for name in ("2020-01-01.csv", "2020-01-02.csv", "2020-01-03.csv", ".1-killed.part", "notes.txt"):
        (folder(app, "ratings") / name).touch()

    path = exports.export_ratings()

    kept = {each.name for each in folder(app, "ratings").iterdir()}
    assert kept == {"2020-01-02.csv", "2020-01-03.csv", path.name, "latest.csv", "notes.txt"}


def test_with_no_number_every_export_is_kept(app: Flask, world: World) -> None:
    app.config["EXPORTS_KEPT"] = 0
    exports.export_movies()
    (folder(app, "movies") / "2020-01-01.csv").touch()

    exports.export_movies()

    assert (folder(app, "movies") / "2020-01-01.csv").exists()
