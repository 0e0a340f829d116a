"""`python -m tests.processes.work GATE [--burst]`: `flask worker` with kinds of runs for tests.

Scoring waits at the gate: it does the first users at once, and the others when the file GATE exists.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from flask import current_app
from rq.job import Job

from recsite import create_app
from recsite.errors import NotEnoughRatings
from recsite.extensions import db
from recsite.jobs import tasks
from recsite.ml.progress import Progress
from recsite.storage.tables import Run, User

USERS_BEFORE_GATE = 2
"The users with the ids 1 to this one are scored at once."


def count_users(run: Run, on_progress: Progress) -> str:
    """Use the app's settings and its database."""
    assert current_app.config["SECRET_KEY"] == "test"
    return f"{db.session.query(User).count()} users"


def wait_for_file(run: Run, on_progress: Progress) -> str:
    """Add the process id to the file `ran`, then wait for the file `until`."""
    with Path(run.parameters["ran"]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not Path(run.parameters["until"]).exists():
        time.sleep(0.05)
    return "done"


def fail(run: Run, on_progress: Progress) -> str:
    """Fail in a way that nobody foresaw."""
    raise ZeroDivisionError("no reason")


def fail_for_good(run: Run, on_progress: Progress) -> str:
    """Fail in a way that has a name and does not pass by itself."""
    raise NotEnoughRatings("too few")


def note_callback(job: Job, *_: object) -> None:
    """Create the file that the job names, as a callback would that somebody put into Redis."""
    Path(job.meta["note"]).touch()


def add_gate(gate: Path) -> None:
    """Let the scoring of most users wait for this file."""
    score_block = tasks.score_block

    def score_behind_gate(run: Run, user_ids: Sequence[int]) -> None:
        while max(user_ids) > USERS_BEFORE_GATE and not gate.exists():
            time.sleep(0.05)
        score_block(run, user_ids)

    tasks.score_block = score_behind_gate


if __name__ == "__main__":
    tasks.KINDS |= {"count": count_users, "wait": wait_for_file, "fail": fail, "fail-for-good": fail_for_good}
    add_gate(Path(sys.argv[1]))
    app = create_app()
    with app.app_context():
        app.cli.main(["worker", *sys.argv[2:]])
