"""Import of TMDB's details of movies from a CSV file such as movies_metadata.csv of The Movies Dataset."""

import re
from collections.abc import Iterator
from itertools import islice

from recsite.extensions import db
from recsite.ml.progress import Progress, ignore
from recsite.movies import bump_catalog
from recsite.ratings.importers import fields, kept, movie_rows, times
from recsite.ratings.importers.files import File
from recsite.ratings.importers.id_checks import check_ids
from recsite.ratings.importers.movie_rows import MovieFields
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.records import open_table
from recsite.ratings.importers.report import Refused, Report
from recsite.ratings.importers.tables import Table, select
from recsite.storage.tables import MOVIE_ID_WITHOUT_TMDB

MOVIES_PER_COMMIT = movie_rows.MOVIES_PER_STATEMENT
NAME_IN_LIST = re.compile(r"""['"]name['"]\s*:\s*(?:'([^']*)'|"([^"]*)")""")
"Finds the names in [{'id': 18, 'name': 'Drama'}], as Python or JSON, without evaluating it."
TEXT_IN_LIST = re.compile(r"""'([^']*)'|"([^"]*)\"""")
"Finds them in ['Drama', 'Crime']."
REQUIRED = "id title"
OPTIONAL = "overview release_date genres|genre poster_path imdb_id adult"
MOST_COMPARED = 2000


def load(file: File, options: Options, on_progress: Progress = ignore) -> Report:
    """Import the movies of this file by TMDB id.

    The columns are id and title, and optionally overview, release_date, genres (or genre), poster_path, imdb_id and
    adult (such movies are hidden). Values replace those of the database; empty fields change nothing. Of several rows
    with one id the first counts. The file is read twice, to be judged before anything is saved. Every
    MOVIES_PER_COMMIT movies are committed, so a stopped import keeps them.

    Raises:
        BrokenDataset: the file cannot be read, a column is missing, the ids are not TMDB's, or too many rows are
            refused.
    """
    table = open_table(file, options.encoding)
    judged = Report()
    day_first = find_day_order(table)
    first = islice(read_movies(table, day_first, judged), MOST_COMPARED)
    check_ids(((movie.id, movie) for movie in first), f"The ids in {table.name} are not TMDB's", "")
    judged = Report()
    total = sum(1 for _ in read_movies(table, day_first, judged))
    judged.check_share(options.accept_refused)
    report = Report()
    report.forms.append(f"{table.name}: {table.form}, details of movies by TMDB id")
    movies = read_movies(table, day_first, report)
    done = 0
    while block := list(islice(movies, MOVIES_PER_COMMIT)):
        if movie_rows.save_movies(block, merge, report.movies):
            bump_catalog()
        db.session.commit()
        done += len(block)
        on_progress(done, total)
    report.movies.settle()
    report.import_id = kept.record(options, report, None)
    db.session.commit()
    return report


def find_day_order(table: Table) -> bool | None:
    """Return whether dates such as 31/12/2021 begin with the day, see `times.has_day_first`."""
    unused = Report()
    return times.has_day_first(row[1] for _, row in select(table, REQUIRED[:2], "release_date", unused.movies, unused))


def read_movies(table: Table, day_first: bool | None, report: Report) -> Iterator[MovieFields]:
    """Yield the movies of these rows, each id once; refuse unusable rows."""
    ids: set[int] = set()
    for line, (tmdb, title, *details) in select(table, REQUIRED, OPTIONAL, report.movies, report):
        try:
            movie_id = fields.whole_id(tmdb, "TMDB id", MOVIE_ID_WITHOUT_TMDB - 1)
            name = fields.one_line(title, "title", 500)
            if not name:
                raise Refused("the title is missing")
        except Refused as refused:
            report.refuse(report.movies, table.name, line, refused)
            continue
        if movie_id in ids:
            report.movies.merged += 1
            continue
        ids.add(movie_id)
        yield with_details(MovieFields(movie_id, name), details, day_first, report, table.name, line)


def with_details(
    movie: MovieFields, details: list[str], day_first: bool | None, report: Report, file_name: str, line: int
) -> MovieFields:
    """Return the movie with the fields of OPTIONAL; an unusable one stays empty."""
    overview, released, genres, poster, imdb, adult = details
    place = file_name, line
    return movie._replace(
        overview=report.optional(lambda text: fields.prose(text, "overview"), overview, "", *place),
        release_date=report.optional(lambda text: times.day(text, day_first), released, None, *place),
        genres=report.optional(lambda text: fields.one_line(genre_names(text), "genres", 500), genres, "", *place),
        poster_path=report.optional(lambda text: fields.one_line(text, "poster path", 255), poster, "", *place) or None,
        imdb_id=report.optional(fields.imdb_id, imdb, None, *place),
        is_hidden=adult.strip().lower() in ("true", "1"),
    )


def genre_names(text: str) -> str:
    """Return genre names joined by '|', from names between '|' or commas, or a list in Python or JSON syntax."""
    text = text.strip()
    if text.startswith("["):
        pattern = NAME_IN_LIST if "{" in text else TEXT_IN_LIST
        names = [single or double for single, double in pattern.findall(text)]
        if not names and text.strip("[] "):
            raise Refused("genres are no list of names", text)
    else:
        names = re.split("[|,]", text)
    return "|".join(dict.fromkeys(name.strip() for name in names if name.strip()))


def merge(stored: MovieFields, from_file: MovieFields) -> MovieFields:
    """Return the stored movie with every field that the file has."""
    return stored._replace(**{name: value for name, value in from_file._asdict().items() if value})
