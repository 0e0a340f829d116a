"""MovieLens data sets: movies under their TMDB ids, and who gave them how many stars."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from recsite.errors import BrokenDataset
from recsite.ml.progress import Progress, ignore
from recsite.movies import bump_catalog
from recsite.ratings.importers import fields, movie_rows, rating_rows
from recsite.ratings.importers.movie_rows import MovieFields
from recsite.ratings.importers.movielens_forms import FILES, LINKS, form_of
from recsite.ratings.importers.report import Refused, Report
from recsite.ratings.importers.source import Row, Table, TextFile, opened
from recsite.storage.tables import LARGEST_ID, MOVIE_ID_WITHOUT_TMDB

LARGEST_MOVIELENS_ID = LARGEST_ID - MOVIE_ID_WITHOUT_TMDB

TMDB_GENRES = {
    "Children": "Family",
    "Children's": "Family",
    "Musical": "Music",
    "Sci-Fi": "Science Fiction",
    # These say nothing of what a movie is about.
    "IMAX": "",
    "unknown": "",
    "(no genres listed)": "",
}
"TMDB's name for a genre of MovieLens, where it has another one for the same."
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
YEAR_BEHIND = re.compile(r" ?\(((?:18|19|20)\d\d)(?:[-–]\d{0,4})?\)$", re.ASCII)
"As in 'Heat (1995)' and, of a series, 'Death Note (2006–2007)'."
ARTICLE_BEHIND = re.compile(
    r"((?:^|\()(?:a\.k\.a\. )?)([^()]+), "
    r"(The|An?|L'|L[aeo]s?|Une?|Una|Il|I|Gli|El|D[aei]|De[nrt]|Das|Eine?|En)(?=\)|$| \()"
)
"As in 'Postman, The (Postino, Il)'."

Links = Mapping[int, tuple[int | None, str | None]]
"TMDB id and IMDb id by MovieLens id."


def load(path: Path, user_offset: int = 0, on_progress: Progress = ignore) -> Report:
    """The database has the movies, users and ratings of the data set in this folder or zip.

    A movie has the TMDB id that links.csv names. Without one it is the movie that has this MovieLens id already, or
    else a new one with the id MOVIE_ID_WITHOUT_TMDB + MovieLens id. If links.csv names a TMDB id for such a movie
    later, the movie moves there with its ratings and suggestions. If it names another TMDB id than before, nothing
    moves, for people rated the movie as what it was shown as; only the MovieLens id goes over.

    MovieLens mostly knows but the year: the date is January 1 until a better source, such as tmdb.load, gives the day.
    What a better source gave stays. The user ids of the file go up by `user_offset`. `on_progress` counts bytes. All
    of it happens or, if this raises, nothing. Raises BrokenDataset.
    """
    report = Report()
    with opened(path, FILES) as files:
        form = form_of(path, files)
        links = read_links(TextFile(files[LINKS]), report) if LINKS in files else {}
        known = movie_rows.ids_by_movielens_id()
        movies = read_movies(form.read_movies(files[form.movies], report), form.movies, links, known, report)
        if not movies:
            raise BrokenDataset(f"{files[form.movies]} has no movie that can be read.")
        ratings = TextFile(files[form.ratings])
        with rating_rows.import_transaction():
            rating_rows.stage(
                form.read_ratings(ratings, report),
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
    """What links.csv says; a movie whose row is refused counts as one without a TMDB id."""
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
    rows: Iterable[Row], file: str, links: Links, known: Mapping[int, int], report: Report
) -> dict[int, MovieFields]:
    """The movies of these rows by MovieLens id; two of them may have one TMDB id, and then are one movie."""
    movies: dict[int, MovieFields] = {}
    for line, (movielens, titled, genres, released) in rows:
        try:
            movielens_id = fields.whole_id(movielens, "MovieLens id", LARGEST_MOVIELENS_ID)
            title, year = title_and_year(fields.one_line(titled, "title", 500))
            tmdb_id, imdb_id = links.get(movielens_id, (None, None))
            movie = MovieFields(
                id=tmdb_id or known.get(movielens_id) or MOVIE_ID_WITHOUT_TMDB + movielens_id,
                title=title,
                release_date=day_of_release(released) or (date(year, 1, 1) if year else None),
                genres=tmdb_genres(genres),
                movielens_id=movielens_id,
                imdb_id=imdb_id,
            )
            movies.setdefault(movielens_id, movie)
        except Refused as refused:
            report.refuse(report.movies, file, line, refused)
    return movies


def save_movies(movies: Mapping[int, MovieFields], known: Mapping[int, int], report: Report) -> bool:
    """The table has these movies, under these ids; see load. Returns whether any is new or changed. Does not commit."""
    for movielens_id, movie in movies.items():
        id_before = known.get(movielens_id, movie.id)
        if id_before == MOVIE_ID_WITHOUT_TMDB + movielens_id != movie.id:
            movie_rows.move_movie(id_before, movie.id)
        elif id_before != movie.id:
            movie_rows.clear_movielens_id(id_before)
    by_id: dict[int, MovieFields] = {}
    for movie in movies.values():
        by_id.setdefault(movie.id, movie)
    has_changed = movie_rows.save_movies(by_id.values(), merged, report.movies)
    report.movies.merged = report.movies.read - report.movies.refused - len(by_id)
    report.movies.settle()
    return has_changed


def merged(there: MovieFields, given: MovieFields) -> MovieFields:
    """The movie with what MovieLens knows better than the table."""
    movie = there._replace(
        genres=there.genres or given.genres,
        release_date=there.release_date or given.release_date,
        movielens_id=there.movielens_id or given.movielens_id,
        imdb_id=there.imdb_id or given.imdb_id,
    )
    if has_better_source(there):
        return movie
    return movie._replace(
        title=given.title,
        genres=given.genres or there.genres,
        release_date=given.release_date or there.release_date,
    )


def has_better_source(movie: MovieFields) -> bool:
    """Somebody who knows more than MovieLens has described this movie."""
    is_exact = movie.release_date is not None and (movie.release_date.month, movie.release_date.day) != (1, 1)
    return bool(movie.overview or movie.poster_path) or is_exact


def title_and_year(text: str) -> tuple[str, int | None]:
    """'Matrix, The (1999)' is ('The Matrix', 1999); the year is None where none stands behind the title."""
    year = YEAR_BEHIND.search(text)
    title = (text[: year.start()] if year else text) or text
    if not title:
        raise Refused("the title is missing")
    return ARTICLE_BEHIND.sub(article_first, title), int(year[1]) if year else None


def article_first(match: re.Match[str]) -> str:
    """'(Postino, Il' is '(Il Postino'."""
    before, name, article = match.groups()
    return f"{before}{article}{'' if article.endswith(chr(39)) else ' '}{name}"


def tmdb_genres(text: str) -> str:
    """'Children|Sci-Fi|IMAX' is 'Family|Science Fiction'."""
    names = [TMDB_GENRES.get(name, name) for name in fields.one_line(text, "genres", 500).split("|")]
    return "|".join(dict.fromkeys(name for name in names if name))


def day_of_release(text: str) -> date | None:
    """'30-Jan-1995' is that day; None for nothing."""
    if not text:
        return None
    day, _, rest = text.partition("-")
    month, _, year = rest.partition("-")
    if month not in MONTHS:
        raise Refused("release date is not a date as 30-Jan-1995", text)
    return fields.day(f"{year}-{MONTHS.index(month) + 1:02}-{day:0>2}")
