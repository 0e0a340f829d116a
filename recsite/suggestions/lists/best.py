"""The list of one person: from the stored rows, else scored in memory, else the popular movies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from flask import current_app

from recsite import movies
from recsite.ml.diversity import POOL, diversify
from recsite.movies import MovieFilter
from recsite.suggestions.candidates import catalog_generation, stands_low
from recsite.suggestions.freshness import Freshness, find_freshness
from recsite.suggestions.lists.items import DEFAULT_OPTIONS, ListOptions, Suggested, SuggestionList
from recsite.suggestions.lists.live import popular_list, scored_lists
from recsite.suggestions.lists.stored import has_lost_movies, stored_list
from recsite.suggestions.lists.together import list_together
from recsite.suggestions.ranking import UserRatings, read_user_ratings
from recsite.suggestions.reasons import low_reason, reasons_for, reasons_from
from recsite.versions.active import LoadedVersion, recommender


def best_for(
    user_id: int, options: ListOptions = DEFAULT_OPTIONS, freshness: Freshness | None = None
) -> SuggestionList:
    """Return the user's movies to see next, the best first, without rated, unwanted and hidden ones.

    1. Choose the source: stored rows, a list scored now, one for several people, or popular movies.
    2. Diversify, sort, and cut out the part between `offset` and `offset + limit`.
    3. Add the reasons.

    Nothing is written. `freshness` saves a query where the caller has read it already.

    Raises:
        UserNotFound: no user has this id.
    """
    freshness = freshness or find_freshness(user_id)
    if options.together_with:
        together = list(dict.fromkeys((user_id, *options.together_with)))
        found = list_together(together, needed(options), options.only)
    else:
        found = choose_source(freshness, options)
    items = cut(found.items, options, freshness.loaded)
    if options.with_reasons and found.source != "popular" and freshness.loaded is not None:
        items = with_reasons(items, reasons_for(freshness.loaded, user_id, [item.movie_id for item in items]))
    return found._replace(items=items)


def best_from(stars: Mapping[int, float], options: ListOptions = DEFAULT_OPTIONS) -> SuggestionList:
    """Return what somebody who is not stored should see next, given their ratings by movie id, in stars."""
    loaded = recommender.current()
    if loaded is None or not stars:
        unseen = replace(options.only, exclude=(*options.only.exclude, *stars))
        found = popular_list(needed(options), loaded, only=unseen)
        return found._replace(items=cut(found.items, options, loaded))
    visitor = UserRatings.of_visitor(stars)
    (found,) = scored_lists(loaded, [visitor], catalog_generation(), needed(options), options.only)
    items = cut(found.items, options, loaded)
    if options.with_reasons:
        items = with_reasons(items, reasons_from(loaded, visitor, [item.movie_id for item in items]))
    return found._replace(items=items)


def cut(items: Sequence[Suggested], options: ListOptions, loaded: LoadedVersion | None) -> Sequence[Suggested]:
    """Return the items between `offset` and `offset + limit`, after diversity and in the order of `sort`."""
    if options.diversity and loaded is not None:
        # Movies under the floor are the last ones, and stay there.
        first = [item.movie_id for item in items[:POOL] if not stands_low(item.value)]
        order = diversify(loaded.opened.ranker.similarities(np.array(first, dtype=np.int64)), options.diversity)
        items = [*(items[i] for i in order.tolist()), *items[len(first) :]]
    if options.sort:
        # sorted() is stable: of equal values, the better rank comes first.
        items = items[: max(options.end, current_app.config["SUGGESTIONS_PER_USER"])]
        items = sorted(items, key=lambda item: -((item.value if options.sort == "value" else item.movie.score) or 0.0))
    return items[options.offset : options.end]


def with_reasons(items: Sequence[Suggested], reasons: Mapping[int, str]) -> list[Suggested]:
    """Return the items with their reasons, which are given by movie id; the reason of a low place goes before."""
    return [
        item._replace(reason=low_reason() if stands_low(item.value) else reasons.get(item.movie_id)) for item in items
    ]


def needed(options: ListOptions) -> int:
    """Return the number of items to find before the list is diversified, sorted and cut."""
    n_kept: int = current_app.config["SUGGESTIONS_PER_USER"]
    return max(n_kept, options.end, POOL if options.diversity else 0)


def choose_source(freshness: Freshness, options: ListOptions) -> SuggestionList:
    """Return a list of at least `options.end` items that pass the filter, where there are as many.

    Stored rows are used while they belong to the active version and follow from the current ratings. The list is
    scored in memory where they do not, or where a filter, diversity, a far page or movies hidden since need more.
    """
    n_kept: int = current_app.config["SUGGESTIONS_PER_USER"]
    exceeds_stored = not options.only.is_empty or needed(options) > n_kept
    is_reordered = bool(options.sort or options.diversity)
    n_stored = n_kept if is_reordered or exceeds_stored else options.end
    found = stored_list(freshness, n_stored)
    if freshness.loaded and (found is None or exceeds_stored or has_lost_movies(found, freshness, n_stored)):
        users = [user for user in read_user_ratings([freshness.user_id]) if len(user.values)]
        if users:
            (scored,) = scored_lists(
                freshness.loaded, users, freshness.catalog_generation, needed(options), options.only
            )
            return scored
    if found is None:
        return popular_list(n_kept + needed(options), freshness.loaded, [freshness.user_id], options.only)
    return found if options.only.is_empty else keep_passing(found, options.only)


def keep_passing(found: SuggestionList, only: MovieFilter) -> SuggestionList:
    """Return the list without the movies that do not pass the filter."""
    passing = movies.select_passing([item.movie_id for item in found.items], only)
    return found._replace(items=[item for item in found.items if item.movie_id in passing])
