"""Movies: finding, reading and rating them, as pages and as `/api/movies` and `/api/ratings`."""

# flask-login and flask-wtf ship no types.
# mypy: allow-untyped-decorators

import contextlib
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from .. import catalog, ratings, suggestions
from ..catalog import Page
from ..errors import NotFound
from ..extensions import csrf
from ..models import LARGEST_ID, Movie
from . import access, options

bp = Blueprint("movies", __name__)

ID = f"<int(min=1, max={LARGEST_ID}):movie_id>"
MOST = 100
"Movies of one answer at most."
MOST_SIMILAR = 50
LAST_PAGE = 100_000
CARDS = 24
"Movies on a page: fills rows of 2, 3, 4, 6 and 8."
SIMILAR = 6
"Movies below a movie: one row of a wide page."
SKIPS_KEPT = 100
"How many skipped movies a session remembers; the oldest come up again."


@bp.get("/movies/")
def index() -> str:
    """All movies: searched, of one genre, in one of six orders."""
    query, genre = options.one("q"), options.one("genre")
    sort = options.choice("sort", catalog.SORTS, default="popular")
    found = catalog.search(query, genre, sort, options.whole("page", 1, LAST_PAGE, default=1), CARDS)
    chosen = {"q": query or None, "genre": genre or None, "sort": sort}
    return render_template(
        "movies/index.html", found=found, chosen=chosen, genres=catalog.genres(), sorts=catalog.SORTS
    )


@bp.get(f"/movies/{ID}/")
def detail(movie_id: int) -> str:
    """One movie, the caller's rating of it, and others like it; a hidden one for admins only."""
    return render_template(
        "movies/detail.html",
        movie=catalog.find_movie(movie_id, even_hidden=current_user.is_authenticated and current_user.is_admin),
        value=my_rating(movie_id),
        similar=suggestions.similar_to(movie_id, SIMILAR),
    )


@bp.get("/movies/popular/")
def popular() -> str:
    """The best movie that the caller neither rated nor skipped: one card, to rate or skip."""
    return one_card(ratings.next_popular(my_id(), session.get("skipped", ())), "popular")


@bp.get("/movies/infinite/")
def infinite() -> str:
    """Like `popular`, in no order that anybody could see."""
    return one_card(ratings.next_shuffled(my_id(), session.get("skipped", ())), "infinite")


@bp.post(f"/movies/{ID}/rate")
@login_required
def rate(movie_id: int) -> ResponseReturnValue:
    """The caller's rating is the form's `value`."""
    value = options.number_field("value")
    ratings.rate(current_user.id, movie_id, value)
    suggestions.refresh(current_user.id)
    return rated(movie_id, value)


@bp.post(f"/movies/{ID}/unrate")
@login_required
def unrate(movie_id: int) -> ResponseReturnValue:
    """The caller has not rated the movie."""
    # A second click finds nothing to take back, and that is what it wanted.
    with contextlib.suppress(NotFound):
        ratings.unrate(current_user.id, movie_id)
        suggestions.refresh(current_user.id)
    return rated(movie_id, None)


@bp.post(f"/movies/{ID}/skip")
def skip(movie_id: int) -> ResponseReturnValue:
    """The next card is another one."""
    session["skipped"] = [*session.get("skipped", ()), movie_id][-SKIPS_KEPT:]
    return redirect(options.next_path(url_for(".popular")), 303)


@bp.get("/api/movies", strict_slashes=False)
def api_search() -> Response:
    """Movies by title, genre and order, paged."""
    options.refuse_unknown(("q", "genre", "sort", "page", "per_page"))
    sort = options.choice("sort", catalog.SORTS, default="popular")
    found = catalog.search(options.one("q"), options.one("genre"), sort, *page_options())
    return jsonify(movies=[movie_as_json(movie) for movie in found.items], **paging_as_json(found))


@bp.get(f"/api/movies/{ID}", strict_slashes=False)
def api_movie(movie_id: int) -> Response:
    """One movie."""
    options.refuse_unknown(())
    return jsonify(movie_as_json(catalog.find_movie(movie_id)))


@bp.get(f"/api/movies/{ID}/similar", strict_slashes=False)
def api_similar(movie_id: int) -> Response:
    """What people like who like this movie, the strongest link first; none without a model."""
    options.refuse_unknown(("limit",))
    limit = options.whole("limit", 1, MOST_SIMILAR, default=10)
    movie = catalog.find_movie(movie_id)
    return jsonify(movies=[movie_as_json(each) for each in suggestions.similar_to(movie.id, limit)])


@bp.get("/api/ratings", strict_slashes=False)
def api_ratings() -> Response:
    """What one user rated, the newest first, paged."""
    options.refuse_unknown(("user_id", "page", "per_page"))
    user_id = options.user_id()
    access.may_read(user_id)
    found = ratings.ratings_of(user_id, *page_options())
    rows = [
        {
            "movie_id": rated.movie.id,
            "title": rated.movie.title,
            "value": rated.value,
            "timestamp": rated.timestamp.isoformat(),
        }
        for rated in found.items
    ]
    return jsonify(user_id=user_id, ratings=rows, **paging_as_json(found))


@bp.post("/api/ratings", strict_slashes=False)
@csrf.exempt
def api_rate() -> ResponseReturnValue:
    """The caller's rating of a movie: 201 when it is the first, 200 when it replaces one."""
    user_id = access.require_caller().id
    options.refuse_unknown(())
    sent = options.json_object(("movie_id", "value"))
    movie_id = options.json_whole("movie_id", sent["movie_id"], 1, LARGEST_ID)
    value = options.json_number("value", sent["value"])
    is_new = ratings.rate(user_id, movie_id, value)
    suggestions.refresh(user_id)
    return jsonify(user_id=user_id, movie_id=movie_id, value=value), 201 if is_new else 200


@bp.delete(f"/api/ratings/{ID}", strict_slashes=False)
@csrf.exempt
def api_unrate(movie_id: int) -> ResponseReturnValue:
    """The caller has not rated this movie any more; a 404 when there was no rating."""
    user_id = access.require_caller().id
    options.refuse_unknown(())
    ratings.unrate(user_id, movie_id)
    suggestions.refresh(user_id)
    return "", 204


def my_id() -> int | None:
    """Who is logged in, None for a visitor."""
    return current_user.id if current_user.is_authenticated else None


def my_rating(movie_id: int) -> float | None:
    """What whoever is logged in gave the movie."""
    user_id = my_id()
    return ratings.rating_of(user_id, movie_id) if user_id is not None else None


def one_card(movie: Movie | None, order: str) -> str:
    """The page with one movie to rate or skip; with none it says that all is done."""
    user_id = my_id()
    count = ratings.count_of(user_id) if user_id is not None else 0
    return render_template("movies/one.html", movie=movie, order=order, count=count)


def rated(movie_id: int, value: float | None) -> ResponseReturnValue:
    """After a change: the stars anew for HTMX, with an event that other parts of the page listen to; else back."""
    if not options.is_htmx():
        return redirect(options.next_path(url_for(".detail", movie_id=movie_id)), 303)
    stars = render_template("movies/_rating.html", movie=catalog.find_movie(movie_id), value=value)
    return stars, {"HX-Trigger": "rated"}


def page_options() -> tuple[int, int]:
    """The options page and per_page."""
    return options.whole("page", 1, LAST_PAGE, default=1), options.whole("per_page", 1, MOST, default=20)


def paging_as_json(found: Page[Any]) -> dict[str, int]:
    """Where a page stands in its list."""
    return {"page": found.page, "per_page": found.per_page, "total": found.total}


def movie_as_json(movie: Movie) -> dict[str, Any]:
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
