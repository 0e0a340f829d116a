"""The pages of movies: finding and reading them."""

from flask import Blueprint, render_template
from flask_login import current_user

from recsite import movies, suggestions
from recsite.storage.paging import LAST_PAGE
from recsite.web.request import query_string, viewer

bp = Blueprint("movies", __name__)

CARDS = 24
"Movies on a page: fills rows of 2, 3, 4, 6 and 8."
MOST_PAGES = 4
"Pages that are shown in one: who scrolled to the fourth and comes back finds it again."
SIMILAR = 6
"Movies below a movie: one row of a wide page."


@bp.get("/movies/")
def index() -> str:
    """All movies: searched, of one genre, in one of six orders; the pages from `page` through `through` in one."""
    query, genre = query_string.text("q"), query_string.text("genre")
    sort = query_string.choice("sort", movies.SORTS, default="popular")
    page = query_string.page_number()
    through = query_string.number("through", 1, LAST_PAGE, default=page)
    found = movies.search(query, genre, sort, page, CARDS, min(max(through - page + 1, 1), MOST_PAGES))
    chosen = {"q": query or None, "genre": genre or None, "sort": sort}
    return render_template(
        "movies/index.html",
        found=found,
        chosen=chosen,
        genres=movies.genres(),
        sorts=movies.SORTS,
        # Where the address leads that a browser shows once the next page was scrolled to.
        first_page=(found.next_page - 1) // MOST_PAGES * MOST_PAGES + 1,
    )


@bp.get("/movies/<id:movie_id>/")
def detail(movie_id: int) -> str:
    """One movie, the viewer's rating of it, and others like it; a hidden one for admins only."""
    is_admin = current_user.is_authenticated and current_user.is_admin
    movie = movies.get_movie(movie_id) if is_admin else movies.get_visible(movie_id)
    return render_template(
        "movies/detail.html",
        movie=movie,
        value=viewer.rating_of(movie_id),
        outlook=suggestions.outlook_for(movie_id, viewer.user_id(), viewer.session_ratings()),
        is_unwanted=viewer.is_unwanted(movie_id),
        similar=suggestions.similar_to(movie_id, SIMILAR),
    )
