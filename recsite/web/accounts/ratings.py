"""What I rated: finding it again, and taking it back in such a way that one click undoes that."""

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

ROWS = 24
"Ratings on a page."
LONGEST_NOTE = 500
"Characters of what an undo sends."


@dataclass(frozen=True)
class Removed:
    """A rating that was taken back."""

    movie: Movie
    value: float
    "In stars."
    timestamp: datetime
    note: str
    "What an undo has to send."


@bp.get("/ratings/")
@login_required
def my_ratings() -> str:
    """What I rated, in one of five orders, to change or take back."""
    query = query_string.text("q") or None
    sort = query_string.choice("sort", ratings.SORTS, default="newest")
    page = query_string.page_number()
    return render_template(
        "accounts/ratings.html",
        found=ratings.ratings_of(current_user.id, page, ROWS, sort, query),
        chosen={"q": query, "sort": sort},
        sorts=ratings.SORTS,
        removed=read_note(session.pop("removed", "")),
    )


@bp.post("/ratings/<id:movie_id>/remove")
@login_required
def remove_rating(movie_id: int) -> ResponseReturnValue:
    """I have not rated the movie, and what comes back says how to undo that."""
    note = ""
    # A second click finds nothing to take back, and that is what it wanted.
    with contextlib.suppress(NotFound):
        value, at = ratings.unrate(current_user.id, movie_id)
        suggestions.refresh(current_user.id)
        note = notes().dumps([current_user.id, movie_id, value, at.isoformat()])
    if htmx.is_htmx():
        removed = read_note(note)
        return render_template("accounts/_removed.html", removed=removed) if removed else ""
    session["removed"] = note
    return redirect(forms.next_path(url_for(".my_ratings")), 303)


@bp.post("/ratings/undo")
@login_required
def put_rating_back() -> ResponseReturnValue:
    """The rating that was taken back stands where it stood, as old as it was; a newer one stays."""
    removed = read_note(forms.field("note", LONGEST_NOTE))
    if removed is None:
        raise InvalidInput("There is nothing to undo: the note is not one that this site wrote for you.")
    movie = removed.movie
    if ratings.put_back(current_user.id, movie.id, removed.value, removed.timestamp):
        suggestions.refresh(current_user.id)
    elif not htmx.is_htmx():
        flash(f"You have rated {movie.title} again since; that rating stays.")
    if htmx.is_htmx():
        rated = ratings.find(current_user.id, movie.id)
        return render_template("accounts/_rated.html", rated=rated) if rated else ""
    return redirect(forms.next_path(url_for(".my_ratings")), 303)


def notes() -> URLSafeSerializer:
    """Signs what was taken back, so that an undo can put back nothing else."""
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="a rating taken back")


def read_note(note: str) -> Removed | None:
    """What a note says was taken back; None for one that this site did not write for whoever is logged in."""
    try:
        user_id, movie_id, value, at = notes().loads(note)
        movie = movies.get_visible(movie_id)
    except (BadData, NotFound):
        return None
    return Removed(movie, value, datetime.fromisoformat(at), note) if user_id == current_user.id else None
