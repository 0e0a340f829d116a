"""`python -m tests.processes.cron CLOCK`: `flask cron` whose clock is ahead by the seconds in the file CLOCK.

It looks at the clock twenty times a second, and after each look writes the time of the look into CLOCK.<process id>.
"""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import rq.cron
from rq.utils import now

from recsite import create_app
from recsite.jobs import schedule
from recsite.jobs.schedule import Timers

clock = Path(sys.argv[1])
start_due = schedule.start_due


def shifted() -> datetime:
    """Return the time on the test's clock."""
    return now() + timedelta(seconds=float(clock.read_text()))


def look(timers: Timers) -> list[int]:
    """Start what is due and note when."""
    at = shifted()
    run_ids = start_due(timers)
    write(Path(f"{clock}.{os.getpid()}"), at.isoformat())
    return run_ids


def write(path: Path, text: str) -> None:
    """Replace the file in one step, so that nobody reads a part of it."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    rq.cron.now = schedule.now = shifted  # type: ignore[attr-defined]  # both modules have imported the name
    schedule.CHECK_SECONDS = 0.05
    schedule.start_due = look
    app = create_app()
    with app.app_context():
        app.cli.main(["cron"])
