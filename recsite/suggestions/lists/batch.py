"""The lists of many users at once, with few queries and one block of scoring."""

from collections.abc import Mapping, Sequence
from itertools import count

from recsite.errors import UserNotFound
from recsite.suggestions.candidates import find_candidates
from recsite.suggestions.freshness import Freshness, find_states
from recsite.suggestions.lists.best import popular_list
from recsite.suggestions.lists.items import SuggestionList, make_items
from recsite.suggestions.lists.stored import stored_lists
from recsite.suggestions.ranking import UserRatings, make_scored_lists, read_user_ratings


def lists_for(user_ids: Sequence[int], limit: int) -> list[SuggestionList]:
    """Return the first `limit` movies of each user's list, in the order of `user_ids`: `best_for` without reasons.

    1. Take the stored rows of the users whose list is up to date and complete.
    2. Score the others in one block.
    3. Give those without ratings the popular movies.

    Raises:
        UserNotFound: no user has one of these ids.
    """
    states = find_states(user_ids)
    found, incomplete = stored_lists(states, limit)
    others = [user_id for user_id in states if user_id not in found or user_id in incomplete]
    if others:
        users = read_user_ratings(others)
        found |= scored_lists([user for user in users if len(user.values)], states, limit)
        found |= popular_lists([user for user in users if user.user_id not in found], limit)
    try:
        return [found[user_id] for user_id in user_ids]
    except KeyError as error:  # The user was deleted meanwhile.
        raise UserNotFound(error.args[0]) from error


def scored_lists(users: Sequence[UserRatings], states: Mapping[int, Freshness], n: int) -> dict[int, SuggestionList]:
    """Score the `n` best movies of users who have ratings, by user id; none without a loaded version."""
    loaded = states[users[0].user_id].loaded if users else None
    if loaded is None:
        return {}
    generation = states[users[0].user_id].catalog_generation
    scored = make_scored_lists(loaded, find_candidates(loaded, generation), users, n)
    return {
        each.user_id: SuggestionList(
            "fold-in" if each.is_folded_in else "model",
            loaded.version_name,
            make_items(list(zip(each.movie_ids.tolist(), each.values.tolist(), count(1))), generation),
        )
        for each in scored
    }


def popular_lists(users: Sequence[UserRatings], n: int) -> dict[int, SuggestionList]:
    """Return the `n` most popular movies that each user has neither rated nor dismissed, by user id."""
    seen = {user.user_id: {*user.movie_ids.tolist(), *user.unwanted.tolist()} for user in users}
    popular = popular_list(n + max(map(len, seen.values()), default=0))
    return {
        user_id: popular._replace(items=[item for item in popular.items if item.movie_id not in ids][:n])
        for user_id, ids in seen.items()
    }
