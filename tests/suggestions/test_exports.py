"""flask export suggestions: everybody's list in a file, in three formats, and without erased users."""

import csv
import json
import stat
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import suggestions
from recsite.accounts import erasure, site_ids
from recsite.extensions import db
from recsite.ratings import export_files
from recsite.storage.tables import Movie
from recsite.suggestions import exports
from tests.conftest import TrainedWorld
from tests.ratings.changes import rate
from tests.web.clients import Runner

FORMATS = pytest.mark.parametrize("file_format", export_files.FORMATS)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file in any format, as Parquet has them."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return pl.read_csv(path, schema=exports.COLUMNS).to_dicts()


def users_in(path: Path) -> set[int]:
    """Return the ids of the users whose lists are in the file."""
    return {row["user_id"] for row in read(path)}


@pytest.mark.both_databases
@FORMATS
def test_the_file_has_the_lists_as_the_api_answers_them(scored: TrainedWorld, file_format: str) -> None:
    rate(scored.carol, 550, 5)
    customer = site_ids.find_or_add_user_id("cust-42")
    rate(customer, 949, 1)
    db.session.execute(sa.update(Movie).where(Movie.id == 13).values(site_id="SKU-13"))
    db.session.commit()

    path = exports.export_suggestions(2, file_format)

    user_ids = suggestions.all_user_ids()
    expected = [
        {
            "user_id": user_id,
            "user": "cust-42" if user_id == customer else None,
            "rank": rank,
            "movie_id": item.movie_id,
            "movie": "SKU-13" if item.movie_id == 13 else None,
            "value": round(item.value or 0, 2),
            "source": found.source,
            "version": scored.version_name,
        }
        for user_id, found in zip(user_ids, suggestions.lists_for(user_ids, 2), strict=True)
        for rank, item in enumerate(found.items, 1)
    ]
    assert read(path) == expected
    assert {row["source"] for row in expected} == {"model", "fold-in"}
    assert (path.parent / f"latest.{file_format}").resolve() == path.resolve()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@FORMATS
def test_a_file_of_nobody_has_its_columns_only(app: Flask, file_format: str) -> None:
    path = exports.export_suggestions(50, file_format)

    assert read(path) == []


@pytest.mark.both_databases
def test_an_erased_user_leaves_the_files_of_all_formats(app: Flask, scored: TrainedWorld) -> None:
    paths = [exports.export_suggestions(50, file_format) for file_format in export_files.FORMATS]
    left = paths[0].with_name(".77-abc.part")
    left.touch()
    before = [read(path) for path in paths]
    record = erasure.erase(scored.bob)

    changed = erasure.clean_exports()

    assert changed == [path.name for path in paths]
    assert [read(path) for path in paths] == [[row for row in rows if row["user_id"] != scored.bob] for rows in before]
    assert {each.name for each in paths[0].parent.iterdir()} == {
        *(path.name for path in paths),
        *(f"latest.{file_format}" for file_format in export_files.FORMATS),
    }
    assert users_in(paths[2].parent / "latest.parquet") == users_in(paths[0])
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o640] * 3
    assert "Earlier exports of ratings and suggestions" in " ".join(erasure.receipt_lines(record))
    assert export_files.remove_users({scored.bob}) == []


def test_each_format_keeps_its_last_files(app: Flask, scored: TrainedWorld) -> None:
    app.config["EXPORTS_KEPT"] = 2
    folder = exports.export_suggestions(1, "jsonl").parent
    for name in ("2020-01-01.csv", "2020-01-02.csv", "2020-01-01.jsonl"):
        (folder / name).touch()

    path = exports.export_suggestions(1)

    kept = {each.name for each in folder.iterdir() if not each.is_symlink()}
    assert kept == {"2020-01-02.csv", path.name, "2020-01-01.jsonl", f"{path.stem}.jsonl"}


def test_an_export_that_fails_leaves_the_last_one_and_nothing_else(app: Flask, scored: TrainedWorld) -> None:
    before = exports.export_suggestions(50, "parquet").read_bytes()

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt("now")

    with pytest.raises(KeyboardInterrupt, match="now"):
        exports.export_suggestions(1, "parquet", fail)

    folder = export_files.export_folder("suggestions")
    assert (folder / "latest.parquet").read_bytes() == before
    assert len(list(folder.iterdir())) == 2


def test_the_command_names_the_file_that_it_wrote(runner: Runner, scored: TrainedWorld) -> None:
    result = runner.invoke(args=["export", "suggestions", "--top", "1", "--format", "csv"])

    assert result.exit_code == 0, result.output
    path = Path(result.stdout.strip().removeprefix("Wrote "))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(exports.COLUMNS)
    assert {row["rank"] for row in rows} == {"1"}
