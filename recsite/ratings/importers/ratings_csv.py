"""Ratings from a CSV file of anybody's making."""

from pathlib import Path

from recsite import movies
from recsite.ml.progress import Progress, ignore
from recsite.ratings.importers import movie_rows, rating_rows
from recsite.ratings.importers.report import Report
from recsite.ratings.importers.source import Table, TextFile

DELIMITERS = ",;\t"


def load(path: Path, user_offset: int = 0, movielens_ids: bool = False, on_progress: Progress = ignore) -> Report:
    """The database has the ratings of this file, and users for them; all of it happens or, if this raises, nothing.

    The first line names the columns user_id, movie_id, rating and, if there are times, timestamp. A rating without a
    time was given now. Movie ids are those of the movies table, which are TMDB ids; with `movielens_ids` they are
    MovieLens ids, and a movie is found by the one that was recorded when MovieLens was imported. Ratings of movies that
    are not found are refused, not guessed. User ids go up by `user_offset`. `on_progress` counts bytes.
    Raises BrokenDataset.
    """
    report = Report()
    file = TextFile(path)
    table = Table(file, "user_id movie_id rating", optional="timestamp", delimiters=DELIMITERS)
    with rating_rows.one_transaction():
        rating_rows.stage(
            table.rows(report.ratings, report),
            file,
            movie_rows.ids_by_movielens_id() if movielens_ids else movie_rows.ids(),
            user_offset,
            report,
            on_progress,
        )
        rating_rows.save_users(file.name, report)
        if rating_rows.save_ratings(report):
            movies.refresh_averages()
    return report
