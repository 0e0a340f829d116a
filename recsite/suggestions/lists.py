"""Reading a user's list: from its stored rows, else scored in memory, else the popular movies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite import movies
from recsite.extensions import db
from recsite.ml.candidates import Candidates
from recsite.ml.vocabulary import BoolArray
from recsite.storage.arrays import read_table
from recsite.storage.queries import CommittedRead
from recsite.storage.tables import Dismissal, Movie, Rating, Suggestion
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.cards import COLUMNS, Card, find_cards, make_card
from recsite.suggestions.freshness import Freshness, find_freshness
from recsite.suggestions.ranking import UserRatings, make_scored_lists, read_user_ratings
from recsite.suggestions.reasons import reasons_for, reasons_from
from recsite.versions.active import LoadedVersion, recommender


def seen_or_unwanted(user_id: int | sa.BindParameter[int]) -> sa.CompoundSelect[int]:
    """Return a query for the ids of the movies that the user rated or dismissed as unwanted."""
    unwanted = sa.select(Dismissal.movie_id).where(Dismissal.user_id == user_id, Dismissal.is_unwanted)
    return sa.select(Rating.movie_id).where(Rating.user_id == user_id).union_all(unwanted)


USER = sa.bindparam("user_id", type_=sa.Integer)
VERSION = sa.bindparam("version_id", type_=sa.Integer)
ANY_VERSION = 0
"Stands for every version in STORED; no version has this id."
STORED = (
    sa.select(Suggestion.movie_id, Suggestion.value, Suggestion.rank)
    .where(Suggestion.user_id == USER, Suggestion.active, ~Suggestion.did_rate)
    .where(Suggestion.movie_id.not_in(seen_or_unwanted(USER)))
    # Rows without a version were written by hand or by another program. They belong to every version.
    .where((Suggestion.model_version_id == VERSION) | Suggestion.model_version_id.is_(None) | (VERSION == ANY_VERSION))
    # Rank alone is the order of the index. Rows with equal ranks keep the order they have there.
    .order_by(Suggestion.rank)
    .limit(sa.bindparam("n", type_=sa.Integer))
)
READ_STORED = CommittedRead(STORED)
READ_STORED_AND_VISIBLE = CommittedRead(STORED.join(Suggestion.movie).where(~Movie.is_hidden))


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
    """Which part of a list to return, and in which order."""

    limit: int = 50
    offset: int = 0
    genre: str | None = None
    "Only movies of this genre; upper and lower case are equal."
    exclude: tuple[int, ...] = ()
    "Ids of movies to leave out."
    sort: str | None = None
    "'value' or 'score' (the movie's) reorders the list; None keeps the order of the ranks."
    with_reasons: bool = True

    @property
    def end(self) -> int:
        """Return the number of items needed before `offset` is applied."""
        return self.offset + self.limit

    @property
    def has_filters(self) -> bool:
        """Return whether some movies are left out."""
        return bool(self.genre or self.exclude)

    def allow(self, item: Suggested) -> bool:
        """Return whether the filters keep this item."""
        if item.movie_id in self.exclude:
            return False
        return self.genre is None or self.genre.casefold() in (name.casefold() for name in item.movie.genre_names)


DEFAULT_OPTIONS = ListOptions()


def best_for(
    user_id: int, options: ListOptions = DEFAULT_OPTIONS, freshness: Freshness | None = None
) -> SuggestionList:
    """Return the user's movies to see next, the best first, without rated, unwanted and hidden ones.

    1. Choose the source: stored rows, a list scored now, or popular movies.
    2. Filter, sort, and cut out the part between `offset` and `offset + limit`.
    3. Add the reasons.

    Nothing is written. `freshness` saves a query where the caller has read it already.

    Raises:
        UserNotFound: no user has this id.
    """
    freshness = freshness or find_freshness(user_id)
    found = choose_source(freshness, options)
    items = [item for item in found.items if options.allow(item)] if options.has_filters else found.items
    if options.sort:
        # sorted() is stable: of equal values, the better rank comes first.
        items = sorted(items, key=lambda item: -((item.value if options.sort == "value" else item.movie.score) or 0.0))
    items = items[options.offset : options.end]
    if options.with_reasons and found.source != "popular" and freshness.loaded is not None:
        items = with_reasons(items, reasons_for(freshness.loaded, user_id, [item.movie_id for item in items]))
    return found._replace(items=items)


def best_from(stars: Mapping[int, float], limit: int) -> SuggestionList:
    """Return what a visitor without an account should see next, given their ratings by movie id, in stars."""
    loaded = recommender.current()
    if loaded is None or not stars:
        return popular_list(limit, exclude=stars)
    visitor = UserRatings.of_visitor(stars)
    found = scored_list(loaded, visitor, catalog_generation(), limit)
    reasons = reasons_from(loaded, visitor, [item.movie_id for item in found.items])
    return found._replace(items=with_reasons(found.items, reasons))


def with_reasons(items: Sequence[Suggested], reasons: Mapping[int, str]) -> list[Suggested]:
    """Return the items with their reasons, which are given by movie id."""
    return [item._replace(reason=reasons.get(item.movie_id)) for item in items]


def choose_source(freshness: Freshness, options: ListOptions) -> SuggestionList:
    """Return a list of at least `options.end` items that pass the filters, where there are as many.

    Stored rows are used while they belong to the active version and follow from the current ratings. The list is
    scored in memory where they do not, or where filters, a far page or movies hidden since could leave it short.
    """
    n_kept: int = current_app.config["SUGGESTIONS_PER_USER"]
    exceeds_stored = options.has_filters or options.end > n_kept
    n_stored = n_kept if options.sort or exceeds_stored else options.end
    found = stored_list(freshness, n_stored)
    if freshness.loaded and (found is None or exceeds_stored or has_lost_movies(found, freshness, n_stored)):
        found = live_list(freshness, freshness.loaded, max(n_kept, options.end), options) or found
    return found or popular_list(n_kept + options.end, freshness, options.genre, options.exclude)


def stored_list(freshness: Freshness, n: int) -> SuggestionList | None:
    """Return the first `n` active, unrated rows in rank order; None if there are none, or they are out of date."""
    is_behind = freshness.list_rating_generation not in (None, freshness.rating_generation)
    if is_behind and freshness.loaded is not None:
        return None
    parameters = {"user_id": freshness.user_id, "version_id": freshness.version_id or ANY_VERSION, "n": n}
    rows = READ_STORED.rows(**parameters)
    items = make_items(rows, freshness.catalog_generation)
    if len(items) < len(rows):
        # A movie was hidden since the list was stored, which is rare. Rows behind it move up.
        items = make_items(READ_STORED_AND_VISIBLE.rows(**parameters), freshness.catalog_generation)
    return SuggestionList(find_source(freshness), freshness.version_name, items) if items else None


def make_items(rows: Sequence[Sequence[Any]], generation: int) -> list[Suggested]:
    """Return rows of (movie id, value, rank) as items, without hidden movies."""
    cards = find_cards([movie_id for movie_id, _, _ in rows], generation)
    return [Suggested(cards[movie_id], value, rank) for movie_id, value, rank in rows if movie_id in cards]


def has_lost_movies(stored: SuggestionList, freshness: Freshness, n: int) -> bool:
    """Return whether a stored list that once was full has fewer than `n` items left.

    Movies are lost when they are hidden, deleted or dismissed. The highest rank tells whether the list was full: it
    counts hidden movies as well.
    """
    if len(stored.items) >= n:
        return False
    highest = sa.select(sa.func.max(Suggestion.rank)).where(Suggestion.user_id == freshness.user_id, Suggestion.active)
    n_kept: int = current_app.config["SUGGESTIONS_PER_USER"]
    return (db.session.scalar(highest) or 0) >= n_kept


def find_source(freshness: Freshness) -> str:
    """Return "model" if a stored list follows from the training alone, "fold-in" if there are ratings since."""
    if freshness.loaded is None:
        return "model"
    (trained,) = freshness.loaded.opened.trained_generations(np.array([freshness.user_id]))
    return "model" if trained == freshness.rating_generation else "fold-in"


def live_list(freshness: Freshness, loaded: LoadedVersion, n: int, options: ListOptions) -> SuggestionList | None:
    """Score the user's `n` best movies now; None for a user without ratings."""
    users = read_user_ratings([freshness.user_id])
    if not users or not len(users[0].values):
        return None
    return scored_list(loaded, users[0], freshness.catalog_generation, n, options)


def scored_list(
    loaded: LoadedVersion, user: UserRatings, generation: int, n: int, options: ListOptions = DEFAULT_OPTIONS
) -> SuggestionList:
    """Score the `n` best movies for these ratings, from the catalogue at this generation."""
    candidates = find_candidates(loaded, generation)
    scored = make_scored_lists(loaded, candidates, [user], n, find_allowed_columns(candidates, options))[0]
    rows = list(zip(scored.movie_ids.tolist(), scored.values.tolist(), count(1)))
    source = "fold-in" if scored.is_folded_in else "model"
    return SuggestionList(source, loaded.version_name, make_items(rows, generation))


def find_allowed_columns(candidates: Candidates, options: ListOptions) -> BoolArray | None:
    """Return which candidates pass the filters, shape (n_candidates,); None for all."""
    if not options.has_filters:
        return None
    only = None
    if options.genre:
        only = read_table(sa.select(Movie.id).where(movies.has_genre(options.genre)))[:, 0].astype(np.int64)
    return candidates.allow(only, np.array(options.exclude, dtype=np.int64))


def popular_list(
    limit: int, freshness: Freshness | None = None, genre: str | None = None, exclude: Collection[int] = ()
) -> SuggestionList:
    """Return the movies with the best scores, without those that this user rated or does not want."""
    query = sa.select(*COLUMNS).where(~Movie.is_hidden).order_by(Movie.score.desc().nulls_last(), Movie.id).limit(limit)
    if freshness is not None:
        query = query.where(Movie.id.not_in(seen_or_unwanted(freshness.user_id)))
    if genre:
        query = query.where(movies.has_genre(genre))
    if exclude:
        query = query.where(Movie.id.not_in(exclude))
    loaded = freshness.loaded if freshness else recommender.current()
    items = [Suggested(make_card(row), None, rank) for rank, row in enumerate(db.session.execute(query), start=1)]
    return SuggestionList("popular", loaded.version_name if loaded else None, items)
