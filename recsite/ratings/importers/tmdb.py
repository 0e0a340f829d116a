"""What TMDB knows about movies, from a CSV file such as The Movies Dataset's movies_metadata.csv."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from recsite.extensions import db
from recsite.ml.progress import Progress, ignore
from recsite.movies import bump_catalog
from recsite.ratings.importers import fields, movie_rows
from recsite.ratings.importers.movie_rows import MovieFields
from recsite.ratings.importers.report import Refused, Report
from recsite.ratings.importers.source import Row, Table, TextFile, opened_file
from recsite.storage.tables import MOVIE_ID_WITHOUT_TMDB

METADATA = "movies_metadata.csv"
MOVIES_PER_COMMIT = movie_rows.MOVIES_PER_STATEMENT
NAME_IN_LIST = re.compile(r"""['"]name['"]\s*:\s*(?:'([^']*)'|"([^"]*)")""")
"In [{'id': 18, 'name': 'Drama'}], as Python or JSON writes it. Names are looked for, nothing is evaluated."


def load(path: Path, on_progress: Progress = ignore) -> Report:
    """The movies of this file (or of movies_metadata.csv in this folder or zip) are in the table, by TMDB id.

    The first line names the columns id, title, overview and release_date, and perhaps genres (or genre), poster_path
    and imdb_id. What the file says replaces what the table says, what it leaves empty erases nothing. Of several rows
    with one id the first counts. Commits once per MOVIES_PER_COMMIT, so a stopped run keeps what it finished; a second
    run leaves the same rows. `on_progress` counts bytes. Raises BrokenDataset.
    """
    report = Report()
    with opened_file(path, METADATA) as place:
        file = TextFile(place)
        table = Table(file, "id title overview release_date", optional="genres|genre poster_path imdb_id")
        movies = read_movies(table.rows(report.movies, report), file.name, report)
        while some := list(islice(movies, MOVIES_PER_COMMIT)):
            if movie_rows.save_movies(some, merged, report.movies):
                bump_catalog()
            db.session.commit()
            on_progress(file.done, file.size)
    report.movies.settle()
    return report


def read_movies(rows: Iterable[Row], file: str, report: Report) -> Iterator[MovieFields]:
    """The movies of these rows, each id once."""
    ids: set[int] = set()
    for line, (tmdb, title, overview, released, genres, poster, imdb) in rows:
        try:
            movie = MovieFields(
                id=fields.whole_id(tmdb, "TMDB id", MOVIE_ID_WITHOUT_TMDB - 1),
                title=fields.one_line(title, "title", 500),
                overview=fields.prose(overview, "overview"),
                release_date=fields.day(released),
                genres=fields.one_line(genre_names(genres), "genres", 500),
                poster_path=fields.one_line(poster, "poster path", 255) or None,
                imdb_id=fields.imdb_id(imdb),
            )
            if not movie.title:
                raise Refused("the title is missing")
        except Refused as refused:
            report.refuse(report.movies, file, line, refused)
            continue
        if movie.id in ids:
            report.movies.merged += 1
        else:
            ids.add(movie.id)
            yield movie


def genre_names(text: str) -> str:
    """Names joined by '|', from such names, from names between commas, or from a list as Python or JSON writes it."""
    text = text.strip()
    if text.startswith("["):
        names = [single or double for single, double in NAME_IN_LIST.findall(text)]
        if not names and text.strip("[] "):
            raise Refused("genres are no list of names", text)
    else:
        names = re.split("[|,]", text)
    return "|".join(dict.fromkeys(name.strip() for name in names if name.strip()))


def merged(there: MovieFields, given: MovieFields) -> MovieFields:
    """The movie with all that TMDB says of it."""
    return there._replace(**{name: value for name, value in given._asdict().items() if value})
