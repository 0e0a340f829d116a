"""The list of one person: from the stored rows, else scored in memory, else the popular movies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite import movies
from recsite.extensions import db
from recsite.ml.candidates import Candidates
from recsite.ml.vocabulary import BoolArray
from recsite.movies import EVERY_MOVIE, MovieFilter
from recsite.storage.arrays import read_table
from recsite.storage.tables import Movie
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.cards import COLUMNS, make_card
from recsite.suggestions.freshness import Freshness, find_freshness
from recsite.suggestions.lists.items import DEFAULT_OPTIONS, ListOptions, Suggested, SuggestionList, make_items
from recsite.suggestions.lists.stored import has_lost_movies, seen_or_unwanted, stored_list
from recsite.suggestions.ranking import UserRatings, make_scored_lists, read_user_ratings
from recsite.suggestions.reasons import reasons_for, reasons_from
from recsite.versions.active import LoadedVersion, recommender


def best_for(
    user_id: int, options: ListOptions = DEFAULT_OPTIONS, freshness: Freshness | None = None
) -> SuggestionList:
    """Return the user's movies to see next, the best first, without rated, unwanted and hidden ones.

    1. Choose the source: stored rows, a list scored now, or popular movies.
    2. Sort, and cut out the part between `offset` and `offset + limit`.
    3. Add the reasons.

    Nothing is written. `freshness` saves a query where the caller has read it already.

    Raises:
        UserNotFound: no user has this id.
    """
    freshness = freshness or find_freshness(user_id)
    found = choose_source(freshness, options)
    items = cut(found.items, options)
    if options.with_reasons and found.source != "popular" and freshness.loaded is not None:
        items = with_reasons(items, reasons_for(freshness.loaded, user_id, [item.movie_id for item in items]))
    return found._replace(items=items)


def best_from(stars: Mapping[int, float], options: ListOptions = DEFAULT_OPTIONS) -> SuggestionList:
    """Return what somebody who is not stored should see next, given their ratings by movie id, in stars."""
    loaded = recommender.current()
    only = replace(options.only, exclude=(*options.only.exclude, *stars))
    if loaded is None or not stars:
        found = popular_list(needed(options), only=only)
        return found._replace(items=cut(found.items, options))
    visitor = UserRatings.of_visitor(stars)
    found = scored_list(loaded, visitor, catalog_generation(), needed(options), options.only)
    items = cut(found.items, options)
    if options.with_reasons:
        items = with_reasons(items, reasons_from(loaded, visitor, [item.movie_id for item in items]))
    return found._replace(items=items)


def cut(items: Sequence[Suggested], options: ListOptions) -> Sequence[Suggested]:
    """Return the items between `offset` and `offset + limit`, in the order of `sort`."""
    if options.sort:
        # sorted() is stable: of equal values, the better rank comes first.
        items = sorted(items, key=lambda item: -((item.value if options.sort == "value" else item.movie.score) or 0.0))
    return items[options.offset : options.end]


def with_reasons(items: Sequence[Suggested], reasons: Mapping[int, str]) -> list[Suggested]:
    """Return the items with their reasons, which are given by movie id."""
    return [item._replace(reason=reasons.get(item.movie_id)) for item in items]


def needed(options: ListOptions) -> int:
    """Return the number of items to find before the list is sorted and cut."""
    n_kept: int = current_app.config["SUGGESTIONS_PER_USER"]
    return max(n_kept, options.end)


def choose_source(freshness: Freshness, options: ListOptions) -> SuggestionList:
    """Return a list of at least `options.end` items that pass the filter, where there are as many.

    Stored rows are used while they belong to the active version and follow from the current ratings. The list is
    scored in memory where they do not, or where a filter, a far page or movies hidden since could leave it short.
    """
    n_kept: int = current_app.config["SUGGESTIONS_PER_USER"]
    exceeds_stored = not options.only.is_empty or options.end > n_kept
    n_stored = n_kept if options.sort or exceeds_stored else options.end
    found = stored_list(freshness, n_stored)
    if freshness.loaded and (found is None or exceeds_stored or has_lost_movies(found, freshness, n_stored)):
        scored = live_list(freshness, freshness.loaded, needed(options), options.only)
        if scored is not None:
            return scored
    if found is None:
        return popular_list(n_kept + options.end, freshness, options.only)
    return found if options.only.is_empty else keep_passing(found, options.only)


def keep_passing(found: SuggestionList, only: MovieFilter) -> SuggestionList:
    """Return the list without the movies that do not pass the filter."""
    passing = movies.select_passing([item.movie_id for item in found.items], only)
    return found._replace(items=[item for item in found.items if item.movie_id in passing])


def live_list(freshness: Freshness, loaded: LoadedVersion, n: int, only: MovieFilter) -> SuggestionList | None:
    """Score the user's `n` best movies now; None for a user without ratings."""
    users = read_user_ratings([freshness.user_id])
    if not users or not len(users[0].values):
        return None
    return scored_list(loaded, users[0], freshness.catalog_generation, n, only)


def scored_list(loaded: LoadedVersion, user: UserRatings, generation: int, n: int, only: MovieFilter) -> SuggestionList:
    """Score the `n` best movies for these ratings, from the catalogue at this generation."""
    candidates = find_candidates(loaded, generation)
    scored = make_scored_lists(loaded, candidates, [user], n, find_allowed_columns(candidates, only))[0]
    rows = list(zip(scored.movie_ids.tolist(), scored.values.tolist(), count(1)))
    source = "fold-in" if scored.is_folded_in else "model"
    return SuggestionList(source, loaded.version_name, make_items(rows, generation))


def find_allowed_columns(candidates: Candidates, only: MovieFilter) -> BoolArray | None:
    """Return which candidates pass the filter, shape (n_candidates,); None for all."""
    if only.is_empty:
        return None
    passing = None
    if only.reads_movies:
        passing = read_table(sa.select(Movie.id).where(*only.conditions()))[:, 0].astype(np.int64)
    return candidates.allow(passing, np.array(only.exclude, dtype=np.int64))


def popular_list(limit: int, freshness: Freshness | None = None, only: MovieFilter = EVERY_MOVIE) -> SuggestionList:
    """Return the movies with the best scores, without those that this user rated or does not want."""
    query = sa.select(*COLUMNS).where(~Movie.is_hidden, *only.conditions())
    if freshness is not None:
        query = query.where(Movie.id.not_in(seen_or_unwanted(freshness.user_id)))
    query = query.order_by(Movie.score.desc().nulls_last(), Movie.id).limit(limit)
    loaded = freshness.loaded if freshness else recommender.current()
    items = [Suggested(make_card(row), None, rank) for rank, row in enumerate(db.session.execute(query), start=1)]
    return SuggestionList("popular", loaded.version_name if loaded else None, items)
