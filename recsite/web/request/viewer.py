"""Whoever looks at a page, and their ratings: an account's are in the database, a visitor's in the signed session."""

# flask-login ships no types.

import contextlib
from collections.abc import Mapping

from flask import session
from flask_login import current_user

from recsite import movies, ratings, suggestions
from recsite.errors import InvalidInput, NotFound
from recsite.ratings import dismissals

RATINGS_KEPT = 50
"A browser keeps some 4,000 bytes of a cookie; these ratings and SKIPS_KEPT movies take half of that."
SKIPS_KEPT = 100
"How many skipped movies a session remembers; the oldest come up again."


def user_id() -> int | None:
    """The account that is logged in; None for a visitor."""
    return current_user.id if current_user.is_authenticated else None


def rating_of(movie_id: int) -> float | None:
    """What the viewer gave the movie, in stars."""
    me = user_id()
    return ratings.rating_of(me, movie_id) if me else session_ratings().get(movie_id)


def count_of_ratings() -> int:
    """How many movies the viewer rated."""
    me = user_id()
    return ratings.count_of(me) if me else len(session_ratings())


def rate(movie_id: int, value: float) -> None:
    """The viewer's rating of the movie is `value`, and lists follow from it; raises InvalidInput, MovieNotFound."""
    me = user_id()
    if me:
        ratings.rate(me, movie_id, value)
        suggestions.refresh(me)
        return
    ratings.check_value(value)
    movies.get_visible(movie_id)
    others = {other: stars for other, stars in session_ratings().items() if other != movie_id}
    if len(others) >= RATINGS_KEPT:
        raise InvalidInput(f"Sign up to rate more than {RATINGS_KEPT} movies; what you rated so far is kept.")
    keep_ratings(others | {movie_id: value})


def unrate(movie_id: int) -> None:
    """The viewer has not rated the movie, and lists follow from that."""
    me = user_id()
    if me is None:
        keep_ratings({other: value for other, value in session_ratings().items() if other != movie_id})
        return
    # A second click finds nothing to take back, and that is what it wanted.
    with contextlib.suppress(NotFound):
        ratings.unrate(me, movie_id)
        suggestions.refresh(me)


def skip(movie_id: int) -> None:
    """No review shows the movie to this viewer again; raises MovieNotFound."""
    me = user_id()
    if me:
        dismissals.skip(me, movie_id)
    else:
        movies.get_visible(movie_id)
        session["skipped"] = [*(other for other in session_skips() if other != movie_id), movie_id][-SKIPS_KEPT:]


def unskip(movie_id: int) -> None:
    """The movie is as if it had not been skipped."""
    me = user_id()
    if me:
        dismissals.take_back(me, movie_id)
    else:
        session["skipped"] = [other for other in session_skips() if other != movie_id]


def is_unwanted(movie_id: int) -> bool:
    """Whether the viewer is not interested in the movie."""
    me = user_id()
    return dismissals.is_unwanted(me, movie_id) if me else False


def hand_over(new_id: int) -> None:
    """What the visitor rated is now this user's; where the user had a rating already, that one stays."""
    if session_ratings() and ratings.add_missing(new_id, session_ratings()):
        suggestions.refresh(new_id)
    session.pop("ratings", None)


def session_ratings() -> dict[int, float]:
    """What a visitor rated, in stars by movie, the newest last."""
    # JSON, of which the cookie is made, has text for keys.
    return {int(movie_id): value for movie_id, value in session.get("ratings", {}).items()}


def keep_ratings(kept: Mapping[int, float]) -> None:
    """The session has these ratings and no others."""
    session["ratings"] = {str(movie_id): value for movie_id, value in kept.items()}


def session_skips() -> list[int]:
    """What a visitor skipped, the newest last."""
    return list(session.get("skipped", ()))
