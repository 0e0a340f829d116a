"""Import of MovieLens data sets, with movies under their TMDB ids."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from recsite.errors import BrokenDataset
from recsite.ml.progress import Progress, ignore
from recsite.movies import bump_catalog
from recsite.ratings.importers import fields, movie_rows, rating_rows
from recsite.ratings.importers.movie_rows import MovieFields
from recsite.ratings.importers.movielens_formats import FILES, LINKS, detect_format
from recsite.ratings.importers.report import Refused, Report
from recsite.ratings.importers.source import Row, Table, TextFile, open_folder
from recsite.storage.deadlocks import retry_deadlocks
from recsite.storage.tables import LARGEST_ID, MOVIE_ID_WITHOUT_TMDB

LARGEST_MOVIELENS_ID = LARGEST_ID - MOVIE_ID_WITHOUT_TMDB

TMDB_GENRES = {
    "Children": "Family",
    "Children's": "Family",
    "Musical": "Music",
    "Sci-Fi": "Science Fiction",
    # MovieLens lists these three as genres, but they are none.
    "IMAX": "",
    "unknown": "",
    "(no genres listed)": "",
}
"TMDB's names of MovieLens' genres, where they differ."
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TRAILING_YEAR = re.compile(r" ?\(((?:18|19|20)\d\d)(?:[-–]\d{0,4})?\)$", re.ASCII)
"As in 'Heat (1995)' and, for a series, 'Death Note (2006–2007)'."
TRAILING_ARTICLE = re.compile(
    r"((?:^|\()(?:a\.k\.a\. )?)([^()]+), "
    r"(The|An?|L'|L[aeo]s?|Une?|Una|Il|I|Gli|El|D[aei]|De[nrt]|Das|Eine?|En)(?=\)|$| \()"
)
"As in 'Postman, The (Postino, Il)'."

Links = Mapping[int, tuple[int | None, str | None]]
"TMDB id and IMDb id by MovieLens id."


@retry_deadlocks
def load(path: Path, user_offset: int = 0, on_progress: Progress = ignore) -> Report:
    """Import movies, users and ratings of a MovieLens folder or zip; all or nothing.

    A movie gets the TMDB id of links.csv. Without one it is the movie that has this MovieLens id already, or a new
    one with the id MOVIE_ID_WITHOUT_TMDB + MovieLens id. When a later links.csv gives such a movie a TMDB id, it moves
    there with all that refers to it. When links.csv changes a TMDB id, only the MovieLens id changes its movie: users
    rated the movie that they saw.

    Most formats give only the year of release, stored as January 1. Values from a better source (`tmdb.load`) stay.

    Args:
        path: the folder or zip.
        user_offset: what is added to each user id.
        on_progress: called with the bytes read of the ratings file, and its size.

    Raises:
        BrokenDataset: files are missing or cannot be read.
    """
    report = Report()
    with open_folder(path, FILES) as files:
        data_format = detect_format(path, files)
        links = read_links(TextFile(files[LINKS]), report) if LINKS in files else {}
        known = movie_rows.ids_by_movielens_id()
        movie_lines = data_format.read_movies(files[data_format.movies], report)
        movies = read_movies(movie_lines, data_format.movies, links, known, report)
        if not movies:
            raise BrokenDataset(f"{files[data_format.movies]} has no movie that can be read.")
        ratings = TextFile(files[data_format.ratings])
        with rating_rows.import_transaction():
            rating_rows.stage(
                data_format.read_ratings(ratings, report),
                ratings,
                {**known, **{movielens_id: movie.id for movielens_id, movie in movies.items()}},
                user_offset,
                report,
                on_progress,
            )
            rating_rows.save_users(ratings.name, report)
            movies_changed = save_movies(movies, known, report)
            ratings_changed = rating_rows.save_ratings(report)
            if movies_changed or ratings_changed:
                bump_catalog()
    return report


def read_links(file: TextFile, report: Report) -> Links:
    """Read links.csv; a movie with a refused row counts as one without a TMDB id."""
    links: dict[int, tuple[int | None, str | None]] = {}
    for line, (movielens, imdb, tmdb) in Table(file, "movieId imdbId tmdbId").rows(report.links, report):
        try:
            movielens_id = fields.whole_id(movielens, "MovieLens id", LARGEST_MOVIELENS_ID)
            tmdb_id = fields.whole_id(tmdb, "TMDB id", MOVIE_ID_WITHOUT_TMDB - 1) if tmdb.strip() else None
            links[movielens_id] = tmdb_id, fields.imdb_id(imdb)
        except Refused as refused:
            report.refuse(report.links, file.name, line, refused)
    report.links.settle()
    return links


def read_movies(
    rows: Iterable[Row], file_name: str, links: Links, known: Mapping[int, int], report: Report
) -> dict[int, MovieFields]:
    """Return the movies of these rows by MovieLens id; two of them with one TMDB id are the same movie."""
    movies: dict[int, MovieFields] = {}
    for line, (movielens, full_title, genres, released) in rows:
        try:
            movielens_id = fields.whole_id(movielens, "MovieLens id", LARGEST_MOVIELENS_ID)
            title, year = split_title(fields.one_line(full_title, "title", 500))
            tmdb_id, imdb_id = links.get(movielens_id, (None, None))
            movie = MovieFields(
                id=tmdb_id or known.get(movielens_id) or MOVIE_ID_WITHOUT_TMDB + movielens_id,
                title=title,
                release_date=parse_release_day(released) or (date(year, 1, 1) if year else None),
                genres=tmdb_genres(genres),
                movielens_id=movielens_id,
                imdb_id=imdb_id,
            )
            movies.setdefault(movielens_id, movie)
        except Refused as refused:
            report.refuse(report.movies, file_name, line, refused)
    return movies


def save_movies(movies: Mapping[int, MovieFields], known: Mapping[int, int], report: Report) -> bool:
    """Save these movies under their ids, see `load`; return whether any was new or changed. Does not commit."""
    ids_before = {movielens_id: known.get(movielens_id, movie.id) for movielens_id, movie in movies.items()}
    changed = {each: before for each, before in ids_before.items() if before != movies[each].id}
    moves = {old: movies[each].id for each, old in changed.items() if old == MOVIE_ID_WITHOUT_TMDB + each}
    rating_rows.lock_raters(movie_rows.users_of_movable() if moves else None)
    movie_rows.move_movies(moves)
    for old in sorted(set(changed.values()) - moves.keys()):
        movie_rows.clear_movielens_id(old)
    by_id: dict[int, MovieFields] = {}
    for movie in movies.values():
        by_id.setdefault(movie.id, movie)
    has_changed = movie_rows.save_movies((by_id[movie_id] for movie_id in sorted(by_id)), merge, report.movies)
    report.movies.merged = report.movies.read - report.movies.refused - len(by_id)
    report.movies.settle()
    return has_changed


def merge(stored: MovieFields, from_file: MovieFields) -> MovieFields:
    """Return the stored movie with the fields that MovieLens gives better."""
    movie = stored._replace(
        genres=stored.genres or from_file.genres,
        release_date=stored.release_date or from_file.release_date,
        movielens_id=stored.movielens_id or from_file.movielens_id,
        imdb_id=stored.imdb_id or from_file.imdb_id,
    )
    if has_better_source(stored):
        return movie
    return movie._replace(
        title=from_file.title,
        genres=from_file.genres or stored.genres,
        release_date=from_file.release_date or stored.release_date,
    )


def has_better_source(movie: MovieFields) -> bool:
    """Return whether the movie has details that MovieLens does not give."""
    is_exact = movie.release_date is not None and (movie.release_date.month, movie.release_date.day) != (1, 1)
    return bool(movie.overview or movie.poster_path) or is_exact


def split_title(text: str) -> tuple[str, int | None]:
    """Return title and year, ('The Matrix', 1999) for 'Matrix, The (1999)'; None for a missing year."""
    year = TRAILING_YEAR.search(text)
    title = (text[: year.start()] if year else text) or text
    if not title:
        raise Refused("the title is missing")
    return TRAILING_ARTICLE.sub(move_article_first, title), int(year[1]) if year else None


def move_article_first(match: re.Match[str]) -> str:
    """Return '(Il Postino' for '(Postino, Il'."""
    before, name, article = match.groups()
    return f"{before}{article}{'' if article.endswith(chr(39)) else ' '}{name}"


def tmdb_genres(text: str) -> str:
    """Return TMDB's names of the genres: 'Family|Science Fiction' for 'Children|Sci-Fi|IMAX'."""
    names = [TMDB_GENRES.get(name, name) for name in fields.one_line(text, "genres", 500).split("|")]
    return "|".join(dict.fromkeys(name for name in names if name))


def parse_release_day(text: str) -> date | None:
    """Return a date given as 30-Jan-1995; None for an empty field."""
    if not text:
        return None
    day, _, rest = text.partition("-")
    month, _, year = rest.partition("-")
    if month not in MONTHS:
        raise Refused("release date is not a date as 30-Jan-1995", text)
    return fields.day(f"{year}-{MONTHS.index(month) + 1:02}-{day:0>2}")
