"""Import of one person's ratings by the command: the same reading and matching as on the page, saved at once."""

from collections.abc import Mapping

from recsite.errors import BrokenDataset
from recsite.ml.progress import Progress, ignore
from recsite.ratings.history import imports, matching, rating_files, reading
from recsite.ratings.importers.files import File
from recsite.ratings.importers.headings import find_columns, has_movie, normalize
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.records import open_table
from recsite.ratings.importers.report import Outcome, Refused, Report
from recsite.ratings.importers.tables import Table

NOT_FOUND = "no movie with this title and year is on this site"
AMBIGUOUS = "several movies on this site fit this title and year"


def format_of(table: Table) -> str | None:
    """Return the format of a table without users, one of options.FORMATS; None if it has no ratings of movies."""
    columns = find_columns(table.header)
    names = {normalize(name) for name in table.header}
    if "user" in columns or not has_movie(columns):
        return None
    if "uri" in columns:
        return "letterboxd"
    if "rating" not in columns:
        return None
    if "const" in names:
        return "imdb"
    return "trakt" if "ratedat" in names else "personal"


def find_file(files: Mapping[str, File], options: Options) -> tuple[str, File] | None:
    """Return the format and the likeliest file of a person's ratings among these, None without one."""
    likely = [files[name] for name in rating_files.RATING_FILES if name in files]
    only = list(files.values()) if len(files) == 1 else []
    for file in sorted(likely, key=rating_files.has_rows, reverse=True) or only:
        found = format_of(open_table(file, options.encoding))
        if found:
            return found, file
    return None


def load(file: File, options: Options, on_progress: Progress = ignore) -> Outcome:
    """Read and match the ratings of `options.user_id`; they wait for `history.save`.

    Raises:
        BrokenDataset: it is not said whose ratings these are, the file cannot be read, or too many rows are refused.
    """
    if options.user_id is None:
        raise BrokenDataset(f"{file} has the ratings of one person; say whose they are with --user NAME.")
    content = reading.read(file, options)
    reading.check_has_ratings(content, str(file))
    report = content.report
    report.forms.append(content.form)
    report.leave_out(content.unrated, "no rating, for example a film that was only watched")
    report.leave_out(content.series, reading.NO_FILM)
    matches = matching.match(content.entries)
    refuse_unmatched(matches, file.name, report)
    report.check_share(options.accept_refused)
    report.ratings.merged = matches.merged
    on_progress(report.ratings.read, report.ratings.read)
    return Outcome(report, imports.store(options.user_id, imports.clean_file_name(file.name), content, matches))


def refuse_unmatched(matches: matching.Matches, file_name: str, report: Report) -> None:
    """Record the rows whose movie is not known."""
    for entry in matches.not_found:
        report.refuse(report.ratings, file_name, entry.line, Refused(NOT_FOUND, entry.label))
    for entry, _ in matches.ambiguous:
        report.refuse(report.ratings, file_name, entry.line, Refused(AMBIGUOUS, entry.label))
    report.ways_out[NOT_FOUND] = "Import the movies first, or match these rows by hand on the page 'Import my ratings'."
    report.ways_out[AMBIGUOUS] = "Match these rows by hand on the page 'Import my ratings'."
