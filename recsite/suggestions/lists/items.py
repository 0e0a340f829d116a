"""A list and its movies, and the options that a caller has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from recsite.movies import EVERY_MOVIE, MovieFilter
from recsite.suggestions.cards import Card, find_cards
from recsite.versions.active import LoadedVersion


class Suggested(NamedTuple):
    """One movie of a list."""

    movie: Card
    value: float | None
    "The predicted rating in stars; None for popular movies, and where the version was trained without ratings of it."
    rank: int
    "1 = best."
    reason: str | None = None

    @property
    def movie_id(self) -> int:
        """Return the movie's id."""
        return self.movie.id


class SuggestionList(NamedTuple):
    """What a user, or a visitor, should see next."""

    source: str
    "model: as trained; fold-in: including ratings since the training; popular: not personal."
    version_name: str | None
    items: Sequence[Suggested]


@dataclass(frozen=True)
class ListOptions:
    """Which movies of a list to return, and in which order."""

    limit: int = 50
    offset: int = 0
    only: MovieFilter = EVERY_MOVIE
    "Movies that do not pass are left out; others move up."
    sort: str | None = None
    "'value' or 'score' (the movie's) reorders the list; None keeps the order of the ranks."
    diversity: float = 0.0
    "0 = as ranked; up to 1, the movies of the list differ more."
    together_with: tuple[int, ...] = ()
    "Ids of other users: the list is for all of them."
    with_reasons: bool = True

    @property
    def end(self) -> int:
        """Return the number of items needed before `offset` is applied."""
        return self.offset + self.limit


DEFAULT_OPTIONS = ListOptions()


def make_items(rows: Sequence[Sequence[Any]], generation: int, loaded: LoadedVersion | None) -> list[Suggested]:
    """Return rows of (movie id, value, rank) as items, without hidden movies.

    `loaded` is the version that the values are from: of a movie that it was not trained on, it knows none.
    """
    cards = find_cards([movie_id for movie_id, _, _ in rows], generation)
    unknown = find_unknown(loaded, [movie_id for movie_id, _, _ in rows])
    return [
        Suggested(cards[movie_id], None if movie_id in unknown else value, rank)
        for movie_id, value, rank in rows
        if movie_id in cards
    ]


def find_unknown(loaded: LoadedVersion | None, movie_ids: Sequence[int]) -> set[int]:
    """Return those of the movies that the version was not trained on; none without a version."""
    if loaded is None or not movie_ids:
        return set()
    ids = np.array(movie_ids, dtype=np.int64)
    return set(ids[~loaded.opened.model.movies.contains(ids)].tolist())
