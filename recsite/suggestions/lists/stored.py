"""Lists in the table: read in rank order while they belong to the active version and to the current ratings."""

from collections.abc import Mapping, Sequence
from itertools import islice, pairwise

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.extensions import db
from recsite.storage.arrays import read_table
from recsite.storage.queries import CommittedRead
from recsite.storage.tables import Dismissal, Movie, Rating, Suggestion
from recsite.suggestions.cards import find_cards
from recsite.suggestions.freshness import Freshness
from recsite.suggestions.lists.items import Suggested, SuggestionList, find_unknown, make_items


def seen_or_unwanted(user_id: int | sa.BindParameter[int]) -> sa.CompoundSelect[int]:
    """Return a query for the ids of the movies that the user rated or dismissed as unwanted."""
    unwanted = sa.select(Dismissal.movie_id).where(Dismissal.user_id == user_id, Dismissal.is_unwanted)
    return sa.select(Rating.movie_id).where(Rating.user_id == user_id).union_all(unwanted)


USER = sa.bindparam("user_id", type_=sa.Integer)
USER_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
VERSION = sa.bindparam("version_id", type_=sa.Integer)
ANY_VERSION = 0
"Stands for every version in STORED; no version has this id."
SPARE_RANKS = 10
"Rows beyond twice the length of a list that are read with many lists, for movies rated, dismissed or hidden since."
# Rows without a version were written by hand or by another program. They belong to every version.
IS_OF_VERSION = (
    (Suggestion.model_version_id == VERSION) | Suggestion.model_version_id.is_(None) | (VERSION == ANY_VERSION)
)
STORED = (
    sa.select(Suggestion.movie_id, Suggestion.value, Suggestion.rank)
    .where(Suggestion.user_id == USER, Suggestion.active, ~Suggestion.did_rate)
    .where(Suggestion.movie_id.not_in(seen_or_unwanted(USER)))
    .where(IS_OF_VERSION)
    # Rank alone is the order of the index. Rows with equal ranks keep the order they have there.
    .order_by(Suggestion.rank)
    .limit(sa.bindparam("n", type_=sa.Integer))
)
READ_STORED = CommittedRead(STORED)
READ_STORED_AND_VISIBLE = CommittedRead(STORED.join(Suggestion.movie).where(~Movie.is_hidden))


MANY_STORED = (
    sa.select(Suggestion.user_id, Suggestion.movie_id, Suggestion.value, Suggestion.rank)
    .where(Suggestion.user_id.in_(USER_IDS), Suggestion.active, ~Suggestion.did_rate)
    .where(~sa.exists().where(Rating.user_id == Suggestion.user_id, Rating.movie_id == Suggestion.movie_id))
    .where(
        ~sa.exists().where(
            Dismissal.user_id == Suggestion.user_id,
            Dismissal.movie_id == Suggestion.movie_id,
            Dismissal.is_unwanted,
        )
    )
    .where(IS_OF_VERSION, Suggestion.rank <= sa.bindparam("last_rank", type_=sa.Integer))
    .order_by(Suggestion.user_id, Suggestion.rank)
)
"The rows of STORED for many users, up to a rank: most of them are not needed."
HIGHEST_RANKS = (
    sa.select(Suggestion.user_id, sa.func.max(Suggestion.rank))
    .where(Suggestion.user_id.in_(USER_IDS), Suggestion.active)
    .group_by(Suggestion.user_id)
)


def stored_list(freshness: Freshness, n: int) -> SuggestionList | None:
    """Return the first `n` active, unrated rows in rank order; None if there are none, or they are out of date."""
    if is_behind(freshness):
        return None
    parameters = {"user_id": freshness.user_id, "version_id": freshness.version_id or ANY_VERSION, "n": n}
    rows = READ_STORED.rows(**parameters)
    items = make_items(rows, freshness.catalog_generation, freshness.loaded)
    if len(items) < len(rows):
        # A movie was hidden since the list was stored, which is rare. Rows behind it move up.
        items = make_items(READ_STORED_AND_VISIBLE.rows(**parameters), freshness.catalog_generation, freshness.loaded)
    return SuggestionList(find_source(freshness), freshness.version_name, items) if items else None


def stored_lists(states: Mapping[int, Freshness], n: int) -> tuple[dict[int, SuggestionList], set[int]]:
    """Return `stored_list` of many users by id, and the ids of those whose list has lost movies.

    Users whose list is not stored, or is out of date, are left out.

    1. Read the rows of all lists, some more than `n` of each.
    2. Read the lists of which these were not enough, one by one. They are few, because a list follows each rating.
    """
    current = {user_id: state for user_id, state in states.items() if not is_behind(state)}
    last_rank = 2 * n + SPARE_RANKS
    found = read_many(current, n, last_rank) if current else {}
    short = [user_id for user_id in current if user_id not in found or len(found[user_id].items) < n]
    highest = {int(user_id): rank for user_id, rank in read_table(HIGHEST_RANKS, ids=short).tolist()} if short else {}
    for user_id, rank in highest.items():
        whole = stored_list(current[user_id], n) if rank > last_rank else None
        if whole is not None:
            found[user_id] = whole
    n_kept: int = current_app.config["SUGGESTIONS_PER_USER"]
    incomplete = {user_id for user_id, rank in highest.items() if rank >= n_kept}
    return found, {user_id for user_id in incomplete & found.keys() if len(found[user_id].items) < n}


def read_many(states: Mapping[int, Freshness], n: int, last_rank: int) -> dict[int, SuggestionList]:
    """Return the first `n` visible movies of the rows up to a rank, by user id; users without any are left out."""
    any_state = next(iter(states.values()))
    version_id = any_state.version_id or ANY_VERSION
    table = read_table(MANY_STORED, ids=list(states), version_id=version_id, last_rank=last_rank)
    user_ids, movie_ids, ranks = table[:, [0, 1, 3]].astype(np.int64).T
    cards = find_cards(np.unique(movie_ids).tolist(), any_state.catalog_generation)
    unknown = find_unknown(any_state.loaded, np.unique(movie_ids).tolist())
    rows = [
        (movie_id, None if movie_id in unknown else value, rank)
        for movie_id, value, rank in zip(movie_ids.tolist(), table[:, 2].tolist(), ranks.tolist(), strict=True)
    ]
    sources = find_sources(list(states.values()))
    owners, starts = np.unique(user_ids, return_index=True)
    found = {}
    for user_id, (start, end) in zip(owners.tolist(), pairwise([*starts.tolist(), len(rows)]), strict=True):
        visible = (Suggested(cards[row[0]], row[1], row[2]) for row in rows[start:end] if row[0] in cards)
        if items := list(islice(visible, n)):
            found[user_id] = SuggestionList(sources[user_id], any_state.version_name, items)
    return found


def is_behind(freshness: Freshness) -> bool:
    """Return whether ratings have changed since the rows were written, and a version can score anew."""
    generations = (None, freshness.rating_generation)
    return freshness.loaded is not None and freshness.list_rating_generation not in generations


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
    return find_sources([freshness])[freshness.user_id]


def find_sources(states: Sequence[Freshness]) -> dict[int, str]:
    """Return `find_source` of many users by id."""
    loaded = states[0].loaded
    if loaded is None:
        return {state.user_id: "model" for state in states}
    trained = loaded.opened.trained_generations(np.array([state.user_id for state in states]))
    return {
        state.user_id: "model" if generation == state.rating_generation else "fold-in"
        for state, generation in zip(states, trained.tolist(), strict=True)
    }
