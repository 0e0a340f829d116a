"""Movies and ratings for programs: `/api/movies` and `/api/ratings`."""

# flask-wtf ships no types.
# mypy: allow-untyped-decorators

from flask import Blueprint, Response

from recsite import movies, ratings, suggestions
from recsite.extensions import csrf
from recsite.storage.paging import LAST_PAGE
from recsite.storage.tables import LARGEST_ID
from recsite.web.api import shapes
from recsite.web.api.answers import json_answer, paged_answer
from recsite.web.api.operations import operation
from recsite.web.api.parameters import Choice, OneNumber, Text, Whole
from recsite.web.api.shapes import MovieJson
from recsite.web.request import access

bp = Blueprint("api", __name__, url_prefix="/api")

MOST = 100
"Movies or ratings of one answer at most."
MOST_SIMILAR = 50

USER_ID = Whole(name="user_id", meaning="Whose.", least=1, most=LARGEST_ID, example=123)
MOVIE_ID = Whole(name="movie_id", meaning="Which movie.", least=1, most=LARGEST_ID, example=550)
GENRE = Text(name="genre", meaning="Only movies of this genre, in any case.", example="Drama")
PAGE = Whole(name="page", meaning="Which page; 1 is the first.", least=1, most=LAST_PAGE, default=1, example=1)
PER_PAGE = Whole(name="per_page", meaning="How many on a page.", least=1, most=MOST, default=20, example=20)

FIGHT_CLUB: MovieJson = {
    "id": 550,
    "title": "Fight Club",
    "overview": "An insomniac and a soap maker found a club.",
    "release_date": "1999-10-15",
    "genres": ["Drama"],
    "poster_path": "/pB8BM7pdSp6B6Ih7QZ4DrQ3PmJK.jpg",
    "rating_count": 218,
    "rating_avg": 4.27,
    "score": 4.19,
}
RATED: shapes.RatingJson = {"user_id": 123, "movie_id": 550, "value": 4.5}


@bp.get("/movies", strict_slashes=False)
@operation(
    query=(
        Text(name="q", meaning="Only movies with this in their title, in any case.", example="club"),
        GENRE,
        Choice(name="sort", meaning="The order.", words=tuple(movies.SORTS), default="popular", example="top-rated"),
        PAGE,
        PER_PAGE,
    ),
    answers={200: shapes.MoviesPageJson},
    headers=("Link",),
    example={"movies": [FIGHT_CLUB], "page": 1, "per_page": 20, "total": 1},
)
def search_movies(q: str | None, genre: str | None, sort: str, page: int, per_page: int) -> Response:
    """Find movies by title and genre."""
    found = movies.search(q, genre, sort, page, per_page)
    return paged_answer(found, shapes.movies_page_as_json(found))


@bp.get("/movies/<id:movie_id>", strict_slashes=False)
@operation(path=(MOVIE_ID,), not_found="Movie", answers={200: MovieJson}, example=FIGHT_CLUB)
def read_movie(movie_id: int) -> MovieJson:
    """Read one movie."""
    return shapes.movie_as_json(movies.get_visible(movie_id))


@bp.get("/movies/<id:movie_id>/similar", strict_slashes=False)
@operation(
    path=(MOVIE_ID,),
    query=(Whole(name="limit", meaning="How many at most.", least=1, most=MOST_SIMILAR, default=10, example=10),),
    not_found="Movie",
    answers={200: shapes.MoviesJson},
    example={"movies": [FIGHT_CLUB]},
)
def list_similar_movies(movie_id: int, limit: int) -> shapes.MoviesJson:
    """Find movies like this one. What people like who like it, the strongest link first; none without a model."""
    movie = movies.get_visible(movie_id)
    return {"movies": [shapes.movie_as_json(each) for each in suggestions.similar_to(movie.id, limit)]}


@bp.get("/ratings", strict_slashes=False)
@operation(
    query=(USER_ID, PAGE, PER_PAGE),
    who="reader",
    not_found="User",
    answers={200: shapes.RatingsPageJson},
    headers=("Link",),
    example={
        "user_id": 123,
        "ratings": [{"movie_id": 550, "title": "Fight Club", "value": 4.5, "timestamp": "2026-01-08T20:15:00+00:00"}],
        "page": 1,
        "per_page": 20,
        "total": 1,
    },
)
def list_ratings(user_id: int, page: int, per_page: int) -> Response:
    """List what a user rated. The newest first."""
    found = ratings.ratings_of(user_id, page, per_page)
    return paged_answer(found, shapes.ratings_page_as_json(user_id, found))


@bp.post("/ratings", strict_slashes=False)
@csrf.exempt
@operation(
    body=(MOVIE_ID, OneNumber(name="value", meaning="Stars, in halves.", numbers=ratings.VALUES, example=4.5)),
    who="caller",
    not_found="Movie",
    answers={200: shapes.RatingJson, 201: shapes.RatingJson},
    example=RATED,
)
def rate_movie(movie_id: int, value: float) -> Response:
    """Rate a movie. 201 for the caller's first rating of it, 200 for one that replaces another."""
    user_id = access.require_caller().id
    is_new = ratings.rate(user_id, movie_id, value)
    suggestions.refresh(user_id)
    rated: shapes.RatingJson = {"user_id": user_id, "movie_id": movie_id, "value": value}
    return json_answer(rated, 201 if is_new else 200)


@bp.delete("/ratings/<id:movie_id>", strict_slashes=False)
@csrf.exempt
@operation(path=(MOVIE_ID,), who="caller", not_found="Rating", answers={204: None}, example=None)
def take_rating_back(movie_id: int) -> Response:
    """Take a rating back. The caller has not rated this movie any more."""
    user_id = access.require_caller().id
    ratings.unrate(user_id, movie_id)
    suggestions.refresh(user_id)
    return Response(status=204)
