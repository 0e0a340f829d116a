"""Undoing of what `bulk_writing` wrote, with the same invariants."""

import polars as pl
import sqlalchemy as sa

from recsite import movies
from recsite.ratings.bulk_reading import KEY, STORED, is_sqlite, read_ratings
from recsite.ratings.bulk_writing import copy_frame, locked_users, mark_changed, touched_users, write
from recsite.ratings.writing import ratings, suggestions
from recsite.storage.queries import driver_cursor, run


def take_back(changes: pl.DataFrame) -> int:
    """Undo changes that `write_many` returned, except of ratings that changed since; return how many those are.

    Users, movies and their other ratings stay. Does not commit.
    """
    with locked_users(changes):
        stored = pl.concat([pl.DataFrame(schema=STORED), *read_ratings()])
        current = stored.rename({"was_value": "now_value", "was_timestamp": "now_timestamp"})
        both = changes.join(current, on=KEY, how="inner", maintain_order="left")
        same = both.filter((pl.col("value") == pl.col("now_value")) & (pl.col("timestamp") == pl.col("now_timestamp")))
        delete_many(same.filter(pl.col("was_value").is_null()).select(KEY))
        replaced = same.filter(pl.col("was_value").is_not_null())
        write(replaced.with_columns(value=pl.col("was_value"), timestamp=pl.col("was_timestamp")))
        mark_changed()
        run(forget_deleted(sa.select(touched_users.c.user_id)))
        movies.refresh_averages()
    return len(changes) - len(same)


def delete_many(pairs: pl.DataFrame) -> None:
    """Delete the ratings with these keys."""
    with driver_cursor() as cursor:
        if is_sqlite():
            cursor.executemany("DELETE FROM ratings WHERE user_id = ? AND movie_id = ?", pairs.iter_rows())
            return
        cursor.execute("CREATE TEMPORARY TABLE deleted_ratings (user_id integer, movie_id integer) ON COMMIT DROP")
        copy_frame(cursor, "deleted_ratings", pairs)
        cursor.execute(
            "DELETE FROM ratings r USING deleted_ratings d WHERE r.user_id = d.user_id AND r.movie_id = d.movie_id"
        )


def forget_deleted(user_ids: sa.Select[int]) -> sa.Update:
    """Return the statement that unmarks these users' suggestions of movies that they have not rated any more."""
    has_rating = sa.exists().where(
        ratings.c.user_id == suggestions.c.user_id, ratings.c.movie_id == suggestions.c.movie_id
    )
    return (
        sa.update(suggestions)
        .where(suggestions.c.user_id.in_(user_ids), suggestions.c.did_rate, ~has_rating)
        .values(did_rate=False, rating_value=None, did_rate_timestamp=None)
    )
