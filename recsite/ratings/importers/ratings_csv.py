"""Import of ratings from any table with columns for user, movie and rating."""

from recsite.ml.progress import Progress, ignore
from recsite.ratings.importers.headings import ID_KINDS, find_columns
from recsite.ratings.importers.known_movies import KnownMovies
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.rating_frame import read_ratings
from recsite.ratings.importers.rating_rows import UNKNOWN_MOVIE
from recsite.ratings.importers.report import Outcome, Report
from recsite.ratings.importers.saving import save
from recsite.ratings.importers.tables import Table
from recsite.storage.deadlocks import retry_deadlocks

NAMES = {"tmdb": "TMDB's", "movielens": "MovieLens'", "imdb": "IMDb's", "site": "this site's own"}


@retry_deadlocks
def load(table: Table, options: Options, on_progress: Progress = ignore) -> Outcome:
    """Import the ratings of a table, and create users for them; all or nothing.

    Ratings of unknown movies are refused, not guessed. A rating without a time gets the present one.

    Raises:
        BrokenDataset: the file cannot be read, a column is missing, or too many rows are refused.
    """
    report = Report()
    columns = find_columns(table.header)
    if options.ids and "movie" not in columns:
        # The option says whose ids a column has, whatever its heading says.
        kind = next((kind for kind in ID_KINDS if kind in columns), None)
        if kind:
            columns["movie"] = columns.pop(kind)
    known = KnownMovies(options.ids)
    frame = read_ratings(table, columns, options.scale, report, on_progress)
    known.check_titles(frame.movies, table.name)
    kind = next((kind for kind in ID_KINDS if kind in columns), known.ids)
    without = "" if "timestamp" in columns else ", without times"
    report.forms.append(f"{table.name}: {table.form}, ratings {frame.scale}, movies by {NAMES[kind]} ids{without}")
    report.ways_out[UNKNOWN_MOVIE] = (
        f"The ids were read as {NAMES[kind]}; if they are others, say whose with --ids. Import the movies first."
    )
    return save(frame, known.find, options, report, on_progress)
