"""Admin pages of movies: search, edit, hide and show."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite.errors import InvalidInput
from recsite.movies import editing, get_movie
from recsite.storage import audit
from recsite.web.admin.forms import MovieForm, VisibilityForm
from recsite.web.admin.overview import ROWS, bp
from recsite.web.request import forms, query_string

CHANGES_SHOWN = 20


@bp.get("/movies/")
def movies() -> str:
    """List movies, hidden ones too, searched by title or id."""
    query = query_string.text("q") or None
    state = query_string.choice("state", editing.STATES, default="all")
    found = editing.search_all(query, state, query_string.page_number(), ROWS)
    chosen = {"q": query, "state": state}
    return render_template("admin/movies.html", found=found, chosen=chosen, states=editing.STATES)


@bp.get("/movies/<id:movie_id>/")
def movie(movie_id: int) -> str:
    """Show a movie with the forms to edit, hide or show it, and earlier changes by admins."""
    return movie_page(movie_id)


@bp.post("/movies/<id:movie_id>/edit")
def edit_movie(movie_id: int) -> ResponseReturnValue:
    """Save the form; if a field is refused, show the form again with the error and status 400."""
    try:
        form = MovieForm.read()
        is_changed = editing.edit(
            movie_id,
            current_user.username,
            title=form.title.data or "",
            overview=form.overview.data or "",
            release_date=form.release_date.data,
            genres=form.genre_names(),
        )
    except InvalidInput as error:
        return movie_page(movie_id, problem=str(error)), 400
    flash("Saved: every list shows it from now on." if is_changed else "Nothing was different, so nothing changed.")
    return redirect(url_for(".movie", movie_id=movie_id), 303)


@bp.post("/movies/hide")
def hide_movie() -> ResponseReturnValue:
    """Hide the movie from every list."""
    return set_hidden(True)


@bp.post("/movies/show")
def show_movie() -> ResponseReturnValue:
    """Show a hidden movie again."""
    return set_hidden(False)


def set_hidden(is_hidden: bool) -> ResponseReturnValue:
    """Hide or show the movie in the form, and redirect to the page of the form."""
    form = VisibilityForm.read()
    movie_id, reason = form.movie_id.data, form.reason.data or ""
    if editing.set_hidden(movie_id, is_hidden, current_user.username, reason):
        flash("Hidden: it is in no list any more." if is_hidden else "Shown: lists may have it again.")
    return redirect(forms.next_path(url_for("movies.detail", movie_id=movie_id)), 303)


def movie_page(movie_id: int, problem: str | None = None) -> str:
    """Render the page of one movie, with the error of a refused form."""
    return render_template(
        "admin/movie.html",
        movie=get_movie(movie_id),
        changes=audit.entries(1, CHANGES_SHOWN, kind="movie", subject=str(movie_id)).items,
        problem=problem,
    )
