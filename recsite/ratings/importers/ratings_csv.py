"""Import of ratings from any CSV file with columns for user, movie and rating."""

from pathlib import Path

from recsite.ml.progress import Progress, ignore
from recsite.ratings.importers import movie_rows, rating_rows
from recsite.ratings.importers.report import Report
from recsite.ratings.importers.source import Table, TextFile
from recsite.storage.deadlocks import retry_deadlocks

DELIMITERS = ",;\t"


@retry_deadlocks
def load(path: Path, user_offset: int = 0, movielens_ids: bool = False, on_progress: Progress = ignore) -> Report:
    """Import the ratings of a CSV file, and create users for them; all or nothing.

    The columns are user_id, movie_id, rating and optionally timestamp, which defaults to the present time. Ratings of
    unknown movies are refused, not guessed.

    Args:
        path: the CSV file.
        user_offset: what is added to each user id.
        movielens_ids: whether movie ids are those that an import of MovieLens recorded, not those of the movies table.
        on_progress: called with the bytes read and the file's size.

    Raises:
        BrokenDataset: the file cannot be read, or a column is missing.
    """
    report = Report()
    file = TextFile(path)
    table = Table(file, "user_id movie_id rating", optional="timestamp", delimiters=DELIMITERS)
    movie_ids = movie_rows.ids_by_movielens_id() if movielens_ids else movie_rows.all_ids()
    with rating_rows.import_transaction():
        rating_rows.stage(table.rows(report.ratings, report), file, movie_ids, user_offset, report, on_progress)
        rating_rows.save_users(file.name, report)
        rating_rows.save_ratings(report)
    return report
