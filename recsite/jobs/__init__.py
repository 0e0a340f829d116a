"""Work in the background: runs and blocks as rows, RQ as their carrier, the worker, the schedule, health checks.

It imports every package below; `web` and `cli` import it. Start with `runs.py` (what others call), then `blocks.py`
(claims and leases) and `tasks.py` (what a run does).
"""

from recsite.jobs.erasing import clean_exports
from recsite.jobs.runs import cancel, count_by_state, find, list_latest, retry, score_after_activation, start

__all__ = [
    "cancel",
    "clean_exports",
    "count_by_state",
    "find",
    "list_latest",
    "retry",
    "score_after_activation",
    "start",
]
