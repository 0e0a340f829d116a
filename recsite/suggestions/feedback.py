"""What a user says about movies: each call saves it and brings the user's list up to date, in one transaction.

If the list cannot be computed, what the user said is saved all the same, and a worker repairs the list later: its
rating generation is behind.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from recsite import ratings
from recsite.accounts import user_admin
from recsite.errors import RecsiteError
from recsite.extensions import db
from recsite.ml.candidates import Candidates
from recsite.ratings import dismissals, history
from recsite.storage.deadlocks import retry_deadlocks
from recsite.storage.tables import HistoryImport
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.scoring import write_list
from recsite.versions.active import LoadedVersion, recommender

T = TypeVar("T")

log = logging.getLogger(__name__)


def rate(user_id: int, movie_id: int, stars: float, at: datetime | None = None) -> bool:
    """Save the user's rating of a visible movie, replacing an earlier one; return whether there was none.

    `at` is when the user rated; None is now.

    Raises:
        InvalidInput: `stars` is not 0.5 to 5.0 in halves.
        MovieNotFound: no visible movie has this id.
        UserNotFound: no user has this id.
    """
    return save_with_list(user_id, lambda: ratings.save_rating(user_id, movie_id, stars, at))


def unrate(user_id: int, movie_id: int) -> tuple[float, datetime]:
    """Withdraw the user's rating of the movie; return its value in stars and its time.

    Raises:
        NotFound: the user has not rated this movie.
        UserNotFound: no user has this id.
    """
    return save_with_list(user_id, lambda: ratings.delete_rating(user_id, movie_id))


def put_back(user_id: int, movie_id: int, stars: float, at: datetime) -> bool:
    """Save a rating again that the user withdrew; return False, and change nothing, if there is a newer one.

    Raises:
        MovieNotFound: no visible movie has this id.
        UserNotFound: no user has this id.
    """
    if ratings.rating_of(user_id, movie_id) is not None:
        return False
    return save_with_list(user_id, lambda: ratings.save_rating(user_id, movie_id, stars, at))


def add_missing(user_id: int, stars: Mapping[int, float]) -> int:
    """Save these ratings, in stars by movie id, where the user has none yet; return how many were saved.

    Movies that do not exist or are hidden are left out.

    Raises:
        UserNotFound: no user has this id.
    """
    return save_with_list(user_id, lambda: ratings.save_missing_ratings(user_id, stars))


def remove_rating(user_id: int, movie_id: int, by: str) -> None:
    """Withdraw a user's rating on behalf of the admin `by`, and record that in the audit log.

    Raises:
        NotFound: the user has not rated this movie.
        UserNotFound: no user has this id.
    """
    save_with_list(user_id, lambda: user_admin.remove_rating(user_id, movie_id, by))


def dismiss(user_id: int, movie_id: int) -> None:
    """Leave the movie out of the user's lists and reviews.

    Raises:
        MovieNotFound: no visible movie has this id.
        UserNotFound: no user has this id.
    """
    save_with_list(user_id, lambda: dismissals.save_dismissal(user_id, movie_id))


def restore(user_id: int, movie_id: int) -> None:
    """Undo a dismissal or a skip, if there is one."""
    save_with_list(user_id, lambda: dismissals.delete_dismissal(user_id, movie_id))


def save_import(user_id: int, import_id: int, *, replace: bool) -> HistoryImport:
    """Save an import's rows as the user's ratings, all or none; with `replace` also where the user's value differs.

    Raises:
        NotFound: this user has no import with this id.
        UserNotFound: no user has this id.
    """
    return save_with_list(user_id, lambda: history.save(user_id, import_id, replace=replace))


def undo_import(user_id: int, import_id: int) -> HistoryImport:
    """Restore the ratings as they were before the import; later changes of the user stay.

    Raises:
        NotFound: this user has no import with this id.
        UserNotFound: no user has this id.
    """
    return save_with_list(user_id, lambda: history.undo(user_id, import_id))


@retry_deadlocks
def save_with_list(user_id: int, save: Callable[[], T]) -> T:
    """Call `save`, which writes without a commit, compute and write the user's list, and commit both.

    1. Load the active version and the candidates, before anything is locked.
    2. Save, and score the user from the ratings in this transaction.
    3. If scoring fails, roll back, save again without the list, and commit that.

    A failure of `save` itself is raised.
    """
    version, candidates = load_for_scoring(user_id)
    saved = save_or_roll_back(save)
    if version is not None and candidates is not None:
        try:
            write_list(version, candidates, user_id)
        except Exception:
            log.exception("the list of user %d is left to a worker: scoring failed", user_id)
            db.session.rollback()
            saved = save_or_roll_back(save)
    db.session.commit()
    return saved


def load_for_scoring(user_id: int) -> tuple[LoadedVersion | None, Candidates | None]:
    """Return the active version and its candidates; None without an active version, or if they cannot be loaded."""
    try:
        version = recommender.current()
        return version, find_candidates(version, catalog_generation()) if version else None
    except Exception:
        log.exception("the list of user %d is left to a worker: version or movies cannot be loaded", user_id)
        db.session.rollback()
        return None, None


def save_or_roll_back(save: Callable[[], T]) -> T:
    """Call `save`; if it raises one of our errors, end the transaction, which would hold locks until the response."""
    try:
        return save()
    except RecsiteError:
        db.session.rollback()
        raise
