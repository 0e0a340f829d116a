"""Changes that admins make to movies, each recorded in the audit log, and the admins' search of all movies."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.movies.visibility import bump_catalog, get_movie, hide, show
from recsite.storage import audit
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import Movie

STATES = ("all", "visible", "hidden")
"The values of `state` in `search_all`."
LONGEST_TITLE = 500
LONGEST_OVERVIEW = 5000
LONGEST_GENRES = 500
"Characters of all genres together, joined by '|'."
MAX_ID_DIGITS = 9


def search_all(query: str | None, state: str, page: int, per_page: int) -> Page[Movie]:
    """Return one page of the movies with `query` in their title or as their id, most ratings first."""
    found = sa.select(Movie)
    if state != "all":
        found = found.where(Movie.is_hidden == (state == "hidden"))
    if query:
        matches = Movie.title.icontains(query, autoescape=True)
        if query.isascii() and query.isdigit() and len(query) <= MAX_ID_DIGITS:
            matches |= Movie.id == int(query)
        found = found.where(matches)
    return paginate(found.order_by(Movie.rating_count.desc(), Movie.id), page, per_page)


def edit(movie_id: int, by: str, *, title: str, overview: str, release_date: date | None, genres: list[str]) -> bool:
    """Replace a movie's details, add an audit entry, and commit; return False if nothing differs.

    Raises:
        InvalidInput: a text is too long or a genre contains '|'; the message names the field.
        MovieNotFound: there is no such movie.
    """
    movie = get_movie(movie_id)
    check_texts(title, overview, genres)
    before = logged_fields(movie)
    movie.title, movie.overview = title, overview
    movie.release_date, movie.genres = release_date, "|".join(genres)
    after = logged_fields(movie)
    if before == after:
        return False
    audit.record(by, "edit movie", "movie", movie_id, title, before=before, after=after)
    bump_catalog()
    db.session.commit()
    return True


def set_hidden(movie_id: int, is_hidden: bool, by: str, reason: str = "") -> bool:
    """Hide or show a movie, add an audit entry, and commit; return False if the state is the same already.

    Raises:
        MovieNotFound: there is no such movie.
    """
    movie = get_movie(movie_id)
    if movie.is_hidden == is_hidden:
        return False
    audit.record(
        by,
        "hide movie" if is_hidden else "show movie",
        "movie",
        movie_id,
        movie.title,
        before={"hidden": movie.is_hidden},
        after={"hidden": is_hidden},
        reason=reason,
    )
    # Either of these commits the change together with its audit entry.
    (hide if is_hidden else show)(movie_id)
    return True


def logged_fields(movie: Movie) -> dict[str, Any]:
    """Return the fields that an edit can change, as JSON for the audit log."""
    return {
        "title": movie.title,
        "overview": movie.overview,
        "release_date": movie.release_date.isoformat() if movie.release_date else None,
        "genres": movie.genres,
    }


def check_texts(title: str, overview: str, genres: list[str]) -> None:
    """Raise InvalidInput if a text does not fit into its column; the message names the field."""
    if not 1 <= len(title) <= LONGEST_TITLE:
        raise InvalidInput(f"title must have 1 to {LONGEST_TITLE} characters.")
    if len(overview) > LONGEST_OVERVIEW:
        raise InvalidInput(f"overview must have at most {LONGEST_OVERVIEW:,} characters.")
    if any("|" in name for name in genres):
        raise InvalidInput("genres must be names joined by commas, without '|'.")
    if len("|".join(genres)) > LONGEST_GENRES:
        raise InvalidInput(f"genres must have at most {LONGEST_GENRES} characters together.")
