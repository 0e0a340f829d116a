"""Import of The Movies Dataset: TMDB's details of movies, and MovieLens' ratings that links.csv brings to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from recsite.ml.progress import Progress, ignore
from recsite.movies import bump_catalog
from recsite.ratings.importers import fields, movie_rows, rating_rows, tmdb
from recsite.ratings.importers.files import File
from recsite.ratings.importers.headings import find_columns
from recsite.ratings.importers.kept import import_transaction
from recsite.ratings.importers.movielens import read_links
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.rating_frame import read_ratings
from recsite.ratings.importers.report import Outcome, Refused, Report
from recsite.ratings.importers.tables import TextTable
from recsite.storage.deadlocks import retry_deadlocks


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
        f"{table.name}: {table.form}, ratings on the scale {frame.scale}, movies by {data.links.name}",
    ]

    def find_movie(texts: Mapping[str, str]) -> int:
        number = fields.whole_id(texts["movielens"], "movie id")
        if number not in ids:
            raise Refused("links.csv and the details have no movie for this MovieLens id", str(number))
        return ids[number]

    resolved = rating_rows.resolve(frame, find_movie, options.user_offset, report)
    report.check_share(options.accept_refused)
    with import_transaction(options, report) as kept:
        ratings = rating_rows.save_users(resolved, options, table.name, report)
        report.check_share(options.accept_refused)
        rating_rows.lock_raters(None)
        in_order = (movies[movie_id] for movie_id in sorted(movies))
        movies_changed = movie_rows.save_movies(in_order, tmdb.merge, report.movies)
        movie_rows.save_aliases(ids)
        report.movies.settle()
        kept.written = rating_rows.save_ratings(ratings, report, on_progress)
        if movies_changed or kept.written.changes.height:
            bump_catalog()
    return Outcome(report)
