"""The first questions: what to ask somebody whose taste is not known."""

from collections.abc import Collection

import numpy as np
import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.questions import most_telling
from recsite.storage.tables import Dismissal, Movie, Rating
from recsite.versions.active import recommender

POOL = 200
"Questions are about the most rated movies: of the others most people have seen none."
PEOPLE = 1000
"Whose predicted ratings show what goes with what; more cost time and change little."


def questions_for(
    user_id: int | None, n: int, answered: Collection[int] = (), left_out: Collection[int] = ()
) -> list[Movie]:
    """The `n` movies to ask this user or visitor about, the most telling first.

    A visitor's ratings (`answered`) and skips (`left_out`) are given by the caller; a user's are in the database.
    Without a model these are the most rated movies.
    """
    if user_id is not None:
        answered = db.session.scalars(sa.select(Rating.movie_id).where(Rating.user_id == user_id)).all()
        left_out = db.session.scalars(sa.select(Dismissal.movie_id).where(Dismissal.user_id == user_id)).all()
    query = sa.select(Movie).where(
        ~Movie.is_hidden, Movie.id.not_in([each for each in left_out if each not in answered])
    )
    pool = db.session.scalars(query.order_by(Movie.rating_count.desc(), Movie.id).limit(POOL)).all()
    version = recommender.current()
    if version is None:
        return [movie for movie in pool if movie.id not in answered][:n]
    model = version.opened.model
    known = [movie for movie in pool if movie.id in model.movie_ids]
    _, qi = model.movies(np.array([movie.id for movie in known], dtype=np.int64))
    people = model.pu[:: max(1, len(model.pu) // PEOPLE)][:PEOPLE]
    chances = np.array([movie.rating_count for movie in known], dtype=np.float64)
    asked = [column for column, movie in enumerate(known) if movie.id in answered]
    if len(known) < 2 or len(people) < 2:
        return [movie for movie in pool if movie.id not in answered][:n]
    return [known[column] for column in most_telling(people @ qi.T, chances, asked, n)]
