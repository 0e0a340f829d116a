"""One list for several people: seen by none of them, liked by all."""

from collections.abc import Sequence
from itertools import count

import numpy as np

from recsite.ml.groups import average_without_misery
from recsite.ml.vocabulary import FloatArray, IntArray
from recsite.movies import MovieFilter
from recsite.suggestions.candidates import find_candidates
from recsite.suggestions.freshness import find_states
from recsite.suggestions.lists.items import SuggestionList, make_items
from recsite.suggestions.lists.live import find_allowed_columns, popular_list
from recsite.suggestions.ranking import ScoredList, UserRatings, make_scored_lists, read_user_ratings
from recsite.versions.active import LoadedVersion


def list_together(user_ids: Sequence[int], n: int, only: MovieFilter) -> SuggestionList:
    """Return the `n` best movies for these people together, without movies that one of them rated or does not want.

    The order is that of `average_without_misery`: a person's pleasure is the share of the movies that are ranked
    behind in the person's own list, and misery a predicted rating below the person's mean of all these movies. `value`
    is the predicted rating of the least pleased. People without ratings have no say. The movies are popular ones
    without anybody's ratings, or without a version.

    Raises:
        UserNotFound: no user has one of these ids.
    """
    state = next(iter(find_states(user_ids).values()))
    people = read_user_ratings(user_ids)
    if state.loaded is None or not any(len(person.values) for person in people):
        return popular_list(n, state.loaded, user_ids, only)
    return scored_together(state.loaded, people, state.catalog_generation, n, only)


def scored_together(
    loaded: LoadedVersion, people: Sequence[UserRatings], generation: int, n: int, only: MovieFilter
) -> SuggestionList:
    """Score all movies for each of these people, and return the `n` best for them together."""
    candidates = find_candidates(loaded, generation)
    raters = [person for person in people if len(person.values)]
    allowed = find_allowed_columns(candidates, only)
    scored = make_scored_lists(loaded, candidates, raters, len(candidates.movies), allowed)
    unwanted = np.concatenate([person.unwanted for person in people])
    movie_ids = scored[0].movie_ids
    for each in scored[1:]:
        movie_ids = movie_ids[np.isin(movie_ids, each.movie_ids)]
    movie_ids = movie_ids[np.isin(movie_ids, unwanted, invert=True)]
    opinions = [opinion_of(each, movie_ids) for each in scored]
    pleasures, stars = (np.array(each) for each in zip(*opinions, strict=True))
    means = np.array([each.values.mean() if len(each.values) else 0.0 for each in scored])
    order = average_without_misery(pleasures, stars, means)[:n]
    rows = list(zip(movie_ids[order].tolist(), stars.min(axis=0)[order].tolist(), count(1)))
    source = "fold-in" if any(each.is_folded_in for each in scored) else "model"
    return SuggestionList(source, loaded.version_name, make_items(rows, generation, loaded))


def opinion_of(scored: ScoredList, movie_ids: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return a person's pleasure (0 to 1) and predicted ratings of these movies, which are in the person's list."""
    by_id = np.argsort(scored.movie_ids)
    places = by_id[np.searchsorted(scored.movie_ids, movie_ids, sorter=by_id)]
    return 1 - places / max(1, len(scored.movie_ids)), scored.values[places]
