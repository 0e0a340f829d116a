"""Synthetic ratings of any size, shaped like MovieLens: skewed users and movies, tastes that can be learned, noise.

What the shape rests on: MovieLens 10M has 69,878 users with at least 20 ratings each, 143 on average; a tenth of its
10,677 movies has 63 % of the ratings; the best models leave an RMSE of about 0.79 (F. M. Harper & J. A. Konstan,
"The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015; S. Rendle, L. Zhang & Y. Koren, "On the Difficulty
of Evaluating Baselines", 2019).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsite.ml.ratings import Ratings
from recsite.ml.vocabulary import IntArray

FEWEST = 20
"Ratings of a user."
GENRES = 16
"Groups of movies; a user likes some of them, rates more of their movies and rates those higher."
FACTORS = 12
"Length of the hidden vectors that ratings follow."
NOISE = 0.75
"Standard deviation of what cannot be learned, in stars."
FIRST, LAST = 1_100_000_000, 1_700_000_000
"Times of the ratings, in seconds since 1970."


@dataclass(frozen=True)
class Size:
    """How much to make."""

    ratings: int
    users: int
    movies: int


SIZES = {
    "1M": Size(1_000_000, 7_000, 4_000),
    "10M": Size(10_000_000, 70_000, 20_000),
    "32M": Size(32_000_000, 200_000, 87_000),
}


def synthetic_ratings(size: Size, seed: int) -> Ratings:
    """Return about as many ratings as asked for, by user and movie; users are 1 to `users`, movies 1 to `movies`."""
    rng = np.random.default_rng(seed)
    genre_of = rng.integers(0, GENRES, size.movies)
    popularity = 1 / (np.arange(size.movies) + 0.004 * size.movies) ** 1.15
    popularity = popularity[rng.permutation(size.movies)]
    user, movie = draw_pairs(rng, size, popularity, genre_of)
    values = rate(rng, size, user, movie, genre_of)
    began = rng.integers(FIRST, LAST - 50_000_000, size.users)
    timestamps = began[user] + rng.integers(0, 50_000_000, len(user))
    return Ratings.from_arrays(user + 1, movie + 1, values, timestamps)


def draw_pairs(
    rng: np.random.Generator, size: Size, popularity: NDArray[np.float64], genre_of: IntArray
) -> tuple[IntArray, IntArray]:
    """Return user and movie of each rating, in order, no pair twice; most movies are popular ones of two genres."""
    activity = rng.lognormal(0, 1, size.users)
    # A fifth of what is drawn are movies that the user has drawn before.
    counts = FEWEST + activity * (1.2 * size.ratings / size.users - FEWEST) / activity.mean()
    counts = np.minimum(counts, size.movies / 3).astype(np.int64)
    favourites = rng.integers(0, GENRES, (size.users, 2))
    keys = []
    for genre in range(GENRES):
        liked = popularity * np.where(genre_of == genre, 12.0, 1.0)
        cumulative = np.cumsum(liked / liked.sum())
        for column in range(2):
            users = np.flatnonzero(favourites[:, column] == genre)
            drawn = np.repeat(users, counts[users] // 2)
            movies = np.searchsorted(cumulative, rng.random(len(drawn)), side="right")
            keys.append(np.unique(drawn * size.movies + np.minimum(movies, size.movies - 1)))
    pairs = np.unique(np.concatenate(keys))
    return pairs // size.movies, pairs % size.movies


def rate(
    rng: np.random.Generator, size: Size, user: IntArray, movie: IntArray, genre_of: IntArray
) -> NDArray[np.float32]:
    """Return the stars of these pairs: biases, a product of hidden vectors and noise, in halves."""
    centres = rng.standard_normal((GENRES, FACTORS))
    p = rng.standard_normal((size.users, FACTORS)).astype(np.float32)
    q = (centres[genre_of] + 0.5 * rng.standard_normal((size.movies, FACTORS))).astype(np.float32)
    stars = (3.5 + 0.4 * rng.standard_normal(size.users))[user] + (0.45 * rng.standard_normal(size.movies))[movie]
    for start in range(0, len(user), 1_000_000):
        part = slice(start, start + 1_000_000)
        stars[part] += 0.14 * np.einsum("ij,ij->i", p[user[part]], q[movie[part]])
    stars += NOISE * rng.standard_normal(len(user))
    return np.clip(np.round(2 * stars) / 2, 0.5, 5).astype(np.float32)


def write_movielens(folder: Path, ratings: Ratings, movies: int) -> None:
    """Write the ratings as a MovieLens folder: movies.csv, links.csv, ratings.csv."""
    folder.mkdir()
    ids = np.arange(1, movies + 1)
    listed = pl.DataFrame({"movieId": ids}).with_columns(
        title=pl.format("Film {} ({})", "movieId", 1950 + pl.col("movieId") % 70), genres=pl.lit("Drama|Comedy")
    )
    listed.write_csv(folder / "movies.csv")
    links = pl.DataFrame({"movieId": ids, "imdbId": ids, "tmdbId": 100_000 + ids})
    links.write_csv(folder / "links.csv")
    columns = {
        "userId": ratings.user_ids,
        "movieId": ratings.movie_ids,
        "rating": ratings.values,
        "timestamp": ratings.timestamps,
    }
    pl.DataFrame(columns).write_csv(folder / "ratings.csv")
