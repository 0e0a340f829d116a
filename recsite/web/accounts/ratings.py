"""The page of the user's own ratings, with views that remove a rating and put it back."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

import contextlib
from dataclasses import dataclass
from datetime import datetime

from flask import current_app, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from itsdangerous import BadData, URLSafeSerializer

from recsite import movies, ratings, suggestions
from recsite.errors import InvalidInput, NotFound
from recsite.storage.tables import Movie
from recsite.web.accounts.login import bp
from recsite.web.request import forms, htmx, query_string

RATINGS_PER_PAGE = 24
MAX_NOTE = 500
"In characters."


@dataclass(frozen=True)
class RemovedRating:
    """A rating that the user removed and can put back."""

    movie: Movie
    value: float
    "In stars."
    timestamp: datetime
    note: str
    "The signed text that an undo sends."


@bp.get("/ratings/")
@login_required
def my_ratings() -> str:
    """Show the user's ratings."""
    query = query_string.text("q") or None
    sort = query_string.choice("sort", ratings.SORTS, default="newest")
    page = query_string.page_number()
    return render_template(
        "accounts/ratings.html",
        found=ratings.ratings_of(current_user.id, page, RATINGS_PER_PAGE, sort, query),
        chosen={"q": query, "sort": sort},
        sorts=ratings.SORTS,
        removed=read_note(session.pop("removed", "")),
    )


@bp.post("/ratings/<id:movie_id>/remove")
@login_required
def remove_rating(movie_id: int) -> ResponseReturnValue:
    """Remove a rating and offer an undo."""
    note = ""
    # A second click finds no rating, and the result is what the user wanted.
    with contextlib.suppress(NotFound):
        value, at = suggestions.unrate(current_user.id, movie_id)
        note = note_serializer().dumps([current_user.id, movie_id, value, at.isoformat()])
    if htmx.is_htmx():
        removed = read_note(note)
        return render_template("accounts/_removed.html", removed=removed) if removed else ""
    session["removed"] = note
    return redirect(forms.next_path(url_for(".my_ratings")), 303)


@bp.post("/ratings/undo")
@login_required
def put_rating_back() -> ResponseReturnValue:
    """Put a removed rating back with its old time, unless the user has rated the movie again."""
    removed = read_note(forms.field("note", MAX_NOTE))
    if removed is None:
        raise InvalidInput("There is nothing to undo: the note is not one that this site wrote for you.")
    movie = removed.movie
    is_back = suggestions.put_back(current_user.id, movie.id, removed.value, removed.timestamp)
    if htmx.is_htmx():
        rated = ratings.find_rated(current_user.id, movie.id)
        return render_template("accounts/_rated.html", rated=rated) if rated else ""
    if not is_back:
        flash(f"You have rated {movie.title} again since; that rating stays.")
    return redirect(forms.next_path(url_for(".my_ratings")), 303)


def note_serializer() -> URLSafeSerializer:
    """Return the serializer that signs notes, so that an undo can only put back what was removed."""
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="a rating taken back")


def read_note(note: str) -> RemovedRating | None:
    """Return the removed rating that the note describes; None if the note is not this user's or the movie is gone."""
    try:
        user_id, movie_id, value, at = note_serializer().loads(note)
        movie = movies.get_visible(movie_id)
    except (BadData, NotFound):
        return None
    return RemovedRating(movie, value, datetime.fromisoformat(at), note) if user_id == current_user.id else None
