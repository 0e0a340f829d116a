"""The sample that `flask demo` uses: real films, described in our own words, and ratings by people who do not exist."""

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FEWEST_RATINGS, MOST_RATINGS = 15, 100
"The bounds of how many films one person rates."
LAST_MOMENT = datetime(2025, 1, 1, tzinfo=UTC)
"No rating is later. It is fixed, for the same seed must give the same ratings next year."
FINISHING_SPAN = timedelta(days=6 * 365)
"Each person's last rating lies somewhere in this long a time before `LAST_MOMENT`."


@dataclass(frozen=True)
class SampleMovie:
    """One film of the bundled csv."""

    movie_id: int
    "The TMDB id."
    title: str
    overview: str
    release_date: date
    genres: tuple[str, ...]
    movielens_id: int | None
    imdb_id: str | None


def sample_movies() -> list[SampleMovie]:
    """The bundled films, oldest first."""
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
    """Ratings (user_id, movie_id, stars, when) of the sample films. They are simulated: no real person gave them.

    1. A film has a place among tastes (see `film_places`), a quality, and a fame by Zipf's law that goes with quality.
    2. A person has a taste, a mean, and a spread: how strictly they tell good from bad. Some give whole stars only.
    3. Everybody rates in sessions (see `session_times`), most people few films, some many.
    4. They draw one film after another, of those released before they joined, in proportion to fame · exp(1.3 · match).
    5. stars = mean + spread · (quality + match + noise), rounded and kept within 0.5 to 5.

    In order of user_id (1 to `users`), then of time; the same seed gives the same ratings.
    Raises ValueError without users.
    """
    if users < 1:
        raise ValueError(f"Cannot simulate ratings by {users} users; ask for 1 or more.")
    rng = np.random.default_rng(seed)
    movies = sample_movies()

    places = film_places(movies, rng)
    quality = rng.normal(0, 0.4, len(movies))
    rank = np.argsort(np.argsort(-quality - rng.normal(0, 0.6, len(movies))))
    fame = 1 / (rank + 4)

    tastes = rng.normal(size=(users, places.shape[1]))
    match = 0.75 * tastes @ places.T  # (users, movies), of standard deviation 0.75
    mean = rng.normal(2.95, 0.35, (users, 1))
    spread = rng.lognormal(0, 0.2, (users, 1))
    step = np.where(rng.random((users, 1)) < 0.35, 1.0, 0.5)

    counts = np.minimum(FEWEST_RATINGS + rng.exponential(24, users), MOST_RATINGS).astype(int)
    seconds = session_times(counts, rng)
    released = np.array([movie.release_date for movie in movies], dtype="datetime64[s]").astype(np.float64)
    # To sort by log weight plus Gumbel noise is to draw without replacement, for all people at once.
    appeal = np.log(fame) + 1.3 * match + rng.gumbel(size=match.shape)
    drawn = np.argsort(np.where(released < seconds[:, :1], -appeal, np.inf), axis=1)

    stars = mean + spread * (quality + match + rng.normal(0, 0.52, match.shape))
    stars = np.clip(np.round(stars / step) * step, 0.5, 5.0)
    return [
        (u + 1, movies[i].movie_id, float(stars[u, i]), datetime.fromtimestamp(int(when), UTC))
        for u, count in enumerate(counts)
        for i, when in zip(drawn[u, :count], seconds[u, :count], strict=True)
    ]


def film_places(movies: list[SampleMovie], rng: np.random.Generator) -> FloatArray:
    """Where each film stands among tastes, shape (movies, 5).

    Three axes mix genres and eras at random, as "old and dark" might; two follow from no column, as taste often does.
    Scaled so that the match of a standard normal taste has variance 1 over all films.
    """
    names = sorted({genre for movie in movies for genre in movie.genres})
    genres = np.array([[name in movie.genres for name in names] for movie in movies], dtype=np.float64)
    years = np.array([[movie.release_date.year] for movie in movies])
    eras = np.exp(-(((years - np.arange(1930, 2021, 30)) / 20) ** 2))
    columns = np.hstack([genres, eras])

    mixed = columns @ rng.normal(size=(columns.shape[1], 3))
    axes = np.hstack([mixed, rng.normal(size=(len(movies), 2))])
    places: FloatArray = (axes - axes.mean(axis=0)) / axes.std(axis=0) / np.sqrt(axes.shape[1])
    return places


def session_times(counts: NDArray[np.int_], rng: np.random.Generator) -> FloatArray:
    """When each person rates, in seconds since 1970, shape (users, MOST_RATINGS), increasing along each row.

    Row u is meant up to `counts[u]`, and that part ends before `LAST_MOMENT`. About ten ratings, half a minute apart,
    make a session; between sessions pass some weeks.
    """
    shape = (len(counts), MOST_RATINGS)
    pauses = np.where(rng.random(shape) < 0.1, rng.exponential(timedelta(days=40).total_seconds(), shape), 0)
    elapsed = np.cumsum(pauses + 5 + rng.exponential(30, shape), axis=1)

    finished = LAST_MOMENT.timestamp() - rng.uniform(0, FINISHING_SPAN.total_seconds(), (len(counts), 1))
    return finished - np.take_along_axis(elapsed, counts[:, np.newaxis] - 1, axis=1) + elapsed
