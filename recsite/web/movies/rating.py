"""The views that rate, skip and dismiss movies, and the reviews. Their routes belong to the blueprint of `pages.py`."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

import contextlib

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from recsite import movies, ratings, suggestions
from recsite.errors import NotFound
from recsite.storage.tables import LARGEST_ID, Movie
from recsite.web.movies.pages import bp
from recsite.web.request import forms, htmx, query_string, viewer

REVIEWS = {"popular": ratings.next_popular, "infinite": ratings.next_shuffled}
"The two reviews by endpoint, each with the function that finds the next movie."
RATED_EVENT = {"HX-Trigger": "rated"}
"Header that makes HTMX fire the event on which other parts of the page reload."


@bp.get("/movies/popular/")
@bp.get("/movies/infinite/", endpoint="infinite")
def popular() -> str:
    """Show one movie that the viewer has neither rated nor skipped, to rate or skip."""
    first, last = (query_string.number(name, 1, LARGEST_ID, default=0) or None for name in ("first", "last"))
    return render_card(request.path.split("/")[2], first, last)


@bp.post("/movies/<id:movie_id>/rate")
def rate(movie_id: int) -> ResponseReturnValue:
    """Save the form's `value` as the viewer's rating; a visitor's rating stays in the session until sign-up."""
    value, before = forms.number_field("value"), viewer.rating_of(movie_id)
    viewer.rate(movie_id, value)
    return respond_with_card(last=movie_id) if sent_review() else respond_with_stars(movie_id, value, before)


@bp.post("/movies/<id:movie_id>/unrate")
def unrate(movie_id: int) -> ResponseReturnValue:
    """Withdraw the viewer's rating."""
    before = viewer.rating_of(movie_id)
    viewer.unrate(movie_id)
    return respond_with_card(first=movie_id) if sent_review() else respond_with_stars(movie_id, None, before)


@bp.post("/movies/<id:movie_id>/skip")
def skip(movie_id: int) -> ResponseReturnValue:
    """Leave the movie out of the viewer's reviews."""
    viewer.skip(movie_id)
    return respond_with_card(last=movie_id)


@bp.post("/movies/<id:movie_id>/unskip")
def unskip(movie_id: int) -> ResponseReturnValue:
    """Undo a skip and show the card again."""
    viewer.unskip(movie_id)
    return respond_with_card(first=movie_id)


@bp.post("/movies/<id:movie_id>/dismiss")
@login_required
def dismiss(movie_id: int) -> ResponseReturnValue:
    """Leave the movie out of the user's lists."""
    suggestions.dismiss(current_user.id, movie_id)
    movie = movies.get_visible(movie_id)
    if htmx.is_htmx():
        return render_template("movies/_dismissed.html", movie=movie)
    flash(f"You will not see {movie.title} in your lists again. Its page has a button to undo that.")
    return redirect(forms.next_path(url_for(".detail", movie_id=movie_id)), 303)


@bp.post("/movies/<id:movie_id>/restore")
@login_required
def restore(movie_id: int) -> ResponseReturnValue:
    """Allow a dismissed movie in the user's lists again."""
    suggestions.restore(current_user.id, movie_id)
    if htmx.is_htmx():
        return "", RATED_EVENT
    return redirect(forms.next_path(url_for(".detail", movie_id=movie_id)), 303)


def sent_review() -> str | None:
    """Return the review that the form belongs to; None for a form outside of a review."""
    review = forms.field("review")
    return review if review in REVIEWS else None


def respond_with_stars(movie_id: int, value: float | None, before: float | None) -> ResponseReturnValue:
    """Return the updated stars with an undo button for HTMX, else redirect to the page that the form came from."""
    if not htmx.is_htmx():
        return redirect(forms.next_path(url_for(".detail", movie_id=movie_id)), 303)
    movie = movies.get_visible(movie_id)
    return render_template("movies/_rating.html", movie=movie, value=value, undo=True, before=before), RATED_EVENT


def respond_with_card(first: int | None = None, last: int | None = None) -> ResponseReturnValue:
    """Return the next card of the review for HTMX, else redirect to it."""
    review = sent_review() or "popular"
    if htmx.is_htmx():
        return render_card(review, first, last), RATED_EVENT
    return redirect(url_for(f".{review}", first=first, last=last), 303)


def render_card(review: str, first: int | None, last: int | None) -> str:
    """Render the card of `first` if it may be shown, else of the next movie, with an undo button for `last`."""
    user_id = viewer.user_id()
    exclude = () if user_id else (*viewer.session_ratings(), *viewer.session_skips())
    return htmx.render_page_or_fragment(
        page="movies/review.html",
        fragment="movies/_card.html",
        movie=REVIEWS[review](user_id, exclude, first),
        review=review,
        count=viewer.count_of_ratings(),
        last=find_last(last),
    )


def find_last(movie_id: int | None) -> tuple[Movie, float | None] | None:
    """Return the movie of the previous card and its rating; None if there was no card or the movie is gone."""
    if movie_id is None:
        return None
    with contextlib.suppress(NotFound):
        return movies.get_visible(movie_id), viewer.rating_of(movie_id)
    return None
