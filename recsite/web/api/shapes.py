"""The JSON of each response, as Structs that mypy checks and the OpenAPI document shows."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from recsite.ratings import RatedMovie
from recsite.storage.paging import Page
from recsite.storage.tables import Movie
from recsite.web.api.filters import Precision

TmdbId = Annotated[int, Meta(ge=1, description="The TMDB id where the movie has one.")]
Stars = Annotated[float, Meta(description="In stars, 0.5 to 5.")]
Total = Annotated[int, Meta(description="Of the whole list.")]


class MovieJson(msgspec.Struct, kw_only=True):
    """A movie. `rating_avg` is the mean of its ratings; `score` is shrunk towards the overall mean if there are few."""

    id: TmdbId
    title: str
    overview: str
    release_date: date | None
    genres: list[str]
    poster_path: str | None
    rating_count: int
    rating_avg: Stars | None
    score: Stars | None


class IdsJson(msgspec.Struct):
    """The ids of a movie elsewhere; null where they are not known."""

    tmdb: int | None
    imdb: str | None
    movielens: int | None
    site: Annotated[str | None, Meta(description="The id that the site itself gives to the movie.")]


class SuggestedJson(msgspec.Struct, kw_only=True):
    """A suggested movie: always `id`, `title` and `overview`, and the keys in `include`."""

    id: TmdbId
    title: str
    overview: str
    value: Annotated[float | None, Meta(description="Predicted rating in stars; null if not personal.")] | UnsetType = (
        UNSET
    )
    reason: Annotated[str | None, Meta(description="The own rating that speaks for it most.")] | UnsetType = UNSET
    poster: str | UnsetType | None = UNSET
    release_date: date | UnsetType | None = UNSET
    genres: list[str] | UnsetType = UNSET
    ids: IdsJson | UnsetType = UNSET


class SuggestionsJson(msgspec.Struct):
    """A user's suggestions, the best first."""

    suggestions: list[SuggestedJson]


class UserListJson(msgspec.Struct):
    """One user's list of a batch. `user`, the site's own id, is null without one, and `user_id` if not stored yet."""

    user_id: int | None
    user: str | None
    source: Annotated[str, Meta(description="As the header `X-Suggestion-Source`.")]
    suggestions: list[SuggestedJson]


class BatchJson(msgspec.Struct):
    """The lists of many users, in the order asked."""

    results: list[UserListJson]


class MoviesJson(msgspec.Struct):
    """A list of movies."""

    movies: list[MovieJson]


class MoviesPageJson(msgspec.Struct):
    """One page of the movies found."""

    movies: list[MovieJson]
    page: int
    per_page: int
    total: Total


class RatedJson(msgspec.Struct):
    """A movie with the user's rating of it."""

    movie_id: TmdbId
    title: str
    value: Stars
    timestamp: Annotated[str, Meta(description="When, as RFC 3339 has it.")]


class RatingsPageJson(msgspec.Struct):
    """One page of a user's ratings, the newest first."""

    user_id: Annotated[int | None, Meta(description="Null for a user of the site who is not stored yet.")]
    ratings: list[RatedJson]
    page: int
    per_page: int
    total: Total


class RatingJson(msgspec.Struct):
    """A rating after the change."""

    user_id: int
    movie_id: TmdbId
    value: Stars


class JobJson(msgspec.Struct, kw_only=True):
    """A job: what it does, its state, and how many of its steps or users are done."""

    id: int
    kind: Annotated[str, Meta(description="`train`, `score`, or another kind that the site itself starts.")]
    state: Annotated[str, Meta(extra_json_schema={"enum": ["queued", "running", "finished", "failed", "cancelled"]})]
    done: int
    total: Annotated[int, Meta(description="0 until it is known.")]
    error: Annotated[str | None, Meta(description="Why it failed, was cancelled or left something undone.")]


class ErrorJson(msgspec.Struct):
    """An error: what is wrong and, if the client can correct it, how."""

    error: str


def movie_as_json(movie: Movie, precision: Precision) -> MovieJson:
    """Return the API's form of a movie."""
    return MovieJson(
        id=movie.id,
        title=movie.title,
        overview=movie.overview,
        release_date=movie.release_date,
        genres=movie.genre_names,
        poster_path=movie.poster_path,
        rating_count=movie.rating_count,
        rating_avg=precision.rounded(movie.rating_avg),
        score=precision.rounded(movie.score),
    )


def movies_as_json(found: Iterable[Movie], precision: Precision) -> MoviesJson:
    """Return the API's form of movies."""
    return MoviesJson([movie_as_json(movie, precision) for movie in found])


def rated_as_json(rated: RatedMovie) -> RatedJson:
    """Return the API's form of a rating."""
    return RatedJson(rated.movie.id, rated.movie.title, rated.value, rated.timestamp.isoformat())


def movies_page_as_json(found: Page[Movie], precision: Precision) -> MoviesPageJson:
    """Return the API's form of a page of movies."""
    items = [movie_as_json(movie, precision) for movie in found.items]
    return MoviesPageJson(items, found.page, found.per_page, found.total)


def ratings_page_as_json(user_id: int | None, found: Page[RatedMovie]) -> RatingsPageJson:
    """Return the API's form of a page of a user's ratings."""
    rated = [rated_as_json(each) for each in found.items]
    return RatingsPageJson(user_id, rated, found.page, found.per_page, found.total)
