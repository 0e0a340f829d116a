"""A check that the ids in a file are those of the database, by the titles and years on both sides."""

from collections.abc import Iterable

import sqlalchemy as sa

from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.ratings.importers import titles
from recsite.ratings.importers.movie_rows import MovieFields
from recsite.storage.tables import Movie

FEWEST_COMPARED = 10
"Movies that file and database share before their titles tell whether the ids fit."
MOST_OTHER = 0.2
"Share of them. Of ids that fit, 3 % have another title and year; films of one decade often share the year by chance."
IDS_A_QUERY = 10_000
"SQLite takes 32,766 parameters a statement."


def check_ids(named: Iterable[tuple[int, MovieFields]], whose: str, way_out: str) -> None:
    """Raise BrokenDataset if many movies that the database has have other titles and years in the file.

    Args:
        named: ids in the database, each with the file's movie that is meant to be the same.
        whose: begins the message, as 'The ids in movies.csv are not TMDB's'.
        way_out: ends it.
    """
    pairs = list(named)
    stored = stored_films({movie_id for movie_id, _ in pairs})
    shared = [(movie, stored[movie_id]) for movie_id, movie in pairs if movie_id in stored]
    other = [(movie, here) for movie, here in shared if not titles.agree(titles.of_movie(movie), here)]
    if len(shared) >= FEWEST_COMPARED and len(other) > MOST_OTHER * len(shared):
        movie, here = other[0]
        raise BrokenDataset(
            f"{whose}: one is {movie.title!r} there and {here.title!r} here. {way_out}Nothing was saved."
        )


def stored_films(ids: set[int]) -> dict[int, titles.Film]:
    """Return title and year of these movies, of those that the database has."""
    films, wanted = {}, sorted(ids)
    for start in range(0, len(wanted), IDS_A_QUERY):
        query = sa.select(Movie.id, Movie.title, Movie.release_date)
        rows = db.session.execute(query.where(Movie.id.in_(wanted[start : start + IDS_A_QUERY])))
        films.update({row.id: titles.of_movie(row) for row in rows})
    return films
