"""The ratings of the person who views a page: a user's from the database, a visitor's from the session cookie."""

import contextlib
from collections.abc import Mapping

from flask import session
from flask_login import current_user

from recsite import movies, ratings, suggestions
from recsite.errors import InvalidInput, NotFound
from recsite.ratings import dismissals

MAX_SESSION_RATINGS = 50
"A browser keeps about 4,000 bytes of a cookie; these ratings and MAX_SESSION_SKIPS movies take half of that."
MAX_SESSION_SKIPS = 100
"Skipped movies that a session keeps; older ones are shown again."


def user_id() -> int | None:
    """Return the id of the user who is logged in; None for a visitor."""
    return current_user.id if current_user.is_authenticated else None


def rating_of(movie_id: int) -> float | None:
    """Return the viewer's rating of the movie in stars; None without a rating."""
    viewer_id = user_id()
    return ratings.rating_of(viewer_id, movie_id) if viewer_id else session_ratings().get(movie_id)


def count_of_ratings() -> int:
    """Return the number of movies that the viewer rated."""
    viewer_id = user_id()
    return ratings.count_of(viewer_id) if viewer_id else len(session_ratings())


def rate(movie_id: int, stars: float) -> None:
    """Save the viewer's rating, replacing an earlier one.

    Raises:
        InvalidInput: `stars` is not 0.5 to 5.0 in halves, or the visitor has rated MAX_SESSION_RATINGS movies.
        MovieNotFound: no visible movie has this id.
    """
    viewer_id = user_id()
    if viewer_id:
        suggestions.rate(viewer_id, movie_id, stars)
        return
    ratings.check_value(stars)
    movies.get_visible(movie_id)
    others = {other: value for other, value in session_ratings().items() if other != movie_id}
    if len(others) >= MAX_SESSION_RATINGS:
        raise InvalidInput(f"Sign up to rate more than {MAX_SESSION_RATINGS} movies; what you rated so far is kept.")
    store_session_ratings(others | {movie_id: stars})


def unrate(movie_id: int) -> None:
    """Withdraw the viewer's rating, if there is one."""
    viewer_id = user_id()
    if viewer_id:
        # A second click finds no rating, and the result is what the viewer wanted.
        with contextlib.suppress(NotFound):
            suggestions.unrate(viewer_id, movie_id)
    else:
        store_session_ratings({other: value for other, value in session_ratings().items() if other != movie_id})


def skip(movie_id: int) -> None:
    """Leave the movie out of the viewer's reviews, or raise MovieNotFound."""
    viewer_id = user_id()
    if viewer_id:
        dismissals.skip(viewer_id, movie_id)
    else:
        movies.get_visible(movie_id)
        session["skipped"] = [*(other for other in session_skips() if other != movie_id), movie_id][-MAX_SESSION_SKIPS:]


def unskip(movie_id: int) -> None:
    """Undo a skip, if there is one."""
    viewer_id = user_id()
    if viewer_id:
        suggestions.restore(viewer_id, movie_id)
    else:
        session["skipped"] = [other for other in session_skips() if other != movie_id]


def is_unwanted(movie_id: int) -> bool:
    """Return whether the viewer dismissed the movie as not interesting."""
    viewer_id = user_id()
    return dismissals.is_unwanted(viewer_id, movie_id) if viewer_id else False


def move_session_ratings_to(new_user_id: int) -> None:
    """Save the visitor's ratings as those of this user; the user's own ratings stay."""
    if session_ratings():
        suggestions.add_missing(new_user_id, session_ratings())
    session.pop("ratings", None)


def session_ratings() -> dict[int, float]:
    """Return the ratings in the session, in stars by movie id, the newest last."""
    # The cookie is JSON, whose keys are text.
    return {int(movie_id): value for movie_id, value in session.get("ratings", {}).items()}


def store_session_ratings(stars: Mapping[int, float]) -> None:
    """Replace the ratings in the session."""
    session["ratings"] = {str(movie_id): value for movie_id, value in stars.items()}


def session_skips() -> list[int]:
    """Return the ids of the movies that the visitor skipped, the newest last."""
    return list(session.get("skipped", ()))
