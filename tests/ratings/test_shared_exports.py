"""Exports below MEDIA_URL: they are there only, and an erasure on any host reaches them."""

from pathlib import Path

import pytest
from flask import Flask

from recsite.accounts import erasure
from recsite.errors import MediaUnavailable
from recsite.extensions import db
from recsite.ratings import export_files, exports
from recsite.storage.tables import Erasure
from recsite.suggestions.exports import export_suggestions
from tests.conftest import TrainedWorld, World
from tests.storage.buckets import Bucket
from tests.web.clients import Runner


@pytest.fixture
def place(app: Flask, tmp_path: Path) -> Path:
    """The folder that MEDIA_URL names."""
    app.config["MEDIA_URL"] = f"file://{tmp_path}/shared"
    return tmp_path / "shared" / "exports"


def local_files(app: Flask) -> list[Path]:
    """Return the exports on this host."""
    return [path for path in Path(app.config["MEDIA_ROOT"], "exports").rglob("*") if path.is_file()]


def test_an_export_is_in_the_bucket_and_an_erasure_rewrites_it(app: Flask, world: World, bucket: Bucket) -> None:
    app.config["MEDIA_URL"] = bucket.url
    name = exports.export_ratings().name
    keys = [f"exports/ratings/{name}", "exports/ratings/latest.csv"]
    assert [key for key in bucket.names() if key.startswith("exports/")] == keys
    assert b"\n1,550,5.0," in bucket.read(keys[0])

    erasure.erase(world.alice)
    assert not erasure.is_quick()
    assert erasure.clean_exports() == [name, "latest.csv"]

    assert [[line[:2] for line in bucket.read(key).splitlines()[1:]] for key in keys] == [[b"2,", b"2,"]] * 2
    assert local_files(app) == []


def test_every_format_is_rewritten(app: Flask, scored: TrainedWorld, place: Path) -> None:
    for file_format in export_files.FORMATS:
        export_suggestions(5, file_format)

    erasure.erase(scored.bob)

    assert len(erasure.clean_exports()) == 2 * len(export_files.FORMATS)
    assert sorted(path.name for path in (place / "suggestions").glob("latest.*")) == [
        "latest.csv",
        "latest.jsonl",
        "latest.parquet",
    ]
    assert erasure.clean_exports() == []


def test_users_that_are_erased_during_an_export_are_not_in_it(app: Flask, world: World, place: Path) -> None:
    def erase_alice(path: Path) -> None:
        export_files.write_csv(path, ("user_id", "movie_id"), [(world.alice, 550), (world.bob, 278)])
        erasure.erase(world.alice)
        # As if another host's worker had cleaned all files before this one came.
        db.session.query(Erasure).update({"exports_cleaned_at": Erasure.erased_at})
        db.session.commit()

    export_files.publish("ratings", "csv", erase_alice)

    assert (place / "ratings" / "latest.csv").read_text().splitlines() == ["user_id,movie_id", "2,278"]


def test_old_exports_are_removed(app: Flask, world: World, place: Path) -> None:
    (place / "movies").mkdir(parents=True)
    for day in ("01", "02", "03"):
        (place / "movies" / f"2020-01-{day}.csv").touch()
    app.config["EXPORTS_KEPT"] = 2

    newest = exports.export_movies().name

    assert sorted(path.name for path in (place / "movies").iterdir()) == ["2020-01-03.csv", newest, "latest.csv"]


def test_an_export_that_cannot_be_stored_leaves_nothing_on_the_host(app: Flask, world: World, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    app.config["MEDIA_URL"] = f"file://{tmp_path}/a file"

    with pytest.raises(MediaUnavailable, match=r"Cannot write file://\S+/a file/exports/ratings/"):
        exports.export_ratings()

    assert local_files(app) == []


def test_the_command_says_where_the_export_is(app: Flask, world: World, place: Path, runner: Runner) -> None:
    assert f"Wrote file://{place}/movies/" in runner.invoke(args=["export", "movies"]).output
