"""Import of The Movies Dataset: TMDB's details of movies, and MovieLens' ratings that links.csv brings to them."""

from dataclasses import dataclass

from recsite.ml.progress import Progress, ignore
from recsite.ratings.importers import movie_rows, rating_rows, tmdb
from recsite.ratings.importers.files import File
from recsite.ratings.importers.headings import find_columns
from recsite.ratings.importers.movielens import read_links
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.rating_frame import read_ratings
from recsite.ratings.importers.report import Outcome, Report
from recsite.ratings.importers.saving import save
from recsite.ratings.importers.tables import TextTable
from recsite.storage.deadlocks import retry_deadlocks

NO_LINK = "links.csv and the details have no movie for this MovieLens id"


@dataclass(frozen=True)
class MoviesDatasetFiles:
    """movies_metadata.csv, and the files of ratings and links that go together."""

    metadata: File
    ratings: File
    links: File


@retry_deadlocks
def load(data: MoviesDatasetFiles, options: Options, on_progress: Progress = ignore) -> Outcome:
    """Import movies, users and ratings; all or nothing.

    The ratings' movie ids are MovieLens'. Ratings of movies without details are refused, unless the database has them.

    Raises:
        BrokenDataset: files cannot be read, or too many rows are refused.
    """
    report = Report()
    links = read_links(TextTable(data.links, options.encoding), report)
    metadata = TextTable(data.metadata, options.encoding)
    movies = {movie.id: movie for movie in tmdb.read_movies(metadata, tmdb.find_day_order(metadata), report)}
    stored = movie_rows.all_ids()
    ids = {number: tmdb_id for number, (tmdb_id, _) in links.items() if tmdb_id in movies or tmdb_id in stored}
    for number, tmdb_id in sorted(ids.items(), reverse=True):
        if tmdb_id in movies:
            movies[tmdb_id] = movies[tmdb_id]._replace(movielens_id=number)
    table = TextTable(data.ratings, options.encoding)
    frame = read_ratings(table, find_columns(table.header), options.scale, report, on_progress)
    report.forms += [
        f"{metadata.name}: {metadata.form}, details of movies by TMDB id",
        f"{table.name}: {table.form}, ratings {frame.scale}, movies by {data.links.name}",
    ]

    def save_movies() -> bool:
        rating_rows.lock_raters(None)
        in_order = (movies[movie_id] for movie_id in sorted(movies))
        has_changed = movie_rows.save_movies(in_order, tmdb.merge, report.movies)
        movie_rows.save_aliases(ids)
        report.movies.settle()
        return has_changed

    return save(frame, rating_rows.find_by_number(ids, NO_LINK), options, report, on_progress, save_movies)
