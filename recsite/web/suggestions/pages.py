"""The home page and the first questions."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from recsite import suggestions
from recsite.storage.tables import LARGEST_ID
from recsite.suggestions import ListOptions
from recsite.web.request import access, forms, htmx, viewer

bp = Blueprint("suggestions", __name__)

ENOUGH_RATINGS = 5
"From this number on, the list is personal enough, and the page stops asking for more."
SHELF_MOVIES = 10
"Movies on the shelf of other pages."
QUESTIONS = 12
"First questions per page; divisible by 1, 2, 3 and 4, the numbers of columns."


@bp.get("/")
def home() -> str:
    """Show users their own list and shelves, and visitors popular movies and an invitation to rate."""
    user = access.calling_user()
    return htmx.render_page_or_fragment(
        page="suggestions/home.html",
        fragment="suggestions/_home.html",
        home=suggestions.home_of(user.id) if user else suggestions.home_of_visitor(viewer.session_ratings()),
        count=viewer.count_of_ratings(),
        enough=ENOUGH_RATINGS,
    )


@bp.get("/for-you/")
def for_you() -> str:
    """Show the first movies of the viewer's list as a shelf below another page."""
    user_id = viewer.user_id()
    found = (
        suggestions.best_for(user_id, ListOptions(limit=SHELF_MOVIES))
        if user_id
        else suggestions.best_from(viewer.session_ratings(), ListOptions(limit=SHELF_MOVIES))
    )
    return render_template("suggestions/_for_you.html", found=found)


@bp.get("/start/")
def start() -> str:
    """Show the first questions, the movies whose ratings are most informative; HTMX gets the number of ratings."""
    count = viewer.count_of_ratings()
    if htmx.is_htmx():
        return render_template("suggestions/_progress.html", count=count, enough=ENOUGH_RATINGS)
    movies = suggestions.questions_for(viewer.user_id(), QUESTIONS, viewer.session_ratings(), viewer.session_skips())
    return render_template("suggestions/start.html", count=count, enough=ENOUGH_RATINGS, movies=movies)


@bp.post("/start/others")
def others() -> ResponseReturnValue:
    """Skip the unanswered questions of this page and show others."""
    for movie_id in forms.whole_fields("movie_id", 1, LARGEST_ID, most=QUESTIONS):
        if viewer.rating_of(movie_id) is None:
            viewer.skip(movie_id)
    return redirect(url_for(".start"), 303)
