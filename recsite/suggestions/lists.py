"""Reading a user's list: the stored rows where they hold, else scored in memory, else what everybody likes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import sqlalchemy as sa
from flask import current_app

from .. import catalog
from ..errors import UserNotFound
from ..extensions import db, recommender
from ..ml.rating import BoolArray
from ..models import Counter, Dismissal, ModelVersion, Movie, Rating, Suggestion, User
from ..recommender import LoadedVersion
from .ranking import Candidates, find_candidates, read_user_ratings, score_block
from .reasons import reasons_for


@dataclass(frozen=True)
class Suggested:
    """One movie of a list, with what a card or an answer shows of it."""

    movie_id: int
    title: str
    overview: str
    release_date: date | None
    genres: list[str]
    poster_path: str | None
    score: float | None
    "The movie's shrunken mean, in stars."
    value: float | None
    "The predicted rating in stars; None for popular movies."
    rank: int
    "1 = best."
    reason: str | None


@dataclass(frozen=True)
class SuggestionList:
    """What a user, or anybody, should see next."""

    source: str
    "model: as trained; fold-in: with ratings since; popular: not personal."
    version_name: str | None
    items: tuple[Suggested, ...]


@dataclass(frozen=True)
class Freshness:
    """All that a user's list depends on beside its options; two equal ones have equal lists."""

    user_id: int
    rating_generation: int
    list_generation: int
    list_version_id: int | None
    list_rating_generation: int | None
    catalog_generation: int
    active_id: int | None
    active_name: str | None

    @property
    def version_id(self) -> int | None:
        """The version that answers: the loaded one, else the one whose rows are in the database."""
        loaded = recommender.current()
        return loaded.version_id if loaded else self.active_id

    def cache_key(self) -> str:
        """A cache key that no change leaves standing."""
        generations = f"{self.rating_generation}.{self.list_generation}.{self.catalog_generation}"
        return f"suggestions_{self.user_id}_v{self.version_id}_{generations}"


def find_freshness(user_id: int) -> Freshness:
    """What the user's list depends on, in one query; raises UserNotFound."""
    catalog = sa.select(Counter.value).where(Counter.name == "catalog").scalar_subquery()
    row = db.session.execute(
        sa.select(
            User.id,
            User.rating_generation,
            User.list_generation,
            User.list_version_id,
            User.list_rating_generation,
            sa.func.coalesce(catalog, 0),
            ModelVersion.id,
            ModelVersion.version_name,
        )
        .select_from(User)
        .outerjoin(ModelVersion, ModelVersion.is_active == sa.true())
        .where(User.id == user_id)
    ).first()
    if row is None:
        raise UserNotFound
    return Freshness(*row)


def best_for(
    user_id: int,
    *,
    limit: int = 50,
    offset: int = 0,
    genre: str | None = None,
    exclude: Collection[int] = (),
    sort: str | None = None,
    with_reasons: bool = True,
) -> SuggestionList:
    """A user's movies to see next, the best first; never one that the user rated or put aside, nor a hidden one.

    Stored rows answer when they are the active version's and follow from the ratings as they are. Otherwise, and
    where a genre, exclusions or movies gone since would leave a stored list short, the list is scored in memory;
    reading writes nothing.
    `sort` reorders the kept list by 'value' or by the movies' 'score'. Raises UserNotFound.
    """
    fresh = find_freshness(user_id)
    loaded = recommender.current()
    kept = current_app.config["SUGGESTIONS_PER_USER"]
    stored = stored_list(fresh, loaded)
    asks_for_more = genre or exclude or offset + limit > kept
    if loaded is not None and (stored is None or asks_for_more or has_lost_movies(stored, user_id, kept)):
        found = live_list(fresh, loaded, max(kept, offset + limit), genre, exclude) or stored
    else:
        found = stored
    if found is None:
        found = popular_list(kept + offset + limit, fresh.user_id, genre, exclude)
    items = [item for item in found.items if item.movie_id not in exclude and has_genre(item, genre)]
    if sort:
        # sorted() is stable, so that of equals the better rank stays ahead.
        items = sorted(items, key=lambda item: -(getattr(item, sort) or 0.0))
    page = items[offset : offset + limit]
    if with_reasons and found.source != "popular" and loaded is not None:
        reasons = reasons_for(loaded, user_id, [item.movie_id for item in page])
        page = [replace(item, reason=reasons.get(item.movie_id)) for item in page]
    return SuggestionList(found.source, found.version_name, tuple(page))


def has_genre(item: Suggested, genre: str | None) -> bool:
    """Whether the item has this genre, in any case; True when none is asked for."""
    return genre is None or genre.casefold() in (name.casefold() for name in item.genres)


def stored_list(fresh: Freshness, loaded: LoadedVersion | None) -> SuggestionList | None:
    """The user's active, unrated rows in rank order; None where they do not hold any more, or there are none."""
    if fresh.list_rating_generation not in (None, fresh.rating_generation) and loaded is not None:
        return None
    query = (
        sa.select(Suggestion, Movie)
        .join(Suggestion.movie)
        .outerjoin(Rating, (Rating.user_id == Suggestion.user_id) & (Rating.movie_id == Suggestion.movie_id))
        .where(Suggestion.user_id == fresh.user_id, Suggestion.active, ~Suggestion.did_rate)
        .where(~Movie.is_hidden, Rating.user_id.is_(None), ~is_unwanted(fresh.user_id))
        .order_by(Suggestion.rank, Movie.id)
    )
    version_id = fresh.version_id
    if version_id is not None:
        # Rows without a version were put there by hand or by another program: they belong to any.
        query = query.where((Suggestion.model_version_id == version_id) | Suggestion.model_version_id.is_(None))
    rows = db.session.execute(query).all()
    if not rows:
        return None
    items = tuple(suggested(movie, row.value, row.rank) for row, movie in rows)
    return SuggestionList(source_of(fresh, loaded), loaded.version_name if loaded else fresh.active_name, items)


def has_lost_movies(stored: SuggestionList, user_id: int, kept: int) -> bool:
    """Whether the list was full when it was written and is not now, for movies were hidden, deleted or put aside."""
    if len(stored.items) >= kept:
        return False
    # The ranks of hidden movies count as well, so that a list without its last movie is noticed.
    last = sa.select(sa.func.max(Suggestion.rank)).where(Suggestion.user_id == user_id, Suggestion.active)
    return (db.session.scalar(last) or 0) >= kept


def source_of(fresh: Freshness, loaded: LoadedVersion | None) -> str:
    """Whether a stored list follows from the training alone."""
    if loaded is None:
        return "model"
    model = loaded.opened.model
    u = int(np.searchsorted(model.user_ids, fresh.user_id))
    if u == len(model.user_ids) or model.user_ids[u] != fresh.user_id:
        return "fold-in"
    return "model" if loaded.opened.user_generations[u] == fresh.rating_generation else "fold-in"


def live_list(
    fresh: Freshness, loaded: LoadedVersion, n: int, genre: str | None, exclude: Collection[int]
) -> SuggestionList | None:
    """The user's best `n` scored now; None for a user who has no ratings."""
    users = read_user_ratings([fresh.user_id])
    if not users or not len(users[0].values):
        return None
    candidates = find_candidates(loaded, fresh.catalog_generation)
    scored = score_block(loaded, candidates, users, n, allowed_columns(candidates, genre, exclude))[0]
    movie_ids = scored.movie_ids.tolist()
    movies = find_movies(movie_ids)
    ranked = zip(movie_ids, scored.values.tolist(), strict=True)
    items = [
        suggested(movies[movie_id], value, rank)
        for rank, (movie_id, value) in enumerate(ranked, start=1)
        if movie_id in movies
    ]
    return SuggestionList("fold-in" if scored.is_folded_in else "model", loaded.version_name, tuple(items))


def allowed_columns(candidates: Candidates, genre: str | None, exclude: Collection[int]) -> BoolArray | None:
    """Which candidates the options leave, by column; None for all."""
    if not genre and not exclude:
        return None
    allowed = np.ones(len(candidates.movie_ids), dtype=np.bool_)
    if genre:
        of_genre = db.session.scalars(sa.select(Movie.id).where(catalog.has_genre(genre))).all()
        allowed[:] = False
        allowed[candidates.columns_of(np.array(of_genre, dtype=np.int64))] = True
    allowed[candidates.columns_of(np.array(sorted(exclude), dtype=np.int64))] = False
    return allowed


def find_movies(movie_ids: Sequence[int]) -> dict[int, Movie]:
    """The visible ones of these movies, by id."""
    query = sa.select(Movie).where(Movie.id.in_(movie_ids), ~Movie.is_hidden)
    return {movie.id: movie for movie in db.session.scalars(query)}


def popular_list(
    limit: int, user_id: int | None = None, genre: str | None = None, exclude: Collection[int] = ()
) -> SuggestionList:
    """The movies that everybody likes best, by their shrunken mean; without what this user rated or does not want."""
    query = sa.select(Movie).where(~Movie.is_hidden).order_by(Movie.score.desc().nulls_last(), Movie.id).limit(limit)
    if user_id is not None:
        is_rated = sa.exists().where(Rating.user_id == user_id, Rating.movie_id == Movie.id)
        query = query.where(~is_rated, ~is_unwanted(user_id))
    if genre:
        query = query.where(catalog.has_genre(genre))
    if exclude:
        query = query.where(Movie.id.not_in(exclude))
    movies = db.session.scalars(query).all()
    loaded = recommender.current()
    items = tuple(suggested(movie, None, rank) for rank, movie in enumerate(movies, start=1))
    return SuggestionList("popular", loaded.version_name if loaded else None, items)


def is_unwanted(user_id: int) -> sa.ColumnElement[bool]:
    """Whether the user is not interested in a movie of the query."""
    return sa.exists().where(Dismissal.user_id == user_id, Dismissal.movie_id == Movie.id, Dismissal.is_unwanted)


def suggested(movie: Movie, value: float | None, rank: int) -> Suggested:
    """A movie as one of a list."""
    return Suggested(
        movie_id=movie.id,
        title=movie.title,
        overview=movie.overview,
        release_date=movie.release_date,
        genres=movie.genre_names,
        poster_path=movie.poster_path,
        score=movie.score,
        value=value,
        rank=rank,
        reason=None,
    )
