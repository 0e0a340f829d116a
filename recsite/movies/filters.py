"""Filters of movie lists: one set of conditions for the search and for suggestions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.tables import Movie


@dataclass(frozen=True)
class MovieFilter:
    """Which movies a list may show; every condition that is given has to hold. Without any, all movies pass."""

    years: tuple[int, int] | None = None
    "First and last year of the release date; movies without a date do not pass."
    genres: tuple[str, ...] = ()
    "At least one of these, each compared as a whole name in any case."
    without_genres: tuple[str, ...] = ()
    "None of these."
    fewest_ratings: int = 0
    "Smallest `rating_count`."
    exclude: tuple[int, ...] = ()
    "Ids of movies to leave out."

    @property
    def is_empty(self) -> bool:
        """Return whether every movie passes."""
        return self == EVERY_MOVIE

    @property
    def reads_movies(self) -> bool:
        """Return whether the filter looks at more than ids."""
        return bool(self.years or self.genres or self.without_genres or self.fewest_ratings)

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions on columns of Movie, for `where`."""
        found: list[sa.ColumnElement[bool]] = []
        if self.years:
            first, last = self.years
            found.append(Movie.release_date.between(date(first, 1, 1), date(last, 12, 31)))
        if self.genres:
            found.append(sa.or_(*map(has_genre, self.genres)))
        if self.without_genres:
            found.append(sa.not_(sa.or_(*map(has_genre, self.without_genres))))
        if self.fewest_ratings:
            found.append(Movie.rating_count >= self.fewest_ratings)
        if self.exclude:
            found.append(Movie.id.not_in(self.exclude))
        return found


EVERY_MOVIE = MovieFilter()


def has_genre(genre: str) -> sa.ColumnElement[bool]:
    """Return the condition that a movie has this genre, compared as a whole name in any case."""
    return ("|" + Movie.genres + "|").icontains(f"|{genre}|", autoescape=True)


def select_passing(movie_ids: Sequence[int], only: MovieFilter) -> set[int]:
    """Return those of a few movies that pass the filter."""
    query = sa.select(Movie.id).where(Movie.id.in_(movie_ids), *only.conditions())
    return set(db.session.scalars(query))
