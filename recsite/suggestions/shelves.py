"""The home page's shelves: the best movies, then rows of the others, grouped by reason and by genre."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask import current_app

from recsite.movies import MovieFilter
from recsite.suggestions.candidates import stands_low
from recsite.suggestions.freshness import find_freshness
from recsite.suggestions.lists import ListOptions, Suggested, SuggestionList, best_for, best_from, popular_list
from recsite.versions.active import recommender

FIRST_SHELF_MOVIES = 12
"Divisible by 2, 3, 4 and 6, the numbers of columns."
MAX_SHELF_MOVIES = 10
MIN_SHELF_MOVIES = 4
SHELVES_PER_KIND = 2
"Number of shelves by reason, and by genre."


@dataclass(frozen=True)
class Shelf:
    """A row of movies with a title."""

    title: str
    items: Sequence[Suggested]


@dataclass(frozen=True)
class Home:
    """The movies of the home page; none is shown twice."""

    source: str
    "The source of the SuggestionList."
    first: Sequence[Suggested]
    "The best movies."
    shelves: Sequence[Shelf]


def home_of(user_id: int) -> Home:
    """Return the home page of a user.

    Raises:
        UserNotFound: no user has this id.
    """
    freshness = find_freshness(user_id)
    found = best_for(user_id, ListOptions(limit=current_app.config["SUGGESTIONS_PER_USER"]), freshness)
    home = arrange(found)
    return with_popular(
        home, popular_list(MAX_SHELF_MOVIES, freshness.loaded, [user_id], MovieFilter(exclude=ids_on(home)))
    )


def home_of_visitor(stars: Mapping[int, float]) -> Home:
    """Return the home page of a visitor without an account, given their ratings by movie id, in stars."""
    home = arrange(best_from(stars, ListOptions(limit=current_app.config["SUGGESTIONS_PER_USER"])))
    others = MovieFilter(exclude=(*stars, *ids_on(home)))
    return with_popular(home, popular_list(MAX_SHELF_MOVIES, recommender.current(), only=others))


def arrange(found: SuggestionList) -> Home:
    """Return the first movies of a list on one shelf, and the others on shelves by shared reason, then by genre.

    Shelves show no movie under the floor of predicted ratings.
    """
    is_personal = found.source != "popular"
    rest = [item for item in found.items[FIRST_SHELF_MOVIES:] if not stands_low(item.value)]
    shelves = []
    for reason in most_common(item.reason for item in rest if item.reason):
        shelves.append(take(rest, reason, [item for item in rest if item.reason == reason]))
    for genre in most_common(genre for item in rest for genre in item.movie.genre_names):
        title = f"New to you in {genre}" if is_personal else f"Well liked in {genre}"
        shelves.append(take(rest, title, [item for item in rest if genre in item.movie.genre_names]))
    shelves = [shelf for shelf in shelves if len(shelf.items) >= MIN_SHELF_MOVIES]
    return Home(found.source, found.items[:FIRST_SHELF_MOVIES], shelves)


def most_common(words: Iterable[str]) -> list[str]:
    """Return the most frequent words, as far as they are frequent enough to fill a shelf."""
    return [word for word, count in Counter(words).most_common(SHELVES_PER_KIND) if count >= MIN_SHELF_MOVIES]


def take(rest: list[Suggested], title: str, items: list[Suggested]) -> Shelf:
    """Return a shelf of the first of these items, and remove them from `rest`."""
    shelf = Shelf(title, items[:MAX_SHELF_MOVIES])
    rest[:] = [item for item in rest if item not in shelf.items]
    return shelf


def with_popular(home: Home, popular: SuggestionList) -> Home:
    """Return a personal home page with the popular movies as its last shelf; any other as it is."""
    if home.source == "popular" or len(popular.items) < MIN_SHELF_MOVIES:
        return home
    return Home(home.source, home.first, [*home.shelves, Shelf("Popular now", popular.items)])


def ids_on(home: Home) -> tuple[int, ...]:
    """Return the ids of all movies on the page."""
    return tuple(item.movie_id for items in (home.first, *(shelf.items for shelf in home.shelves)) for item in items)
