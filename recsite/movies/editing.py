"""What admins do to movies: finding hidden ones too, correcting them, hiding and showing; each change is in the log."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.movies.visibility import bump_catalog, get_movie, hide, show
from recsite.storage import audit
from recsite.storage.paging import Page
from recsite.storage.tables import Movie

STATES = ("all", "visible", "hidden")
"Which movies `search` looks through."
LONGEST_TITLE = 500
LONGEST_OVERVIEW = 5000
LONGEST_GENRES = 500
"Characters of all genres together, as a column keeps them."


def search(query: str | None, state: str, page: int, per_page: int) -> Page[Movie]:
    """The movies with `query` in their title, or with this id, the most rated first."""
    found = sa.select(Movie)
    if state != "all":
        found = found.where(Movie.is_hidden == (state == "hidden"))
    if query:
        is_meant = Movie.title.icontains(query, autoescape=True)
        if query.isascii() and query.isdigit() and len(query) < 10:
            is_meant |= Movie.id == int(query)
        found = found.where(is_meant)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0
    rows = db.session.scalars(
        found.order_by(Movie.rating_count.desc(), Movie.id).limit(per_page).offset((page - 1) * per_page)
    )
    return Page(rows.all(), page, per_page, total)


def edit(movie_id: int, by: str, *, title: str, overview: str, release_date: date | None, genres: list[str]) -> bool:
    """The movie reads like this in every list from now on; False when it did already.

    Raises MovieNotFound, or InvalidInput that names the field.
    """
    movie = get_movie(movie_id)
    check_texts(title, overview, genres)
    before = as_logged(movie)
    movie.title, movie.overview = title, overview
    movie.release_date, movie.genres = release_date, "|".join(genres)
    after = as_logged(movie)
    if before == after:
        return False
    audit.record(by, "edit movie", "movie", movie_id, title, before=before, after=after)
    bump_catalog()
    db.session.commit()
    return True


def set_hidden(movie_id: int, is_hidden: bool, by: str, reason: str = "") -> bool:
    """The movie is in no list, or there again for everybody; False when it was so already. Raises MovieNotFound."""
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
    # Commits both, for the log has to say what happened and nothing else.
    (hide if is_hidden else show)(movie_id)
    return True


def as_logged(movie: Movie) -> dict[str, Any]:
    """What an edit can change, as the log keeps it."""
    return {
        "title": movie.title,
        "overview": movie.overview,
        "release_date": movie.release_date.isoformat() if movie.release_date else None,
        "genres": movie.genres,
    }


def check_texts(title: str, overview: str, genres: list[str]) -> None:
    """The texts fit into a movie; raises InvalidInput."""
    if not 1 <= len(title) <= LONGEST_TITLE:
        raise InvalidInput(f"title must have 1 to {LONGEST_TITLE} characters.")
    if len(overview) > LONGEST_OVERVIEW:
        raise InvalidInput(f"overview must have at most {LONGEST_OVERVIEW:,} characters.")
    if any("|" in name for name in genres):
        raise InvalidInput("genres must be names joined by commas, without '|'.")
    if len("|".join(genres)) > LONGEST_GENRES:
        raise InvalidInput(f"genres must have at most {LONGEST_GENRES} characters together.")
