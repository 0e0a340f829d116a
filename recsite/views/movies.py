"""The pages of movies: finding, reading and rating them."""

# flask-login and flask-wtf ship no types.
# mypy: allow-untyped-decorators

import contextlib

from flask import Blueprint, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from .. import catalog, ratings, suggestions
from ..errors import NotFound
from ..models import LARGEST_ID, Movie
from . import options

bp = Blueprint("movies", __name__)

ID = f"<int(min=1, max={LARGEST_ID}):movie_id>"
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
