"""Repetition of a transaction that PostgreSQL ended because it and another waited for each other."""

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.database_errors import is_deadlock

ATTEMPTS = 3

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def retry_deadlocks(work: Callable[P, R]) -> Callable[P, R]:
    """Decorate work that is one whole transaction, and commits it: after a deadlock it is done again.

    Writers lock users by id, then movies by id. A rating of several movies and an import that changes many can still
    meet in another order.

    Raises:
        sqlalchemy.exc.OperationalError: the last of ATTEMPTS ended in a deadlock, too.
    """

    @functools.wraps(work)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS):
            try:
                return work(*args, **kwargs)
            except sa.exc.OperationalError as error:
                if not is_deadlock(error):
                    raise
                log.warning("%s is done again after attempt %d: %s", work.__qualname__, attempt, error.orig)
                db.session.rollback()
        return work(*args, **kwargs)

    return repeated
