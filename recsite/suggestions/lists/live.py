"""Lists that are made in memory: scored now, or the popular movies."""

from collections.abc import Sequence
from itertools import count

import numpy as np
import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.candidates import Candidates
from recsite.ml.vocabulary import BoolArray
from recsite.movies import EVERY_MOVIE, MovieFilter
from recsite.storage.arrays import read_table
from recsite.storage.tables import Movie
from recsite.suggestions.candidates import find_candidates
from recsite.suggestions.cards import COLUMNS, make_card
from recsite.suggestions.lists.items import Suggested, SuggestionList, make_items
from recsite.suggestions.lists.stored import seen_or_unwanted
from recsite.suggestions.ranking import UserRatings, make_scored_lists
from recsite.versions.active import LoadedVersion


def scored_lists(
    loaded: LoadedVersion, users: Sequence[UserRatings], generation: int, n: int, only: MovieFilter = EVERY_MOVIE
) -> list[SuggestionList]:
    """Score the `n` best movies for these ratings, from the catalogue at this generation; one list for each user."""
    candidates = find_candidates(loaded, generation)
    return [
        SuggestionList(
            "fold-in" if scored.is_folded_in else "model",
            loaded.version_name,
            make_items(list(zip(scored.movie_ids.tolist(), scored.values.tolist(), count(1))), generation, loaded),
        )
        for scored in make_scored_lists(loaded, candidates, users, n, find_allowed_columns(candidates, only))
    ]


def find_allowed_columns(candidates: Candidates, only: MovieFilter) -> BoolArray | None:
    """Return which candidates pass the filter, shape (n_candidates,); None for all."""
    if only.is_empty:
        return None
    passing = None
    if only.reads_movies:
        passing = read_table(sa.select(Movie.id).where(*only.conditions()))[:, 0].astype(np.int64)
    return candidates.allow(passing, np.array(only.exclude, dtype=np.int64))


def popular_list(
    limit: int, loaded: LoadedVersion | None, user_ids: Sequence[int] = (), only: MovieFilter = EVERY_MOVIE
) -> SuggestionList:
    """Return the movies with the best scores, without those that one of these users rated or does not want."""
    query = sa.select(*COLUMNS).where(~Movie.is_hidden, *only.conditions())
    query = query.where(*(Movie.id.not_in(seen_or_unwanted(user_id)) for user_id in user_ids))
    query = query.order_by(Movie.score.desc().nulls_last(), Movie.id).limit(limit)
    items = [Suggested(make_card(row), None, rank) for rank, row in enumerate(db.session.execute(query), start=1)]
    return SuggestionList("popular", loaded.version_name if loaded else None, items)
