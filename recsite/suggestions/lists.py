"""Reading a user's list: the stored rows where they hold, else scored in memory, else what everybody likes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite import movies
from recsite.extensions import db
from recsite.ml.candidates import Candidates
from recsite.ml.vocabulary import BoolArray
from recsite.storage.queries import ReadyQuery
from recsite.storage.tables import Dismissal, Movie, Rating, Suggestion
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.cards import COLUMNS, Card, card_of, find_cards
from recsite.suggestions.freshness import Freshness, find_freshness
from recsite.suggestions.ranking import UserRatings, read_user_ratings, score_block
from recsite.suggestions.reasons import reasons_for, reasons_from
from recsite.versions.active import LoadedVersion, recommender


def not_for(user_id: int | sa.BindParameter[int]) -> sa.CompoundSelect[int]:
    """The ids of the movies that the user rated or does not want."""
    unwanted = sa.select(Dismissal.movie_id).where(Dismissal.user_id == user_id, Dismissal.is_unwanted)
    return sa.select(Rating.movie_id).where(Rating.user_id == user_id).union_all(unwanted)


class Suggested(NamedTuple):
    """One movie of a list. A tuple, for a page has a hundred of them."""

    movie: Card
    value: float | None
    "The predicted rating in stars; None for popular movies."
    rank: int
    "1 = best."
    reason: str | None = None

    @property
    def movie_id(self) -> int:
        """The id of the movie."""
        return self.movie.movie_id


class SuggestionList(NamedTuple):
    """What a user, or anybody, should see next."""

    source: str
    "model: as trained; fold-in: with ratings since; popular: not personal."
    version_name: str | None
    items: Sequence[Suggested]


USER = sa.bindparam("user_id", type_=sa.Integer)
VERSION = sa.bindparam("version_id", type_=sa.Integer)
ANY_VERSION = 0
"Stands for every version in `LISTED`; no version has this id."
LISTED = (
    sa.select(Suggestion.movie_id, Suggestion.value, Suggestion.rank)
    .where(Suggestion.user_id == USER, Suggestion.active, ~Suggestion.did_rate)
    .where(Suggestion.movie_id.not_in(not_for(USER)))
    # Rows without a version were put there by hand or by another program: they belong to any.
    .where((Suggestion.model_version_id == VERSION) | Suggestion.model_version_id.is_(None) | (VERSION == ANY_VERSION))
    # By rank alone, as the index has them; where somebody gave two the same, their order is the index's, too.
    .order_by(Suggestion.rank)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
STORED = ReadyQuery(LISTED)
STORED_AND_VISIBLE = ReadyQuery(LISTED.join(Suggestion.movie).where(~Movie.is_hidden))


def best_for(
    user_id: int,
    *,
    limit: int = 50,
    offset: int = 0,
    genre: str | None = None,
    exclude: Collection[int] = (),
    sort: str | None = None,
    with_reasons: bool = True,
    fresh: Freshness | None = None,
) -> SuggestionList:
    """A user's movies to see next, the best first; never one that the user rated or put aside, nor a hidden one.

    Stored rows answer when they are the active version's and follow from the ratings as they are. Otherwise, and
    where a genre, exclusions or movies gone since would leave a stored list short, the list is scored in memory;
    reading writes nothing.
    `sort` reorders the kept list by 'value' or by the movies' 'score'; `fresh` is what the caller knows of the state
    already. Raises UserNotFound.
    """
    fresh = fresh or find_freshness(user_id)
    loaded = fresh.loaded
    kept = current_app.config["SUGGESTIONS_PER_USER"]
    end = offset + limit
    asks_for_more = genre or exclude or end > kept
    most = kept if sort or asks_for_more else end
    stored = stored_list(fresh, most)
    if loaded is not None and (stored is None or asks_for_more or has_lost_movies(stored, user_id, most, kept)):
        found = live_list(fresh, loaded, max(kept, end), genre, exclude) or stored
    else:
        found = stored
    if found is None:
        found = popular_list(kept + end, fresh, genre, exclude)
    items = found.items
    if genre or exclude:
        items = [item for item in items if item.movie_id not in exclude and has_genre(item, genre)]
    if sort:
        # sorted() is stable, so that of equals the better rank stays ahead.
        items = sorted(items, key=lambda item: -((item.value if sort == "value" else item.movie.score) or 0.0))
    page = items[offset:end]
    if with_reasons and found.source != "popular" and loaded is not None:
        reasons = reasons_for(loaded, user_id, [item.movie_id for item in page])
        page = [item._replace(reason=reasons.get(item.movie_id)) for item in page]
    return found._replace(items=page)


def best_from(given: Mapping[int, float], limit: int) -> SuggestionList:
    """What somebody without an account should see next, who gave these movies so many stars."""
    loaded = recommender.current()
    if loaded is None or not given:
        return popular_list(limit, exclude=given)
    visitor = UserRatings.of_visitor(given)
    found = scored_list(loaded, visitor, catalog_generation(), limit)
    reasons = reasons_from(loaded, visitor, [item.movie_id for item in found.items])
    return found._replace(items=[item._replace(reason=reasons.get(item.movie_id)) for item in found.items])


def has_genre(item: Suggested, genre: str | None) -> bool:
    """Whether the item has this genre, in any case; True when none is asked for."""
    return genre is None or genre.casefold() in (name.casefold() for name in item.movie.genres)


def stored_list(fresh: Freshness, most: int) -> SuggestionList | None:
    """The user's first active, unrated rows in rank order; None where they do not hold any more, or there are none."""
    if fresh.list_rating_generation not in (None, fresh.rating_generation) and fresh.loaded is not None:
        return None
    asked = {"user_id": fresh.user_id, "version_id": fresh.version_id or ANY_VERSION, "most": most}
    rows = STORED.rows(**asked)
    items = with_cards(rows, fresh.catalog_generation)
    if len(items) < len(rows):
        # A movie was hidden since, which is rare: others stand behind it.
        items = with_cards(STORED_AND_VISIBLE.rows(**asked), fresh.catalog_generation)
    return SuggestionList(source_of(fresh), fresh.version_name, items) if items else None


def with_cards(rows: Iterable[Sequence[Any]], generation: int) -> list[Suggested]:
    """These (movie id, value, rank) as items, without movies hidden since they were read."""
    rows = rows if isinstance(rows, list) else list(rows)
    cards = find_cards([row[0] for row in rows], generation)
    # What Suggested(…) does in the end; a list read from the rows spends a tenth of its time on the way there.
    make = tuple.__new__
    return [make(Suggested, (cards[movie], value, rank, None)) for movie, value, rank in rows if movie in cards]


def has_lost_movies(stored: SuggestionList, user_id: int, most: int, kept: int) -> bool:
    """Whether less than was asked for is left of a list that was full, for movies were hidden, deleted or put aside."""
    if len(stored.items) >= most:
        return False
    # The ranks of hidden movies count as well, so that a list without its last movie is noticed.
    last = sa.select(sa.func.max(Suggestion.rank)).where(Suggestion.user_id == user_id, Suggestion.active)
    return (db.session.scalar(last) or 0) >= kept


def source_of(fresh: Freshness) -> str:
    """Whether a stored list follows from the training alone."""
    if fresh.loaded is None:
        return "model"
    (trained,) = fresh.loaded.opened.trained_generations(np.array([fresh.user_id]))
    return "model" if trained == fresh.rating_generation else "fold-in"


def live_list(
    fresh: Freshness, loaded: LoadedVersion, n: int, genre: str | None, exclude: Collection[int]
) -> SuggestionList | None:
    """The user's best `n` scored now; None for a user who has no ratings."""
    users = read_user_ratings([fresh.user_id])
    if not users or not len(users[0].values):
        return None
    return scored_list(loaded, users[0], fresh.catalog_generation, n, genre, exclude)


def scored_list(
    loaded: LoadedVersion,
    user: UserRatings,
    generation: int,
    n: int,
    genre: str | None = None,
    exclude: Collection[int] = (),
) -> SuggestionList:
    """The best `n` for whoever has these ratings, of the catalogue at this generation."""
    candidates = find_candidates(loaded, generation)
    scored = score_block(loaded, candidates, [user], n, allowed_columns(candidates, genre, exclude))[0]
    ranked = zip(scored.movie_ids.tolist(), scored.values.tolist(), range(1, n + 1), strict=False)
    source = "fold-in" if scored.is_folded_in else "model"
    return SuggestionList(source, loaded.version_name, with_cards(ranked, generation))


def allowed_columns(candidates: Candidates, genre: str | None, exclude: Collection[int]) -> BoolArray | None:
    """Which candidates the options leave, by column; None for all."""
    if not genre and not exclude:
        return None
    only = None
    if genre:
        ids = db.session.scalars(sa.select(Movie.id).where(movies.has_genre(genre))).all()
        only = np.array(ids, dtype=np.int64)
    return candidates.allow(only, np.array(sorted(exclude), dtype=np.int64))


def popular_list(
    limit: int, fresh: Freshness | None = None, genre: str | None = None, exclude: Collection[int] = ()
) -> SuggestionList:
    """The movies that everybody likes best, by their shrunken mean; without what this user rated or does not want."""
    query = sa.select(*COLUMNS).where(~Movie.is_hidden).order_by(Movie.score.desc().nulls_last(), Movie.id).limit(limit)
    if fresh is not None:
        query = query.where(Movie.id.not_in(not_for(fresh.user_id)))
    if genre:
        query = query.where(movies.has_genre(genre))
    if exclude:
        query = query.where(Movie.id.not_in(exclude))
    loaded = fresh.loaded if fresh else recommender.current()
    items = [Suggested(card_of(row), None, rank) for rank, row in enumerate(db.session.execute(query), start=1)]
    return SuggestionList("popular", loaded.version_name if loaded else None, items)
