"""The end of every import of ratings: judge them as a whole, then save users, movies and ratings in one transaction."""

from collections.abc import Callable

from recsite.ml.progress import Progress
from recsite.movies import bump_catalog
from recsite.ratings.importers import rating_rows
from recsite.ratings.importers.kept import import_transaction
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.rating_frame import RatingFrame
from recsite.ratings.importers.rating_rows import FindMovie
from recsite.ratings.importers.report import Outcome, Report


def no_movies() -> bool:
    """Save no movies."""
    return False


def save(
    frame: RatingFrame,
    find_movie: FindMovie,
    options: Options,
    report: Report,
    on_progress: Progress,
    save_movies: Callable[[], bool] = no_movies,
) -> Outcome:
    """Save the ratings of a file, and before them its movies; all or nothing.

    Args:
        frame: the ratings.
        find_movie: returns the movie of a rating.
        options: of the import.
        report: of the import, which has the refused rows already.
        on_progress: called with the ratings written and those to write.
        save_movies: saves the file's movies without a commit; returns whether one was new or changed. Users are locked
            before movies, so it runs after the users are saved.

    Raises:
        TooManyRefused: more rows are refused than an import may lose.
    """
    resolved = rating_rows.resolve(frame, find_movie, options.user_offset, report)
    report.check_share(options.accept_refused)
    with import_transaction(options, report) as kept:
        ratings = rating_rows.save_users(resolved, options, frame.file_name, report)
        report.check_share(options.accept_refused)
        has_new_movies = save_movies()
        kept.written = rating_rows.save_ratings(ratings, report, on_progress)
        if has_new_movies:
            # Last, because whoever waits for a movie must not hold the counter's lock.
            bump_catalog()
    return Outcome(report)
