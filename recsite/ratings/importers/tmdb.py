"""Import of TMDB's details of movies from a CSV file such as movies_metadata.csv of The Movies Dataset."""

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
from recsite.ratings.importers.source import Row, Table, TextFile, open_file
from recsite.storage.tables import MOVIE_ID_WITHOUT_TMDB

METADATA = "movies_metadata.csv"
MOVIES_PER_COMMIT = movie_rows.MOVIES_PER_STATEMENT
NAME_IN_LIST = re.compile(r"""['"]name['"]\s*:\s*(?:'([^']*)'|"([^"]*)")""")
"Finds the names in [{'id': 18, 'name': 'Drama'}], as Python or JSON, without evaluating it."


def load(path: Path, on_progress: Progress = ignore) -> Report:
    """Import the movies of this file, or of movies_metadata.csv in this folder or zip, by TMDB id.

    The columns are id, title, overview and release_date, and optionally genres (or genre), poster_path and imdb_id.
    Values replace those of the database; empty fields change nothing. Of several rows with one id the first counts.
    Every MOVIES_PER_COMMIT movies are committed, so a stopped import keeps them.

    Args:
        path: the file, folder or zip.
        on_progress: called with the bytes read and the file's size.

    Raises:
        BrokenDataset: the file cannot be read, or a column is missing.
    """
    report = Report()
    with open_file(path, METADATA) as source:
        file = TextFile(source)
        table = Table(file, "id title overview release_date", optional="genres|genre poster_path imdb_id")
        movies = read_movies(table.rows(report.movies, report), file.name, report)
        while block := list(islice(movies, MOVIES_PER_COMMIT)):
            if movie_rows.save_movies(block, merge, report.movies):
                bump_catalog()
            db.session.commit()
            on_progress(file.done, file.size)
    report.movies.settle()
    return report


def read_movies(rows: Iterable[Row], file_name: str, report: Report) -> Iterator[MovieFields]:
    """Yield the movies of these rows, each id once; refuse unusable rows."""
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
            report.refuse(report.movies, file_name, line, refused)
            continue
        if movie.id in ids:
            report.movies.merged += 1
        else:
            ids.add(movie.id)
            yield movie


def genre_names(text: str) -> str:
    """Return genre names joined by '|', from names between '|' or commas, or a list in Python or JSON syntax."""
    text = text.strip()
    if text.startswith("["):
        names = [single or double for single, double in NAME_IN_LIST.findall(text)]
        if not names and text.strip("[] "):
            raise Refused("genres are no list of names", text)
    else:
        names = re.split("[|,]", text)
    return "|".join(dict.fromkeys(name.strip() for name in names if name.strip()))


def merge(stored: MovieFields, from_file: MovieFields) -> MovieFields:
    """Return the stored movie with every field that the file has."""
    return stored._replace(**{name: value for name, value in from_file._asdict().items() if value})
