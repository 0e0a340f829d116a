"""What a list shows of its movies, kept in memory for as long as the catalogue does not change."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from flask import current_app

from recsite.extensions import db
from recsite.storage.tables import Movie

MARK_BYTES = 12
MOST_CARDS = 20_000
"Kept by each process, about a kilobyte each."
COLUMNS = (Movie.id, Movie.title, Movie.overview, Movie.release_date, Movie.genres, Movie.poster_path, Movie.score)


@dataclass(frozen=True)
class Card:
    """What a card or an answer shows of a movie."""

    movie_id: int
    title: str
    overview: str
    release_date: date | None
    genres: tuple[str, ...]
    poster_path: str | None
    score: float | None
    "The movie's shrunken mean in stars, as it was when this catalogue generation was first read."
    json: bytes
    "id, title and overview as a JSON object, which most answers ask for."
    mark: bytes
    "Stands for that object in a hash."

    @property
    def id(self) -> int:
        """As a movie's row has it: pages show both in the same way."""
        return self.movie_id

    @property
    def genre_names(self) -> tuple[str, ...]:
        """As a movie's row has them."""
        return self.genres


class Cards(dict[int, Card]):
    """The visible movies that were asked for at one catalogue generation."""

    def __init__(self, generation: int) -> None:
        super().__init__()
        self.generation = generation


def find_cards(movie_ids: Sequence[int], generation: int) -> dict[int, Card]:
    """The cards of those of these movies that are visible, perhaps with others.

    `generation` is the catalogue's as the caller read it. What is kept for it was read afterwards, and any change
    since has made a new generation: nobody who reads the newest one finds what was there before.
    """
    kept: Cards | None = current_app.extensions.get("recsite_cards")
    if kept is None or kept.generation != generation or len(kept) + len(movie_ids) > MOST_CARDS:
        kept = current_app.extensions["recsite_cards"] = Cards(generation)
    missing = [movie_id for movie_id in movie_ids if movie_id not in kept]
    if missing:
        query = sa.select(*COLUMNS).where(Movie.id.in_(missing), ~Movie.is_hidden)
        kept.update((row.id, card_of(row)) for row in db.session.execute(query))
    return kept


def card_of(row: Any) -> Card:
    """The card of a row of COLUMNS."""
    as_json = json.dumps({"id": row.id, "title": row.title, "overview": row.overview}).encode()
    return Card(
        movie_id=row.id,
        title=row.title,
        overview=row.overview,
        release_date=row.release_date,
        genres=tuple(row.genres.split("|")) if row.genres else (),
        poster_path=row.poster_path,
        score=row.score,
        json=as_json,
        mark=hashlib.sha256(as_json).digest()[:MARK_BYTES],
    )
