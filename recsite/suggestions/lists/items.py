"""A list and its movies, and the options that a caller has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recsite.movies import EVERY_MOVIE, MovieFilter
from recsite.suggestions.cards import Card, find_cards


class Suggested(NamedTuple):
    """One movie of a list."""

    movie: Card
    value: float | None
    "The predicted rating in stars; None for popular movies."
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


def make_items(rows: Sequence[Sequence[Any]], generation: int) -> list[Suggested]:
    """Return rows of (movie id, value, rank) as items, without hidden movies."""
    cards = find_cards([movie_id for movie_id, _, _ in rows], generation)
    return [Suggested(cards[movie_id], value, rank) for movie_id, value, rank in rows if movie_id in cards]
