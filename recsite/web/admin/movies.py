"""For admins: the movies, found, corrected, hidden and shown."""

import re
from datetime import date

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite.errors import InvalidInput
from recsite.movies import editing, get_movie
from recsite.storage import audit
from recsite.storage.tables import LARGEST_ID
from recsite.web.admin.overview import ROWS, bp
from recsite.web.request import forms, query_string

LONGEST_REASON = 500
CHANGES_SHOWN = 20
NO_DATE = "{} must be a date such as 1999-10-15, or empty."


@bp.get("/movies/")
def movies() -> str:
    """Movies by title or id, hidden ones too."""
    query = query_string.text("q") or None
    state = query_string.choice("state", editing.STATES, default="all")
    found = editing.search_all(query, state, query_string.page_number(), ROWS)
    chosen = {"q": query, "state": state}
    return render_template("admin/movies.html", found=found, chosen=chosen, states=editing.STATES)


@bp.get("/movies/<id:movie_id>/")
def movie(movie_id: int) -> str:
    """One movie to correct, hide or show, with what admins did to it before."""
    return movie_page(movie_id)


@bp.post("/movies/<id:movie_id>/edit")
def edit_movie(movie_id: int) -> ResponseReturnValue:
    """The movie reads as the form says; a 400 shows the form again with what is wrong."""
    try:
        is_changed = editing.edit(
            movie_id,
            current_user.username,
            title=forms.field("title", editing.LONGEST_TITLE + 1).strip(),
            # Browsers send line ends as \r\n, whatever stood in the field.
            overview=forms.field("overview", 2 * editing.LONGEST_OVERVIEW).replace("\r\n", "\n").strip(),
            release_date=date_field("release_date"),
            genres=words_field("genres"),
        )
    except InvalidInput as error:
        return movie_page(movie_id, problem=str(error)), 400
    flash("Saved: every list shows it from now on." if is_changed else "Nothing was different, so nothing changed.")
    return redirect(url_for(".movie", movie_id=movie_id), 303)


@bp.post("/movies/hide")
def hide_movie() -> ResponseReturnValue:
    """The movie is in no list from now on."""
    return set_hidden(True)


@bp.post("/movies/show")
def show_movie() -> ResponseReturnValue:
    """The movie is there again for everybody."""
    return set_hidden(False)


def set_hidden(is_hidden: bool) -> ResponseReturnValue:
    """Hide or show what the form names, and go back to where the form was."""
    movie_id = forms.whole_field("movie_id", 1, LARGEST_ID)
    reason = forms.field("reason", LONGEST_REASON).strip()
    if editing.set_hidden(movie_id, is_hidden, current_user.username, reason):
        flash("Hidden: it is in no list any more." if is_hidden else "Shown: lists may have it again.")
    return redirect(forms.next_path(url_for("movies.detail", movie_id=movie_id)), 303)


def movie_page(movie_id: int, problem: str | None = None) -> str:
    """The page of one movie, with what is wrong with what was sent."""
    return render_template(
        "admin/movie.html",
        movie=get_movie(movie_id),
        changes=audit.entries(1, CHANGES_SHOWN, kind="movie", subject=str(movie_id)).items,
        problem=problem,
    )


def date_field(name: str) -> date | None:
    """The form field as a date, None when it is empty."""
    sent = forms.field(name).strip()
    if not sent:
        return None
    # fromisoformat alone would take week dates and basic forms as well.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", sent):
        raise InvalidInput(NO_DATE.format(name))
    try:
        return date.fromisoformat(sent)
    except ValueError as error:
        raise InvalidInput(NO_DATE.format(name)) from error


def words_field(name: str) -> list[str]:
    """The form field as texts joined by commas, each once, in their order."""
    words = (word.strip() for word in forms.field(name, editing.LONGEST_GENRES + 1).split(","))
    return list(dict.fromkeys(word for word in words if word))
