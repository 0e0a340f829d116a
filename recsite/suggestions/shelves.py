"""The home page's shelves: the best movies first, the others in rows that say why they stand there."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask import current_app

from recsite.suggestions.freshness import find_freshness
from recsite.suggestions.lists import Suggested, SuggestionList, best_for, best_from, popular_list

FIRST = 12
"Movies of the first shelf: fills rows of 2, 3, 4 and 6."
MOST = 10
"Movies of a row below."
LEAST = 4
"Fewer make no row."
ROWS_OF_A_KIND = 2


@dataclass(frozen=True)
class Shelf:
    """A row of movies under one title."""

    title: str
    items: Sequence[Suggested]


@dataclass(frozen=True)
class Home:
    """What somebody sees first; no movie stands here twice."""

    source: str
    "As of a SuggestionList."
    first: Sequence[Suggested]
    "The best ones."
    shelves: Sequence[Shelf]


def home_of(user_id: int) -> Home:
    """The home page of a user; raises UserNotFound."""
    fresh = find_freshness(user_id)
    found = best_for(user_id, limit=current_app.config["SUGGESTIONS_PER_USER"], fresh=fresh)
    home = arranged(found)
    return with_popular(home, popular_list(MOST, fresh, exclude=shown_on(home)))


def home_of_visitor(given: Mapping[int, float]) -> Home:
    """The home page of somebody without an account who rated these movies, in stars."""
    home = arranged(best_from(given, current_app.config["SUGGESTIONS_PER_USER"]))
    return with_popular(home, popular_list(MOST, exclude=[*given, *shown_on(home)]))


def arranged(found: SuggestionList) -> Home:
    """The first movies of a list, then its others by the reason that many share, then by genre."""
    is_personal = found.source != "popular"
    rest = list(found.items[FIRST:])
    shelves = []
    for reason in most_common(item.reason for item in rest if item.reason):
        shelves.append(take(rest, reason, [item for item in rest if item.reason == reason]))
    for genre in most_common(genre for item in rest for genre in item.movie.genres):
        title = f"New to you in {genre}" if is_personal else f"Well liked in {genre}"
        shelves.append(take(rest, title, [item for item in rest if genre in item.movie.genres]))
    return Home(found.source, found.items[:FIRST], [shelf for shelf in shelves if len(shelf.items) >= LEAST])


def most_common(words: Iterable[str]) -> list[str]:
    """The words that come up most and often enough for a row."""
    return [word for word, count in Counter(words).most_common(ROWS_OF_A_KIND) if count >= LEAST]


def take(rest: list[Suggested], title: str, items: list[Suggested]) -> Shelf:
    """A shelf of the best of these items, which leave `rest`."""
    shelf = Shelf(title, items[:MOST])
    rest[:] = [item for item in rest if item not in shelf.items]
    return shelf


def with_popular(home: Home, popular: SuggestionList) -> Home:
    """The home page with what everybody likes as its last row, where the rest is personal."""
    if home.source == "popular" or len(popular.items) < LEAST:
        return home
    return Home(home.source, home.first, [*home.shelves, Shelf("Popular now", popular.items)])


def shown_on(home: Home) -> list[int]:
    """The ids of all movies of the page."""
    return [item.movie_id for items in (home.first, *(shelf.items for shelf in home.shelves)) for item in items]
