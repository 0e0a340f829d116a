"""The pages that find and show movies."""

from flask import Blueprint, render_template
from flask_login import current_user

from recsite import movies, suggestions
from recsite.storage.paging import LAST_PAGE
from recsite.web.request import limits, query_string, viewer

bp = Blueprint("movies", __name__)

CARDS_PER_PAGE = 24
"Divisible by 2, 3, 4, 6 and 8, the numbers of cards in a row."
MAX_PAGES_SHOWN = 4
"Pages that one response can contain, so that the browser's back button restores a list that was scrolled."
SIMILAR_SHOWN = 6
"Movies below a movie: one row of a wide page."


@bp.get("/movies/")
def index() -> str:
    """Show the movies that match a search, from page `page` through page `through`."""
    query, genre = query_string.text("q"), query_string.text("genre")
    years = query_string.years("years")
    only = movies.MovieFilter(years=years, genres=(genre,) if genre else ())
    sort = query_string.choice("sort", movies.SORTS, default="popular")
    page = query_string.page_number()
    if query or not only.is_empty or page > limits.NEAR_PAGES:
        limits.count_search()
    through = query_string.number("through", 1, LAST_PAGE, default=page)
    pages_shown = min(max(through - page + 1, 1), MAX_PAGES_SHOWN)
    found = movies.search(query, sort, page, CARDS_PER_PAGE, only, pages_shown)
    return render_template(
        "movies/index.html",
        found=found,
        chosen={
            "q": query or None,
            "genre": genre or None,
            "years": "-".join(map(str, years)) if years else None,
            "sort": sort,
        },
        genres=movies.genres(),
        decades=[f"{first}-{last}" for first, last in movies.decades()],
        sorts=movies.SORTS,
        # First page of the address that the browser shows after the next page is scrolled into view.
        first_page=(found.next_page - 1) // MAX_PAGES_SHOWN * MAX_PAGES_SHOWN + 1,
    )


@bp.get("/movies/<id:movie_id>/")
def detail(movie_id: int) -> str:
    """Show one movie with the viewer's rating, the prediction and similar movies; admins also see hidden movies."""
    is_admin = current_user.is_authenticated and current_user.is_admin
    return render_template(
        "movies/detail.html",
        movie=movies.get_movie(movie_id) if is_admin else movies.get_visible(movie_id),
        value=viewer.rating_of(movie_id),
        outlook=suggestions.outlook_for(movie_id, viewer.user_id(), viewer.session_ratings()),
        is_unwanted=viewer.is_unwanted(movie_id),
        similar=suggestions.similar_to(movie_id, SIMILAR_SHOWN),
    )


@bp.get("/movies/<id:movie_id>/outlook")
def outlook(movie_id: int) -> str:
    """Return the predicted rating of a movie's page as a fragment, which HTMX requests after each rating."""
    return render_template(
        "movies/_outlook.html",
        movie=movies.get_visible(movie_id),
        value=viewer.rating_of(movie_id),
        outlook=suggestions.outlook_for(movie_id, viewer.user_id(), viewer.session_ratings()),
    )
