"""Movies that are popular lately."""

import json
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.arrays import read_table
from recsite.storage.response_cache import CachedResponse, get_or_make
from recsite.storage.tables import Movie, Rating, now

MOST_RATINGS = 500_000
"The newest ratings that count; reading them takes less than a second."
MOST_MOVIES = 300
"Kept; more than are shown, because some may be hidden meanwhile."
FRESH_SECONDS = 600
"How long an answer is kept. Ratings of this time are a small part of all that count."
SECONDS_A_DAY = 86_400


class Period(NamedTuple):
    """The ratings that an answer is made from, while it is fresh."""

    days: int
    number: int
    "Of the time in periods of FRESH_SECONDS."

    def cache_key(self) -> str:
        """Return a cache key that changes when the answer is no longer fresh."""
        return f"trending_{self.days}_{self.number}"


def trending(days: int, n: int) -> list[Movie]:
    """Return the `n` visible movies with the most ratings in the last `days` days, where newer ratings count more.

    A rating's weight halves with each quarter of the time. The result may be ten minutes old.
    """
    kept = get_or_make(lambda: find_period(days), lambda period: CachedResponse([], find_ids(period.days)), ())
    movie_ids: list[int] = json.loads(kept.body)
    found = db.session.scalars(sa.select(Movie).where(Movie.id.in_(movie_ids), ~Movie.is_hidden))
    places = {movie_id: place for place, movie_id in enumerate(movie_ids)}
    return sorted(found, key=lambda movie: places[movie.id])[:n]


def find_period(days: int) -> Period:
    """Return the current period."""
    return Period(days, int(now().timestamp()) // FRESH_SECONDS)


def find_ids(days: int) -> bytes:
    """Return the ids of the MOST_MOVIES first movies, as JSON; of equal weights the lower id comes first."""
    at = now()
    newest = (
        sa.select(Rating.movie_id, Rating.timestamp)
        .where(Rating.timestamp > at - timedelta(days=days))
        .order_by(Rating.timestamp.desc())
        .limit(MOST_RATINGS)
        .subquery()
    )
    age = (int(at.timestamp()) - sa.cast(sa.extract("epoch", newest.c.timestamp), sa.BigInteger)) // SECONDS_A_DAY
    counts = sa.select(newest.c.movie_id, age, sa.func.count()).group_by(newest.c.movie_id, age)
    ids, ages, numbers = read_table(counts).T
    # A client may have sent a time to come.
    weights = numbers * 0.5 ** (np.maximum(ages, 0) / (days / 4))
    movie_ids, places = np.unique(ids.astype(np.int64), return_inverse=True)
    totals = np.bincount(places, weights, minlength=len(movie_ids))
    return json.dumps(movie_ids[np.lexsort((movie_ids, -totals))][:MOST_MOVIES].tolist()).encode()
