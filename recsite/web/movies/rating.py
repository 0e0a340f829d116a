"""Rating movies and putting them aside: the stars, and one card after another. The routes are those of `movies`."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

import contextlib

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from recsite import movies, ratings, suggestions
from recsite.errors import NotFound
from recsite.ratings import dismissals
from recsite.storage.tables import LARGEST_ID, Movie
from recsite.web.movies.pages import bp
from recsite.web.request import forms, htmx, query_string, viewer

NEXT = {"popular": ratings.next_popular, "infinite": ratings.next_shuffled}
"The two reviews, by endpoint, and what finds the next movie."
CHANGED = {"HX-Trigger": "rated"}
"The event on which other parts of a page ask for themselves anew."


@bp.get("/movies/popular/")
@bp.get("/movies/infinite/", endpoint="infinite")
def popular() -> str:
    """The best movie, or any movie, that the viewer neither rated nor put aside: one card, to rate or skip."""
    first, last = (query_string.number(name, 1, LARGEST_ID, default=0) or None for name in ("first", "last"))
    return card(request.path.split("/")[2], first, last)


@bp.post("/movies/<id:movie_id>/rate")
def rate(movie_id: int) -> ResponseReturnValue:
    """The viewer's rating is the form's `value`; a visitor's stays in the session until there is an account."""
    value, before = forms.number_field("value"), viewer.rating_of(movie_id)
    viewer.rate(movie_id, value)
    return next_card(last=movie_id) if review() else stars(movie_id, value, before)


@bp.post("/movies/<id:movie_id>/unrate")
def unrate(movie_id: int) -> ResponseReturnValue:
    """The viewer has not rated the movie."""
    before = viewer.rating_of(movie_id)
    viewer.unrate(movie_id)
    return next_card(first=movie_id) if review() else stars(movie_id, None, before)


@bp.post("/movies/<id:movie_id>/skip")
def skip(movie_id: int) -> ResponseReturnValue:
    """No review shows the movie again."""
    viewer.skip(movie_id)
    return next_card(last=movie_id)


@bp.post("/movies/<id:movie_id>/unskip")
def unskip(movie_id: int) -> ResponseReturnValue:
    """The card that was skipped is there again."""
    viewer.unskip(movie_id)
    return next_card(first=movie_id)


@bp.post("/movies/<id:movie_id>/dismiss")
@login_required
def dismiss(movie_id: int) -> ResponseReturnValue:
    """The movie is in none of the user's lists."""
    dismissals.dismiss(current_user.id, movie_id)
    suggestions.refresh(current_user.id)
    movie = movies.get_visible(movie_id)
    if htmx.is_htmx():
        return render_template("movies/_dismissed.html", movie=movie)
    flash(f"You will not see {movie.title} in your lists again. Its page has a button to undo that.")
    return redirect(forms.next_path(url_for(".detail", movie_id=movie_id)), 303)


@bp.post("/movies/<id:movie_id>/restore")
@login_required
def restore(movie_id: int) -> ResponseReturnValue:
    """The movie may be in the user's lists again."""
    dismissals.take_back(current_user.id, movie_id)
    suggestions.refresh(current_user.id)
    if htmx.is_htmx():
        return "", CHANGED
    return redirect(forms.next_path(url_for(".detail", movie_id=movie_id)), 303)


def review() -> str | None:
    """The review that the form belongs to, if it does to one."""
    sent = forms.field("review")
    return sent if sent in NEXT else None


def stars(movie_id: int, value: float | None, before: float | None) -> ResponseReturnValue:
    """After a change: the stars anew for HTMX, with a way to undo; else the page that the form came from."""
    if not htmx.is_htmx():
        return redirect(forms.next_path(url_for(".detail", movie_id=movie_id)), 303)
    movie = movies.get_visible(movie_id)
    return render_template("movies/_rating.html", movie=movie, value=value, undo=True, before=before), CHANGED


def next_card(first: int | None = None, last: int | None = None) -> ResponseReturnValue:
    """The review goes on: with the movie `first`, or with the next one and a way to undo what was done to `last`."""
    order = review() or "popular"
    if htmx.is_htmx():
        return card(order, first, last), CHANGED
    return redirect(url_for(f".{order}", first=first, last=last), 303)


def card(order: str, first: int | None, last: int | None) -> str:
    """The page with the next movie, for HTMX the card alone; without a movie it says that all is done."""
    me = viewer.user_id()
    put_aside = () if me else (*viewer.session_ratings(), *viewer.session_skips())
    return htmx.render_page_or_fragment(
        page="movies/review.html",
        fragment="movies/_card.html",
        movie=NEXT[order](me, put_aside, first),
        review=order,
        count=viewer.count_of_ratings(),
        last=find_last(last),
    )


def find_last(movie_id: int | None) -> tuple[Movie, float | None] | None:
    """The movie of the card before, and what it was given; None when there was none, or it is gone."""
    if movie_id is None:
        return None
    with contextlib.suppress(NotFound):
        return movies.get_visible(movie_id), viewer.rating_of(movie_id)
    return None
