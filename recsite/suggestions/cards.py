"""The fields of movies that lists show, kept in memory until the catalogue changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from flask import current_app

from recsite.extensions import db
from recsite.storage.tables import Movie

MAX_CARDS = 20_000
"Kept by each process; a card takes about a kilobyte."
COLUMNS = (Movie.id, Movie.title, Movie.overview, Movie.release_date, Movie.genres, Movie.poster_path, Movie.score)


@dataclass(frozen=True)
class Card:
    """The fields of a movie that pages and API responses show."""

    movie_id: int
    title: str
    overview: str
    release_date: date | None
    genres: tuple[str, ...]
    poster_path: str | None
    score: float | None
    "The movie's shrunken mean in stars, when the card was read."

    @property
    def id(self) -> int:
        """Return the movie's id under the name that a Movie has for it: templates show both."""
        return self.movie_id

    @property
    def genre_names(self) -> tuple[str, ...]:
        """Return the genres under the name that a Movie has for them."""
        return self.genres


class Cards(dict[int, Card]):
    """Cards by movie id, read at one generation of the catalogue."""

    def __init__(self, generation: int) -> None:
        super().__init__()
        self.generation = generation


def find_cards(movie_ids: Sequence[int], generation: int) -> dict[int, Card]:
    """Return the cards of those movies that are visible; there may be more cards than asked for.

    `generation` is the catalogue's generation as the caller read it, before this call. Every change of a movie starts
    a new generation, so cards read for an older one are never found by a caller that knows a newer one.
    """
    cards: Cards | None = current_app.extensions.get("recsite_cards")
    if cards is None or cards.generation != generation or len(cards) + len(movie_ids) > MAX_CARDS:
        cards = current_app.extensions["recsite_cards"] = Cards(generation)
    missing = [movie_id for movie_id in movie_ids if movie_id not in cards]
    if missing:
        query = sa.select(*COLUMNS).where(Movie.id.in_(missing), ~Movie.is_hidden)
        cards.update((row.id, make_card(row)) for row in db.session.execute(query))
    return cards


def make_card(row: Any) -> Card:
    """Return the card for a row of COLUMNS."""
    return Card(
        movie_id=row.id,
        title=row.title,
        overview=row.overview,
        release_date=row.release_date,
        genres=tuple(row.genres.split("|")) if row.genres else (),
        poster_path=row.poster_path,
        score=row.score,
    )
