"""The lists of many users at once, with few queries and one block of scoring."""

from collections.abc import Sequence

from recsite.errors import UserNotFound
from recsite.suggestions.freshness import find_states
from recsite.suggestions.lists.items import SuggestionList
from recsite.suggestions.lists.live import popular_list, scored_lists
from recsite.suggestions.lists.stored import stored_lists
from recsite.suggestions.ranking import UserRatings, read_user_ratings
from recsite.versions.active import LoadedVersion, recommender


def lists_for(user_ids: Sequence[int | None], limit: int) -> list[SuggestionList]:
    """Return the first `limit` movies of each user's list, in the order of `user_ids`: `best_for` without reasons.

    None stands for somebody of whom nothing is stored.

    1. Take the stored rows of the users whose list is up to date and complete.
    2. Score the others in one block.
    3. Give those without ratings the popular movies.

    Raises:
        UserNotFound: no user has one of these ids.
    """
    states = find_states([user_id for user_id in user_ids if user_id is not None])
    stored, incomplete = stored_lists(states, limit)
    found: dict[int | None, SuggestionList] = dict(stored.items())
    if None in user_ids:
        found[None] = popular_list(limit, recommender.current())
    others = [user_id for user_id in states if user_id not in found or user_id in incomplete]
    if others:
        users = read_user_ratings(others)
        state = states[others[0]]
        raters = [user for user in users if len(user.values)]
        if state.loaded is not None and raters:
            scored = scored_lists(state.loaded, raters, state.catalog_generation, limit)
            found |= zip([user.user_id for user in raters], scored, strict=True)
        found |= popular_lists([user for user in users if user.user_id not in found], limit, state.loaded).items()
    try:
        return [found[user_id] for user_id in user_ids]
    except KeyError as error:  # The user was deleted meanwhile.
        raise UserNotFound(error.args[0]) from error


def popular_lists(users: Sequence[UserRatings], n: int, loaded: LoadedVersion | None) -> dict[int, SuggestionList]:
    """Return the `n` most popular movies that each user has neither rated nor dismissed, by user id."""
    seen = {user.user_id: {*user.movie_ids.tolist(), *user.unwanted.tolist()} for user in users}
    popular = popular_list(n + max(map(len, seen.values()), default=0), loaded)
    return {
        user_id: popular._replace(items=[item for item in popular.items if item.movie_id not in ids][:n])
        for user_id, ids in seen.items()
    }
