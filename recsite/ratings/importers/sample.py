"""The sample data set of `flask demo`: real films with our own descriptions, and simulated ratings."""

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FEWEST_RATINGS, MOST_RATINGS = 15, 100
"Bounds of the number of films that a user rates."
LAST_MOMENT = datetime(2025, 1, 1, tzinfo=UTC)
"Time of the last possible rating, fixed so that equal seeds give equal ratings."
FINISHING_SPAN = timedelta(days=6 * 365)
"Each user's last rating is within this time before LAST_MOMENT."


@dataclass(frozen=True)
class SampleMovie:
    """One film of the bundled CSV file; `movie_id` is the TMDB id."""

    movie_id: int
    title: str
    overview: str
    release_date: date
    genres: tuple[str, ...]
    movielens_id: int | None
    imdb_id: str | None


def sample_movies() -> list[SampleMovie]:
    """Return the bundled films, oldest first."""
    with (
        resources.files("recsite.ratings.importers").joinpath("sample_movies.csv").open("r", encoding="utf-8") as lines
    ):
        return [
            SampleMovie(
                movie_id=int(row["id"]),
                title=row["title"],
                overview=row["overview"],
                release_date=date.fromisoformat(row["release_date"]),
                genres=tuple(row["genres"].split("|")),
                movielens_id=int(row["movielens_id"]) if row["movielens_id"] else None,
                imdb_id=row["imdb_id"] or None,
            )
            for row in csv.DictReader(lines)
        ]


def simulated_ratings(seed: int, users: int = 500) -> list[tuple[int, int, float, datetime]]:
    """Simulate ratings (user_id, movie_id, stars, time) of the sample films, ordered by user_id and time.

    1. A film has a position in taste space (see `film_positions`), a quality, and a popularity: Zipf's law over a rank
       that correlates with quality.
    2. A user has a taste vector, a mean and a spread. A third of the users give whole stars only.
    3. Each user rates in sessions (see `session_times`). Most users rate few films.
    4. A user draws films without replacement, of those released before the first session, with probability
       proportional to popularity · exp(1.3 · match).
    5. stars = mean + spread · (quality + match + noise), rounded and clipped to 0.5 to 5.

    Args:
        seed: equal seeds give equal ratings.
        users: the number of users, at least 1 (else ValueError); their ids are 1 to `users`.
    """
    if users < 1:
        raise ValueError(f"Cannot simulate ratings by {users} users; ask for 1 or more.")
    rng = np.random.default_rng(seed)
    movies = sample_movies()
    positions = film_positions(movies, rng)
    quality, popularity = film_qualities(len(movies), rng)

    tastes = rng.normal(size=(users, positions.shape[1]))
    match = 0.75 * tastes @ positions.T  # (users, movies), of standard deviation 0.75
    mean = rng.normal(2.95, 0.35, (users, 1))
    spread = rng.lognormal(0, 0.2, (users, 1))
    step = np.where(rng.random((users, 1)) < 0.35, 1.0, 0.5)

    counts = np.minimum(FEWEST_RATINGS + rng.exponential(24, users), MOST_RATINGS).astype(int)
    seconds = session_times(counts, rng)
    released = np.array([movie.release_date for movie in movies], dtype="datetime64[s]").astype(np.float64)
    # Sorting by log weight plus Gumbel noise draws without replacement, for all users at once.
    appeal = np.log(popularity) + 1.3 * match + rng.gumbel(size=match.shape)
    drawn = np.argsort(np.where(released < seconds[:, :1], -appeal, np.inf), axis=1)

    stars = mean + spread * (quality + match + rng.normal(0, 0.52, match.shape))
    stars = np.clip(np.round(stars / step) * step, 0.5, 5.0)
    return [
        (u + 1, movies[i].movie_id, float(stars[u, i]), datetime.fromtimestamp(int(when), UTC))
        for u, count in enumerate(counts)
        for i, when in zip(drawn[u, :count], seconds[u, :count], strict=True)
    ]


def film_qualities(n_movies: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return quality (in stars) and popularity (a weight by Zipf's law) of each film, both of shape (n_movies,)."""
    quality = rng.normal(0, 0.4, n_movies)
    rank = np.argsort(np.argsort(-quality - rng.normal(0, 0.6, n_movies)))
    return quality, 1 / (rank + 4)


def film_positions(movies: list[SampleMovie], rng: np.random.Generator) -> FloatArray:
    """Return each film's position in taste space, shape (movies, 5).

    Three axes are random mixtures of genres and eras; two are independent of both. Scaled so that the match of a
    standard normal taste vector has variance 1 over all films.
    """
    names = sorted({genre for movie in movies for genre in movie.genres})
    genres = np.array([[name in movie.genres for name in names] for movie in movies], dtype=np.float64)
    years = np.array([[movie.release_date.year] for movie in movies])
    eras = np.exp(-(((years - np.arange(1930, 2021, 30)) / 20) ** 2))
    columns = np.hstack([genres, eras])

    mixed = columns @ rng.normal(size=(columns.shape[1], 3))
    axes = np.hstack([mixed, rng.normal(size=(len(movies), 2))])
    positions: FloatArray = (axes - axes.mean(axis=0)) / axes.std(axis=0) / np.sqrt(axes.shape[1])
    return positions


def session_times(counts: NDArray[np.int_], rng: np.random.Generator) -> FloatArray:
    """Return the times of the ratings in Unix seconds, shape (users, MOST_RATINGS), increasing along each row.

    Only the first `counts[u]` of row u are used; they end before LAST_MOMENT. A session has about ten ratings, half a
    minute apart; sessions are some weeks apart.
    """
    shape = (len(counts), MOST_RATINGS)
    pauses = np.where(rng.random(shape) < 0.1, rng.exponential(timedelta(days=40).total_seconds(), shape), 0)
    elapsed = np.cumsum(pauses + 5 + rng.exponential(30, shape), axis=1)

    finished = LAST_MOMENT.timestamp() - rng.uniform(0, FINISHING_SPAN.total_seconds(), (len(counts), 1))
    return finished - np.take_along_axis(elapsed, counts[:, np.newaxis] - 1, axis=1) + elapsed
