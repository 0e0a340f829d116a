"""The movies of the database by each kind of id, to find those that a file of ratings means."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.movies import ids as movie_ids
from recsite.ratings.importers import fields, movie_rows, titles
from recsite.ratings.importers.headings import ID_KINDS
from recsite.ratings.importers.movielens import split_title
from recsite.ratings.importers.rating_rows import UNKNOWN_MOVIE
from recsite.ratings.importers.report import Refused
from recsite.ratings.importers.times import is_null
from recsite.ratings.importers.titles import Film
from recsite.storage.tables import Movie

MIN_AGREEING_SHARE = 0.5
"If fewer of the movies that were found by id have the title or the year of the file, the ids are other ones."


class KnownMovies:
    """The movies of the database by id.

    Args:
        ids: whose ids a column has that does not say it, one of options.IDS; None for TMDB's, which are this site's.
    """

    def __init__(self, ids: str | None = None) -> None:
        self.ids, self.are_named = ids or "tmdb", ids is not None
        rows = db.session.execute(sa.select(Movie.id, Movie.title, Movie.release_date)).all()
        self.films = {row.id: titles.of_movie(row) for row in rows}
        self.by_movielens_id = movie_rows.ids_by_movielens_id()
        self.by_imdb_id = movie_rows.ids_by_imdb_id()
        own = sa.select(Movie.site_id, Movie.id).where(Movie.site_id.is_not(None))
        self.by_site_id = {row.site_id: row.id for row in db.session.execute(own)}

    def find(self, texts: Mapping[str, str]) -> int:
        """Return the id of the movie that the first given id names.

        Raises:
            Refused: there is none, or the row's own title and year name another one.
        """
        for kind in (*ID_KINDS, "movie"):
            if not is_null(texts.get(kind, "")):
                found = self.find_by_id(kind, texts[kind])
                break
        else:
            raise Refused("the row has no id of a movie; a title alone counts in one person's file only (--user)")
        film = film_of(texts)
        if film and not titles.agree(film, self.films[found]):
            raise Refused("the id is that of a movie with another title and year", f"{film.title} ({film.year})")
        return found

    def find_by_id(self, kind: str, text: str) -> int:
        """Return the id of the movie with this id; raise Refused if it is none or unknown."""
        prefix, _, rest = text.strip().partition(":")
        if rest and prefix in movie_ids.PATTERNS:
            kind, text = prefix, rest
        elif kind == "movie":
            kind = "imdb" if text.strip().startswith("tt") else self.ids
        if kind == "site":
            found: int | None = self.by_site_id.get(text.strip())
        elif kind == "imdb":
            found = self.by_imdb_id.get(fields.imdb_id(text) or "")
        else:
            number = fields.whole_id(text, "movie id")
            found = self.by_movielens_id.get(number) if kind == "movielens" else number
        if found is None or found not in self.films:
            raise Refused(UNKNOWN_MOVIE, text)
        return found

    def check_titles(self, movies: Sequence[Mapping[str, str]], file_name: str) -> None:
        """Raise BrokenDataset if most of the movies that are found by id have other titles and years in the file."""
        found = other = 0
        example = ""
        for texts in movies:
            film = film_of(texts)
            try:
                movie_id = self.find({kind: text for kind, text in texts.items() if kind in (*ID_KINDS, "movie")})
            except Refused:
                continue
            if film:
                found += 1
                if not self.fits(film, self.films[movie_id], texts):
                    other += 1
                    example = example or f"one is {film.title!r} there and {self.films[movie_id].title!r} here"
        if found - other < MIN_AGREEING_SHARE * found:
            raise BrokenDataset(
                f"The movie ids in {file_name} name other movies than on this site ({example}). Say whose ids they "
                "are with --ids tmdb, movielens or imdb. Nothing was saved."
            )

    def fits(self, film: Film, stored: Film, texts: Mapping[str, str]) -> bool:
        """Return whether a row speaks for its ids; without a year, another title speaks against ids nobody names."""
        is_guess = "movie" in texts and not self.are_named
        if is_guess and None in (film.year, stored.year):
            return titles.normalize_title(film.title) == titles.normalize_title(stored.title)
        return titles.agree(film, stored)


def film_of(texts: Mapping[str, str]) -> Film | None:
    """Return title and year in a row, None without a title."""
    if is_null(texts.get("title", "")):
        return None
    title, year = split_title(fields.one_line(texts["title"], "title", 500))
    given = texts.get("year", "").strip().removesuffix(".0")
    return Film(title, int(given) if given.isascii() and given.isdigit() and len(given) == 4 else year)
