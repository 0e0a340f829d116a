"""Export of everybody's list, as the API answers it."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.ml.progress import Progress, ignore
from recsite.ratings import export_files
from recsite.storage.queries import run
from recsite.storage.tables import User
from recsite.suggestions.lists import lists_for
from recsite.suggestions.lists.items import SuggestionList
from recsite.suggestions.scoring import all_user_ids

USERS_PER_BLOCK = 1000
COLUMNS: export_files.Schema = {
    "user_id": pl.Int64,
    "user": pl.String,
    "rank": pl.Int32,
    "movie_id": pl.Int64,
    "movie": pl.String,
    "value": pl.Float64,
    "source": pl.String,
    "version": pl.String,
}
"""`user` and `movie` are the site's own ids; `value` is the predicted rating in stars, empty for popular movies.

The user id stands first, where an erasure looks for it.
"""


def export_suggestions(top: int, file_format: str = "csv", on_progress: Progress = ignore) -> Path:
    """Write the first `top` movies of each list to a dated file of this format; return the file.

    The rows are ordered by user and rank. Users without ratings are left out: theirs are the popular movies.
    """
    writers = {
        "csv": partial(export_files.write_csv, header=list(COLUMNS)),
        "jsonl": partial(export_files.write_jsonl, header=list(COLUMNS)),
        "parquet": partial(export_files.write_parquet, schema=COLUMNS),
    }
    write = writers[file_format]
    return export_files.publish("suggestions", file_format, lambda path: write(path, rows=read_rows(top, on_progress)))


def read_rows(top: int, on_progress: Progress) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of everybody's list in the order of COLUMNS."""
    user_ids = all_user_ids()
    for start in range(0, len(user_ids), USERS_PER_BLOCK):
        on_progress(start, len(user_ids))
        for user_id, name, found in read_lists(user_ids[start : start + USERS_PER_BLOCK], top):
            about = found.source, found.version_name
            for rank, item in enumerate(found.items, 1):
                value = None if item.value is None else round(item.value, 2)
                yield (user_id, name, rank, item.movie_id, item.movie.ids.site, value, *about)
    on_progress(len(user_ids), len(user_ids))


def read_lists(user_ids: Sequence[int], top: int) -> list[tuple[int, str | None, SuggestionList]]:
    """Return (id, the site's id, list) of each user; those deleted meanwhile are left out."""
    while True:
        # An export takes minutes; an open transaction would keep PostgreSQL from vacuuming.
        db.session.commit()
        users = run(sa.select(User.id, User.site_id).where(User.id.in_(user_ids)).order_by(User.id)).all()
        try:
            lists = lists_for([user.id for user in users], top)
        except UserNotFound:
            continue  # A user was deleted between the two queries.
        return [(user.id, user.site_id, found) for user, found in zip(users, lists, strict=True)]
