"""Movies and ratings for programs: `/api/movies` and `/api/ratings`."""

# flask-wtf ships no types.
# mypy: allow-untyped-decorators

from datetime import UTC, date, datetime
from typing import Annotated, Literal

import msgspec
from flask import Blueprint, Response
from msgspec import UNSET, Meta, UnsetType

from recsite import movies, ratings, suggestions
from recsite.errors import NotFound
from recsite.extensions import csrf
from recsite.storage.paging import LAST_PAGE
from recsite.web.api import shapes
from recsite.web.api.answers import json_answer, paged_answer
from recsite.web.api.filters import Filters, Precision
from recsite.web.api.operations import add_user, find_movie_id, operation
from recsite.web.api.schema import MovieId, MovieRef, OfAuthor, SiteUser, Stars, Text, Timestamp, UserId
from recsite.web.api.shapes import MovieJson
from recsite.web.request import limits

bp = Blueprint("api", __name__, url_prefix="/api")

MOST = 100
"Limit on `per_page`."
MOST_SIMILAR = 50
MOST_DAYS = 365

FIGHT_CLUB = MovieJson(
    id=550,
    title="Fight Club",
    overview="An insomniac and a soap maker found a club.",
    release_date=date(1999, 10, 15),
    genres=["Drama"],
    poster_path="/pB8BM7pdSp6B6Ih7QZ4DrQ3PmJK.jpg",
    rating_count=218,
    rating_avg=4.27,
    score=4.19,
)
RATED = shapes.RatedJson(movie_id=550, title="Fight Club", value=4.5, timestamp="2026-01-08T20:15:00+00:00")


PageNumber = Annotated[int, Meta(ge=1, le=LAST_PAGE, description="Which page; 1 is the first.", examples=[1])]
PerPage = Annotated[int, Meta(ge=1, le=MOST, description="How many on a page.", examples=[20])]


class MoviesQuery(Filters, frozen=True, kw_only=True):
    """The query of `GET /api/movies`."""

    page: PageNumber = 1
    per_page: PerPage = 20
    q: (
        Annotated[Text, Meta(description="Only movies with this in their title, in any case.", examples=["club"])]
        | UnsetType
    ) = UNSET
    sort: Annotated[
        Literal["popular", "unpopular", "top-rated", "low-rated", "recent", "old"],
        Meta(description="The order.", examples=["top-rated"]),
    ] = "popular"


class TrendingQuery(Precision, frozen=True, kw_only=True):
    """The query of `GET /api/movies/trending`."""

    days: Annotated[int, Meta(ge=1, le=MOST_DAYS, description="Ratings of this time count.", examples=[30])] = 30
    limit: Annotated[int, Meta(ge=1, le=MOST, description="How many at most.", examples=[10])] = 20


class SimilarQuery(Precision, frozen=True, kw_only=True):
    """The query of `GET /api/movies/<id>/similar`."""

    limit: Annotated[int, Meta(ge=1, le=MOST_SIMILAR, description="How many at most.", examples=[10])] = 10


class RatingsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of `GET /api/ratings`."""

    user_id: UserId | UnsetType = UNSET
    user: SiteUser | UnsetType = UNSET
    page: PageNumber = 1
    per_page: PerPage = 20


class NewRating(OfAuthor, frozen=True, kw_only=True):
    """The body of `POST /api/ratings`."""

    movie_id: MovieId | UnsetType = UNSET
    movie: MovieRef | UnsetType = UNSET
    value: Stars
    timestamp: Timestamp | UnsetType = UNSET


@bp.get("/movies", strict_slashes=False)
@operation(
    answers={200: shapes.MoviesPageJson},
    headers=("Link",),
    example=shapes.MoviesPageJson([FIGHT_CLUB], page=1, per_page=20, total=1),
)
def search_movies(query: MoviesQuery) -> Response:
    """Find movies by title, year, genre and number of ratings."""
    only = query.as_filter()
    if query.q or not only.is_empty or query.page > limits.NEAR_PAGES:
        limits.count_search()
    found = movies.search(query.q or None, query.sort, query.page, query.per_page, only)
    return paged_answer(found, shapes.movies_page_as_json(found, query))


@bp.get("/movies/<id:movie_id>", strict_slashes=False)
@operation(not_found="Movie", answers={200: MovieJson}, example=FIGHT_CLUB)
def read_movie(movie_id: MovieId, query: Precision) -> MovieJson:
    """Read one movie."""
    return shapes.movie_as_json(movies.get_visible(movie_id), query)


@bp.get("/movies/trending", strict_slashes=False)
@operation(answers={200: shapes.MoviesJson}, example=shapes.MoviesJson([FIGHT_CLUB]))
def list_trending_movies(query: TrendingQuery) -> shapes.MoviesJson:
    """List the movies that are popular lately. They have the most ratings, of which the newer ones count more."""
    limits.count_search()
    return shapes.movies_as_json(ratings.trending(query.days, query.limit), query)


@bp.get("/movies/<id:movie_id>/similar", strict_slashes=False)
@operation(not_found="Movie", answers={200: shapes.MoviesJson}, example=shapes.MoviesJson([FIGHT_CLUB]))
def list_similar_movies(movie_id: MovieId, query: SimilarQuery) -> shapes.MoviesJson:
    """Find movies like this one. The same users like them, the most similar first; none without a model."""
    movie = movies.get_visible(movie_id)
    return shapes.movies_as_json(suggestions.similar_to(movie.id, query.limit), query)


@bp.get("/ratings", strict_slashes=False)
@operation(
    who="reader",
    # Lists are for pages; what people rated is for the program that sends it.
    scope="ratings:write",
    not_found="User",
    answers={200: shapes.RatingsPageJson},
    headers=("Link",),
    example=shapes.RatingsPageJson(user_id=123, ratings=[RATED], page=1, per_page=20, total=1),
)
def list_ratings(query: RatingsQuery, subject_id: int | None) -> Response:
    """List what a user rated. The newest rating comes first."""
    found = ratings.ratings_of(subject_id, query.page, query.per_page)
    return paged_answer(found, shapes.ratings_page_as_json(subject_id, found))


@bp.post("/ratings", strict_slashes=False)
@csrf.exempt
@operation(
    who="author",
    scope="ratings:write",
    not_found="User or movie",
    answers={200: shapes.RatingJson, 201: shapes.RatingJson},
    example=shapes.RatingJson(user_id=123, movie_id=550, value=4.5),
    body_example={"movie_id": 550, "value": 4.5},
)
def rate_movie(subject_id: int | None, body: NewRating) -> Response:
    """Rate a movie. The status is 201 for the user's first rating of it and 200 for a replacement.

    Without `user_id` and `user` it is the caller's rating. The site rates for any user, and creates a `user` who is not
    stored yet.
    """
    movie_id = find_movie_id(body)
    user_id = subject_id or add_user(body, movie_id)
    at = datetime.fromtimestamp(body.timestamp, UTC) if body.timestamp is not UNSET else None
    is_new = suggestions.rate(user_id, movie_id, body.value, at)
    return json_answer(shapes.RatingJson(user_id, movie_id, body.value), 201 if is_new else 200)


@bp.delete("/ratings/<id:movie_id>", strict_slashes=False)
@csrf.exempt
@operation(who="author", scope="ratings:write", not_found="User or rating", answers={204: None}, example=None)
def take_rating_back(movie_id: MovieId, query: OfAuthor, subject_id: int | None) -> Response:
    """Take a rating back. The movie then counts as not rated by the user, who is the caller unless named."""
    if subject_id is None:
        raise NotFound("Rating not found")
    suggestions.unrate(subject_id, movie_id)
    return Response(status=204)
