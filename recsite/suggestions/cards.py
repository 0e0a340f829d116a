"""The fields of movies that lists show, kept in memory until the catalogue changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from flask import current_app

from recsite.extensions import db
from recsite.movies.ids import ExternalIds, external_ids
from recsite.storage.tables import Movie

MAX_CARDS = 20_000
"Kept by each process; a card takes about a kilobyte."
COLUMNS = (
    *(Movie.id, Movie.title, Movie.overview, Movie.release_date, Movie.genres, Movie.poster_path, Movie.score),
    *(Movie.imdb_id, Movie.movielens_id, Movie.site_id, Movie.link),
)


@dataclass(frozen=True)
class Card:
    """The fields of a movie that pages and API responses show, under the names that a Movie has for them."""

    id: int
    title: str
    overview: str
    release_date: date | None
    genre_names: tuple[str, ...]
    poster_path: str | None
    score: float | None
    "The movie's shrunken mean in stars, when the card was read."
    ids: ExternalIds
    link: str | None
    "The address of the movie's page on the site."


def find_cards(movie_ids: Sequence[int], generation: int) -> dict[int, Card]:
    """Return the cards of those movies that are visible; there may be more cards than asked for.

    `generation` is the catalogue's generation as the caller read it, before this call. Every change of a movie starts
    a new generation, so cards read for an older one are never found by a caller that knows a newer one.
    """
    cards: dict[int, Card]
    known, cards = current_app.extensions.get("recsite_cards", (None, {}))
    if known != generation or len(cards) + len(movie_ids) > MAX_CARDS:
        cards = {}
        current_app.extensions["recsite_cards"] = (generation, cards)
    missing = [movie_id for movie_id in movie_ids if movie_id not in cards]
    if missing:
        query = sa.select(*COLUMNS).where(Movie.id.in_(missing), ~Movie.is_hidden)
        cards.update((row.id, make_card(row)) for row in db.session.execute(query))
    return cards


def make_card(row: Any) -> Card:
    """Return the card for a row of COLUMNS."""
    return Card(
        id=row.id,
        title=row.title,
        overview=row.overview,
        release_date=row.release_date,
        genre_names=tuple(row.genres.split("|")) if row.genres else (),
        poster_path=row.poster_path,
        score=row.score,
        ids=external_ids(row.id, row.imdb_id, row.movielens_id, row.site_id),
        link=row.link,
    )
