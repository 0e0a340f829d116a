"""Why a movie stands where it stands: each own rating's exact share in its ranking score, or what keeps it out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.errors import MovieNotFound, UserNotFound
from recsite.extensions import db
from recsite.ml.rating import rows_of
from recsite.storage.tables import Movie
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.ranking import UserRatings, read_user_ratings, score_block
from recsite.suggestions.scoring import Prediction, predict_one
from recsite.versions.active import LoadedVersion, recommender


@dataclass(frozen=True)
class Contribution:
    """What one of the user's ratings adds to a movie's ranking score."""

    movie_id: int
    title: str
    rating: float
    "In stars."
    share: float
    "In the score's own unit; negative where the rating speaks against the movie."


@dataclass(frozen=True)
class Explanation:
    """Why a user sees a movie, or does not."""

    movie_id: int
    title: str
    rank: int | None
    "1 = best; None for a movie that no list can show this user."
    prediction: Prediction | None
    score: float | None
    "The ranking score: the sum of the contributions. None where the ranker has no say."
    contributions: tuple[Contribution, ...]
    "The strongest share first."
    kept_out_by: str | None
    "The first rule that keeps the movie out of the user's list; None for one that is in it."


def reasons_for(version: LoadedVersion, user_id: int, movie_ids: Sequence[int]) -> dict[int, str]:
    """For each of these movies that has one: the own rating that speaks for it most, as "Because you rated Heat 5"."""
    users = read_user_ratings([user_id])
    return reasons_from(version, users[0], movie_ids) if users else {}


def reasons_from(version: LoadedVersion, user: UserRatings, movie_ids: Sequence[int]) -> dict[int, str]:
    """As `reasons_for`, for whoever has these ratings."""
    if not ranks_by_ease():
        return {}
    shares = version.opened.ranker.shares(user.movie_ids, user.values, np.array(movie_ids, dtype=np.int64))
    if not shares.size:
        return {}
    strongest = shares.argmax(axis=0)
    titles = titles_of(user.movie_ids[np.unique(strongest)].tolist())
    return {
        movie_id: f"Because you rated {titles[int(user.movie_ids[place])]} {user.values[place]:g}"
        for movie_id, place, column in zip(movie_ids, strongest, range(len(movie_ids)), strict=True)
        if shares[place, column] > 0 and int(user.movie_ids[place]) in titles
    }


def explain(user_id: int, movie_id: int) -> Explanation:
    """The user's own ratings behind a movie's place, and what keeps it out if it is not in the list.

    Raises UserNotFound, MovieNotFound.
    """
    users = read_user_ratings([user_id])
    if not users:
        raise UserNotFound
    movie = db.session.get(Movie, movie_id)
    if movie is None:
        raise MovieNotFound
    version = recommender.current()
    if version is None or not len(users[0].values):
        why = "no model version is active" if version is None else "the user has rated nothing, so no list is personal"
        return Explanation(movie_id, movie.title, None, None, None, (), why)
    rank = find_rank(version, users[0], movie_id)
    contributions = contributions_to(version, users[0], movie_id) if ranks_by_ease() else ()
    return Explanation(
        movie_id=movie_id,
        title=movie.title,
        rank=rank,
        prediction=predict_one(user_id, movie_id),
        score=sum(each.share for each in contributions) if contributions else None,
        contributions=contributions,
        kept_out_by=first_rule_against(version, users[0], movie, rank),
    )


def contributions_to(version: LoadedVersion, user: UserRatings, movie_id: int) -> tuple[Contribution, ...]:
    """Every own rating that has a share in the movie's score, the strongest first; they sum to the score."""
    shares = version.opened.ranker.shares(user.movie_ids, user.values, np.array([movie_id]))[:, 0]
    titles = titles_of(user.movie_ids.tolist())
    found = [
        Contribution(rated_id, titles[rated_id], value, share)
        for rated_id, value, share in zip(user.movie_ids.tolist(), user.values.tolist(), shares.tolist(), strict=True)
        if share
    ]
    return tuple(sorted(found, key=lambda each: (-each.share, each.movie_id)))


def first_rule_against(version: LoadedVersion, user: UserRatings, movie: Movie, rank: int | None) -> str | None:
    """The first rule, in the order in which a list is made, that keeps the movie out."""
    kept = current_app.config["SUGGESTIONS_PER_USER"]
    given = user.values[user.movie_ids == movie.id]
    if movie.is_hidden:
        return "the movie is hidden"
    if len(given):
        return f"the user rated it {given[0]:g}"
    if movie.id in user.unwanted:
        return "the user is not interested in it"
    if rank is None:
        return "the movie came in since the catalog was last counted up, as an import does"
    if rank <= kept:
        return None
    if ranks_by_ease() and rows_of(np.array([movie.id]), version.opened.ranker.movie_ids)[0] < 0:
        fewest = version.opened.manifest["parameters"]["ranker"]["fewest_ratings"]
        return (
            f"the ranker does not cover it, which takes {fewest} ratings when it is trained; it stands at rank {rank}"
        )
    return f"it stands at rank {rank}, and a list holds {kept}"


def find_rank(version: LoadedVersion, user: UserRatings, movie_id: int) -> int | None:
    """The movie's place among all that a list could show this user."""
    candidates = find_candidates(version, catalog_generation())
    scored = score_block(version, candidates, [user], len(candidates.movie_ids))[0]
    return next((rank for rank, each in enumerate(scored.movie_ids.tolist(), start=1) if each == movie_id), None)


def similar_to(movie_id: int, n: int) -> list[Movie]:
    """The visible movies that liking this one speaks for most, the strongest first; none without a model."""
    version = recommender.current()
    if version is None:
        return []
    ranker = version.opened.ranker
    similar = ranker.similar(movie_id, len(ranker.movie_ids))
    is_visible = np.isin(similar, find_candidates(version, catalog_generation()).movie_ids)
    found = similar[is_visible][:n].tolist()
    query = sa.select(Movie).where(Movie.id.in_(found), ~Movie.is_hidden)
    movies = {movie.id: movie for movie in db.session.scalars(query)}
    return [movies[each] for each in found if each in movies]


def titles_of(movie_ids: Sequence[int]) -> dict[int, str]:
    """The titles by id."""
    rows = db.session.execute(sa.select(Movie.id, Movie.title).where(Movie.id.in_(movie_ids)))
    return {row.id: row.title for row in rows}


def ranks_by_ease() -> bool:
    """Whether the ranker orders lists, so that its shares are their reasons."""
    return bool(current_app.config["RANKING"] == "ease")
