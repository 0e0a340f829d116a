"""What programs read: the JSON of each answer, as types that mypy checks and the document shows."""

from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from recsite.ratings.user_ratings import RatedMovie
from recsite.storage.paging import Page
from recsite.storage.tables import Movie

Id = Annotated[int, Meta(ge=1, description="The TMDB id where the movie has one.")]
Stars = Annotated[float, Meta(description="In stars, 0.5 to 5.")]
Day = Annotated[str, Meta(description="YYYY-MM-DD.")]


class MovieJson(TypedDict):
    """A movie. `rating_avg` is the mean of its ratings; `score` nearer to the mean of all where there are few."""

    id: Id
    title: str
    overview: str
    release_date: Day | None
    genres: list[str]
    poster_path: str | None
    rating_count: int
    rating_avg: Stars | None
    score: Stars | None


class SuggestedJson(TypedDict):
    """A suggested movie: always `id`, `title` and `overview`, and what `include` asks for."""

    id: Id
    title: str
    overview: str
    value: NotRequired[Annotated[float | None, Meta(description="Predicted rating in stars; null if not personal.")]]
    reason: NotRequired[Annotated[str | None, Meta(description="The own rating that speaks for it most.")]]
    poster: NotRequired[str | None]
    release_date: NotRequired[Day | None]
    genres: NotRequired[list[str]]


class SuggestionsJson(TypedDict):
    """A user's movies to see next, the best first."""

    suggestions: list[SuggestedJson]


class MoviesJson(TypedDict):
    """Some movies."""

    movies: list[MovieJson]


class MoviesPageJson(TypedDict):
    """One page of the movies found."""

    movies: list[MovieJson]
    page: int
    per_page: int
    total: Annotated[int, Meta(description="Of the whole list.")]


class RatedJson(TypedDict):
    """A movie and what the user gave it."""

    movie_id: Id
    title: str
    value: Stars
    timestamp: Annotated[str, Meta(description="When, as RFC 3339 has it.")]


class RatingsPageJson(TypedDict):
    """One page of what a user rated, the newest first."""

    user_id: int
    ratings: list[RatedJson]
    page: int
    per_page: int
    total: Annotated[int, Meta(description="Of the whole list.")]


class RatingJson(TypedDict):
    """A rating as it now is."""

    user_id: int
    movie_id: Id
    value: Stars


class ErrorJson(TypedDict):
    """What is wrong, and where it is one's own to mend, how."""

    error: str


def movie_as_json(movie: Movie) -> MovieJson:
    """What programs read of a movie."""
    return {
        "id": movie.id,
        "title": movie.title,
        "overview": movie.overview,
        "release_date": movie.release_date.isoformat() if movie.release_date else None,
        "genres": movie.genre_names,
        "poster_path": movie.poster_path,
        "rating_count": movie.rating_count,
        "rating_avg": movie.rating_avg,
        "score": movie.score,
    }


def rated_as_json(rated: RatedMovie) -> RatedJson:
    """What programs read of a rating."""
    return {
        "movie_id": rated.movie.id,
        "title": rated.movie.title,
        "value": rated.value,
        "timestamp": rated.timestamp.isoformat(),
    }


def movies_page_as_json(found: Page[Movie]) -> MoviesPageJson:
    """A page of movies."""
    return {
        "movies": [movie_as_json(movie) for movie in found.items],
        "page": found.page,
        "per_page": found.per_page,
        "total": found.total,
    }


def ratings_page_as_json(user_id: int, found: Page[RatedMovie]) -> RatingsPageJson:
    """A page of a user's ratings."""
    return {
        "user_id": user_id,
        "ratings": [rated_as_json(rated) for rated in found.items],
        "page": found.page,
        "per_page": found.per_page,
        "total": found.total,
    }
