"""The part of an erasure that may take long: a worker does it then."""

import contextlib
import logging

from recsite.accounts import erasure
from recsite.errors import MediaUnavailable, QueueUnavailable, RunInTheWay
from recsite.jobs import runs

log = logging.getLogger(__name__)


def clean_exports(user_id: int) -> None:
    """Remove an erased user from earlier exports: in a worker if that takes long and a run can start, else now."""
    if not erasure.is_quick():
        with contextlib.suppress(QueueUnavailable, RunInTheWay):
            run_id = runs.start("erase", by=f"deleted user {user_id}", subject=str(user_id))
            log.info("run %d takes deleted user %d out of earlier exports", run_id, user_id)
            return
    try:
        erasure.clean_exports()
    except MediaUnavailable as error:
        log.warning("deleted user %d is still in earlier exports, until the next one: %s", user_id, error)
