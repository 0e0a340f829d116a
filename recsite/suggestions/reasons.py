"""The reasons for a movie's rank: each rating's exact share in the ranking score, or the rule that keeps it out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.errors import MovieNotFound
from recsite.extensions import db
from recsite.storage.tables import Movie
from recsite.suggestions.candidates import catalog_generation, find_candidates, stands_low
from recsite.suggestions.ranking import UserRatings, make_scored_lists, read_user_ratings, require_user_ratings
from recsite.suggestions.scoring import Prediction, predict_from
from recsite.versions.active import LoadedVersion, recommender


@dataclass(frozen=True)
class Contribution:
    """A rated movie, and the part of that rating in another movie's ranking score."""

    movie_id: int
    title: str
    rating: float
    "In stars."
    share: float
    "In the unit of the score; negative where the rating speaks against the movie."


@dataclass(frozen=True)
class Explanation:
    """Why a movie is in a user's list, or is not."""

    movie_id: int
    title: str
    rank: int | None
    "1 = best; None for a movie that no list can show this user."
    prediction: Prediction | None
    "The predicted rating; None without an active version or without ratings."
    score: float | None
    "The ranking score, which is the sum of the contributions; None where the ranker does not order the movie."
    contributions: tuple[Contribution, ...]
    "The largest share first."
    kept_out_by: str | None
    "The first rule that keeps the movie out of the user's list; None for a movie in the list."


def reasons_for(version: LoadedVersion, user_id: int, movie_ids: Sequence[int]) -> dict[int, str]:
    """Return the strongest rating behind each of these movies by movie id, as "Because you rated Heat 5".

    A movie that no rating speaks for is left out. What somebody disliked speaks for the movies that those who like it
    do not see, as "Because you rated Heat only 1".
    """
    users = read_user_ratings([user_id])
    return reasons_from(version, users[0], movie_ids) if users else {}


def reasons_from(version: LoadedVersion, user: UserRatings, movie_ids: Sequence[int]) -> dict[int, str]:
    """Return `reasons_for` a user or visitor with these ratings."""
    if not ranks_by_ease():
        return {}
    ranker, wanted = version.opened.ranker, np.array(movie_ids, dtype=np.int64)
    # Without the prior: that most people like a movie is no reason of this user.
    shares = ranker.own_shares(user.movie_ids, user.values, user.newer, wanted)
    if not shares.size:
        return {}
    strongest = shares.argmax(axis=0)
    rated_ids, values = user.movie_ids[strongest].tolist(), user.values[strongest]
    only = np.where(version.opened.ranker.rating_weights.of_stars(values) < 0, "only ", "").tolist()
    titles = titles_of(rated_ids)
    return {
        movie_id: f"Because you rated {titles[rated_id]} {limit}{value:g}"
        for movie_id, rated_id, limit, value, share in zip(
            movie_ids, rated_ids, only, values.tolist(), shares.max(axis=0), strict=True
        )
        if share > 0 and rated_id in titles
    }


def low_reason() -> str:
    """Return the reason of a movie under the floor, in place of "Because you rated Heat 5"."""
    return f"Last in the list: you would give it less than {current_app.config['RANKER_FLOOR']:g} stars"


def explain(user_id: int | None, movie_id: int) -> Explanation:
    """Return the user's ratings behind a movie's rank, and the rule that keeps the movie out of the list, if any.

    None is a user of the site who is not stored yet, and has no ratings.

    Raises:
        UserNotFound: no user has this id.
        MovieNotFound: no movie has this id.
    """
    user = UserRatings.of_visitor({}) if user_id is None else require_user_ratings(user_id)
    movie = db.session.get(Movie, movie_id)
    if movie is None:
        raise MovieNotFound
    version = recommender.current()
    if version is None or not len(user.values):
        why = "no model version is active" if version is None else "the user has rated nothing, so no list is personal"
        return Explanation(movie_id, movie.title, None, None, None, (), why)
    rank, prediction = find_rank(version, user, movie_id), predict_from(version, user, movie_id)
    contributions = contributions_to(version, user, movie_id) if ranks_by_ease() else ()
    return Explanation(
        movie_id=movie_id,
        title=movie.title,
        rank=rank,
        prediction=prediction,
        score=sum(each.share for each in contributions) if contributions else None,
        contributions=contributions,
        kept_out_by=first_rule_against(version, user, movie, rank, prediction),
    )


def contributions_to(version: LoadedVersion, user: UserRatings, movie_id: int) -> tuple[Contribution, ...]:
    """Return every rating with a share in the movie's score, the largest share first; they sum to the score."""
    shares = version.opened.ranker.shares(user.movie_ids, user.values, user.newer, np.array([movie_id]))[:, 0]
    titles = titles_of(user.movie_ids.tolist())
    found = [
        Contribution(rated_id, titles[rated_id], value, share)
        for rated_id, value, share in zip(user.movie_ids.tolist(), user.values.tolist(), shares.tolist(), strict=True)
        if share
    ]
    return tuple(sorted(found, key=lambda each: (-each.share, each.movie_id)))


def first_rule_against(
    version: LoadedVersion, user: UserRatings, movie: Movie, rank: int | None, prediction: Prediction
) -> str | None:
    """Return the first rule that keeps the movie out, in the order in which a list is made; None if it is listed."""
    kept = current_app.config["SUGGESTIONS_PER_USER"]
    own_rating = user.values[user.movie_ids == movie.id]
    if movie.is_hidden:
        return "the movie is hidden"
    if len(own_rating):
        return f"the user rated it {own_rating[0]:g}"
    if movie.id in user.unwanted:
        return "the user is not interested in it"
    if rank is None:
        return "the movie was added after the catalogue was last read, as by an import that is still running"
    if rank <= kept:
        return None
    if prediction.knows_movie and stands_low(prediction.value):
        floor = current_app.config["RANKER_FLOOR"]
        return f"its predicted rating is under {floor:g} stars, so that it stands behind all others, at rank {rank}"
    if ranks_by_ease() and not version.opened.ranker.movies.contains(np.array([movie.id]))[0]:
        fewest = version.opened.manifest["parameters"]["ranker"]["fewest_ratings"]
        return f"the ranker does not cover it, which takes {fewest} ratings at training time; it is at rank {rank}"
    return f"it is at rank {rank}, and a list holds {kept}"


def find_rank(version: LoadedVersion, user: UserRatings, movie_id: int) -> int | None:
    """Return the movie's rank among all movies that a list could show this user; None if it is not among them."""
    candidates = find_candidates(version, catalog_generation())
    scored = make_scored_lists(version, candidates, [user], len(candidates.movies))[0]
    return next((rank for rank, each in enumerate(scored.movie_ids.tolist(), start=1) if each == movie_id), None)


def similar_to(movie_id: int, n: int) -> list[Movie]:
    """Return the `n` visible movies that a liking of this one speaks for most, best first; empty without a model."""
    version = recommender.current()
    if version is None:
        return []
    ranker = version.opened.ranker
    similar = ranker.similar(movie_id, len(ranker.movies))
    is_visible = find_candidates(version, catalog_generation()).movies.contains(similar)
    found = similar[is_visible][:n].tolist()
    movies = db.session.scalars(sa.select(Movie).where(Movie.id.in_(found), ~Movie.is_hidden))
    return sorted(movies, key=lambda movie: found.index(movie.id))


def titles_of(movie_ids: Sequence[int]) -> dict[int, str]:
    """Return the titles by movie id."""
    rows = db.session.execute(sa.select(Movie.id, Movie.title).where(Movie.id.in_(movie_ids)))
    return {row.id: row.title for row in rows}


def ranks_by_ease() -> bool:
    """Return whether the ranker orders lists, so that its shares are the reasons."""
    return bool(current_app.config["RANKING"] == "ease")
