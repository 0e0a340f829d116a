"""Import of MovieLens data sets, and of others with their form, with movies under their TMDB ids."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from recsite.errors import BrokenDataset
from recsite.ml.progress import Progress, ignore
from recsite.ratings.importers import fields, movie_rows, rating_rows, times
from recsite.ratings.importers.files import File
from recsite.ratings.importers.headings import find_columns
from recsite.ratings.importers.id_checks import check_ids
from recsite.ratings.importers.movie_rows import MovieFields
from recsite.ratings.importers.movielens_formats import rating_table, read_movie_rows
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.rating_frame import read_ratings
from recsite.ratings.importers.report import Outcome, Refused, Report
from recsite.ratings.importers.saving import save
from recsite.ratings.importers.scales import TEN
from recsite.ratings.importers.tables import Row, TextTable, select
from recsite.ratings.importers.times import is_null
from recsite.storage.deadlocks import retry_deadlocks
from recsite.storage.tables import LARGEST_MOVIELENS_ID, MOVIE_ID_WITHOUT_TMDB

MOVIE_ID_FROM_IMDB = MOVIE_ID_WITHOUT_TMDB + LARGEST_MOVIELENS_ID + 1

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
TRAILING_YEAR = re.compile(r" ?\(((?:18|19|20)\d\d)(?:[-–]\d{0,4})?\)$", re.ASCII)
"As in 'Heat (1995)' and, for a series, 'Death Note (2006–2007)'."
TRAILING_ARTICLE = re.compile(
    r"((?:^|\()(?:a\.k\.a\. )?)([^()]+), "
    r"(The|An?|L'|L[aeo]s?|Une?|Una|Il|I|Gli|El|D[aei]|De[nrt]|Das|Eine?|En)(?=\)|$| \()"
)
"As in 'Postman, The (Postino, Il)'."

Links = Mapping[int, tuple[int | None, str | None]]
"TMDB id and IMDb id by MovieLens id."


@dataclass(frozen=True)
class MovieLensFiles:
    """The files of a data set with MovieLens' ids, or IMDb's in their place."""

    movies: File
    ratings: File
    links: File | None = None
    has_imdb_ids: bool = False
    "Whether 'MovieLens ids' are the digits of IMDb's, as in MovieTweetings."

    @property
    def first_free_id(self) -> int:
        """Return what is added to the data set's id of a movie without a TMDB id."""
        return MOVIE_ID_FROM_IMDB if self.has_imdb_ids else MOVIE_ID_WITHOUT_TMDB


@retry_deadlocks
def load(data: MovieLensFiles, options: Options, on_progress: Progress = ignore) -> Outcome:
    """Import movies, users and ratings; all or nothing.

    A movie gets the TMDB id of links.csv. Without one it is the movie that has this MovieLens id (or IMDb id) already,
    or a new one with the id MOVIE_ID_WITHOUT_TMDB + MovieLens id. When a later links.csv gives such a movie a TMDB id,
    it moves there with all that refers to it. When links.csv changes a TMDB id, only the MovieLens id changes its
    movie: users rated the movie that they saw. Several MovieLens ids of one movie are kept as its aliases.

    Most formats give only the year of release, stored as January 1. Values from a better source (`tmdb.load`) stay.

    Raises:
        BrokenDataset: files cannot be read, or too many rows are refused.
    """
    report = Report()
    links = read_links(TextTable(data.links, options.encoding), report) if data.links else {}
    known = imdb_numbers() if data.has_imdb_ids else movie_rows.ids_by_movielens_id()
    rows = read_movie_rows(data.movies, report, options.encoding)
    movies = read_movies(rows, data, links, known, report)
    if not movies:
        raise BrokenDataset(f"{data.movies} has no movie that can be read.")
    check_numbers(movies, known, data.movies.name)
    ids = {**known, **{number: movie.id for number, movie in movies.items()}}
    table = rating_table(data.ratings, options.encoding)
    scale = options.scale or (TEN if data.has_imdb_ids else None)
    frame = read_ratings(table, find_columns(table.header), scale, report, on_progress)
    report.forms.append(f"{table.name}: {table.form}, ratings {frame.scale}")

    def save_movies_first() -> bool:
        return save_movies(movies, known, report, are_aliases=not data.has_imdb_ids)

    return save(frame, rating_rows.find_by_number(ids), options, report, on_progress, save_movies_first)


def check_numbers(movies: Mapping[int, MovieFields], known: Mapping[int, int], file_name: str) -> None:
    """Raise BrokenDataset if many of the numbers are those of other movies here: MovieLens 100k has its own."""
    numbered = {(known.get(number, movie.id), number): movie for number, movie in movies.items()}
    linked = {(movie.id, number): movie for number, movie in movies.items()}
    check_ids(
        ((movie_id, movie) for (movie_id, _), movie in (numbered | linked).items()),
        f"The movie ids in {file_name} are not those of the data sets that this site has",
        "Give the movies their TMDB ids by a links.csv (movieId, imdbId, tmdbId) that fits, or use an empty site. ",
    )


def imdb_numbers() -> dict[int, int]:
    """Return the movie ids by the digits of their IMDb id."""
    return {int(imdb_id[2:]): movie_id for imdb_id, movie_id in movie_rows.ids_by_imdb_id().items()}


def read_links(table: TextTable, report: Report) -> Links:
    """Read links.csv; a movie with a refused row counts as one without a TMDB id."""
    links: dict[int, tuple[int | None, str | None]] = {}
    for line, (movielens, tmdb, imdb) in select(table, "movieId tmdbId", "imdbId", report.links, report):
        try:
            movielens_id = fields.whole_id(movielens, "MovieLens id", LARGEST_MOVIELENS_ID)
        except Refused as refused:
            report.refuse(report.links, table.name, line, refused)
            continue
        tmdb_id = report.optional(tmdb_id_of, tmdb, None, table.name, line)
        imdb_id = report.optional(fields.imdb_id, imdb, None, table.name, line)
        links[movielens_id] = tmdb_id, imdb_id
    report.links.settle()
    return links


def tmdb_id_of(text: str) -> int | None:
    """Return a TMDB id; None for an empty field."""
    return None if is_null(text) else fields.whole_id(text, "TMDB id", MOVIE_ID_WITHOUT_TMDB - 1)


def read_movies(
    rows: Iterable[Row], data: MovieLensFiles, links: Links, known: Mapping[int, int], report: Report
) -> dict[int, MovieFields]:
    """Return the movies of these rows by MovieLens id; two of them with one TMDB id are the same movie."""
    movies: dict[int, MovieFields] = {}
    for line, (number_text, full_title, genres, released) in rows:
        try:
            number = fields.whole_id(number_text, "MovieLens id", LARGEST_MOVIELENS_ID)
            title, year = split_title(fields.one_line(full_title, "title", 500))
        except Refused as refused:
            report.refuse(report.movies, data.movies.name, line, refused)
            continue
        tmdb_id, imdb_id = links.get(number, (None, None))
        day = report.optional(times.day, released, None, data.movies.name, line)
        movie = MovieFields(
            id=tmdb_id or known.get(number) or data.first_free_id + number,
            title=title,
            release_date=day or (date(year, 1, 1) if year else None),
            genres=report.optional(tmdb_genres, genres, "", data.movies.name, line),
            movielens_id=None if data.has_imdb_ids else number,
            imdb_id=f"tt{number:07}" if data.has_imdb_ids else imdb_id,
        )
        movies.setdefault(number, movie)
    return movies


def save_movies(
    movies: Mapping[int, MovieFields], known: Mapping[int, int], report: Report, *, are_aliases: bool = True
) -> bool:
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
    if are_aliases:
        movie_rows.save_aliases({number: movie.id for number, movie in movies.items()})
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
