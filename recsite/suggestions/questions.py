"""The movies that a new user is asked to rate first."""

from collections.abc import Collection

import numpy as np
import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.questions import most_informative
from recsite.storage.tables import Dismissal, Movie, Rating
from recsite.versions.active import recommender

POOL = 200
"Questions are about the most rated movies, because most users have not seen the others."
SAMPLED_USERS = 1000
"Number of users whose predicted ratings give the covariance of movies; more cost time and change little."


def questions_for(
    user_id: int | None, n: int, answered: Collection[int] = (), left_out: Collection[int] = ()
) -> list[Movie]:
    """Return the `n` movies to ask this user or visitor about, the most informative first.

    A visitor (`user_id` None) brings the movies that they rated (`answered`) and skipped (`left_out`); those of a user
    are in the database. Without a model these are the most rated movies.
    """
    if user_id is not None:
        answered = db.session.scalars(sa.select(Rating.movie_id).where(Rating.user_id == user_id)).all()
        left_out = db.session.scalars(sa.select(Dismissal.movie_id).where(Dismissal.user_id == user_id)).all()
    skipped = [movie_id for movie_id in left_out if movie_id not in answered]
    query = sa.select(Movie).where(~Movie.is_hidden, Movie.id.not_in(skipped))
    pool = db.session.scalars(query.order_by(Movie.rating_count.desc(), Movie.id).limit(POOL)).all()
    by_popularity = [movie for movie in pool if movie.id not in answered][:n]
    version = recommender.current()
    if version is None:
        return by_popularity
    model = version.opened.model
    is_known = model.movies.contains(np.array([movie.id for movie in pool], dtype=np.int64))
    known = [movie for movie, is_in in zip(pool, is_known.tolist(), strict=True) if is_in]
    sampled = model.users.ids[:: max(1, len(model.users) // SAMPLED_USERS)][:SAMPLED_USERS]
    if len(known) < 2 or len(sampled) < 2:
        return by_popularity
    _, pu = model.user_parameters(sampled)
    _, qi = model.movie_parameters(np.array([movie.id for movie in known], dtype=np.int64))
    counts = np.array([movie.rating_count for movie in known], dtype=np.float64)
    asked = [place for place, movie in enumerate(known) if movie.id in answered]
    return [known[place] for place in most_informative(pu @ qi.T, counts, asked, n)]
