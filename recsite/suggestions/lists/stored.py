"""Lists in the table: read in rank order while they belong to the active version and to the current ratings."""

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.extensions import db
from recsite.storage.queries import CommittedRead
from recsite.storage.tables import Dismissal, Movie, Rating, Suggestion
from recsite.suggestions.freshness import Freshness
from recsite.suggestions.lists.items import SuggestionList, make_items


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
