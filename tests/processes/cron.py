"""`python -m tests.cron FILE`: `flask cron` on a clock that is so many seconds ahead as FILE says at the moment.

Nothing else is changed but that it looks at the clock more often.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

import rq.cron
from rq.utils import now

from recsite import create_app
from recsite.jobs import schedule

ahead = Path(sys.argv[1])


def shifted() -> datetime:
    """The time on the test's clock."""
    return now() + timedelta(seconds=float(ahead.read_text()))


if __name__ == "__main__":
    rq.cron.now = schedule.now = shifted
    schedule.LOOK_EVERY_SECONDS = 0.05
    app = create_app()
    with app.app_context():
        app.cli.main(["cron"])
