"""The table of faults: `python -m tests.bench.faults`; ends with 1 when anything is lost, differs or does not heal.

1. A whole site runs in real processes on PostgreSQL, under loops that start what died again.
2. For each activity, readers and raters come at a fixed rate. First nobody is killed; what follows is held against it.
3. In the middle of the activity one process is killed with SIGKILL; the activity ends, the requests are answered again.
4. The database is compared: each acknowledged rating, and what the activity wrote.
"""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.tables import Rating
from tests.bench.faults.compare import lists_follow
from tests.bench.faults.load import Load
from tests.bench.faults.site import RATERS, Site, eventually, running_site
from tests.bench.faults.work import ACTIVITIES, Serving

VICTIMS = ("worker", "horse", "web", "redis", "postgresql", "command")
"The horse is the child in which a worker does a job; the command is `flask import`; of several processes one dies."
NOBODY = "nobody"
LEAD_SECONDS = 2
QUIET_SECONDS = 3
"How long requests have to be answered well for the site to count as healed."
HEAL_SECONDS = 60
LONGEST_SECONDS = 120
"Of one activity until its middle, or to its end without a kill."
DIFFERING_SHOWN = 5
HEADER = (
    f"{'killed':<11} {'during':<9} {'sent':>6} {'failed':>6} {'at once':>7} {'503':>5} {'slowest':>8} "
    f"{'rated':>6} {'lost':>5} {'differ':>6} {'answers':>8} {'work':>8} {'longer':>8}"
)


@dataclass(frozen=True)
class Cell:
    """One line of the table."""

    victim: str
    activity: str
    sent: int
    failed: int
    "Neither answered well nor put off: refused, cut off, no answer in time, or another status."
    at_once: int
    "Of these: on their way when the victim died, which nothing can mend for the client."
    put_off: int
    "Answered 503 with Retry-After."
    slowest: float
    rated: int
    "Ratings that were acknowledged."
    lost: int
    differing: Sequence[str]
    "Each in words."
    answers_after: float | None
    "Seconds from the kill to the end of the last request that was not answered well; None where that did not come."
    work_after: float | None
    "Seconds from the kill to the end of the activity, with every list made from its user's ratings."
    longer: float | None
    "Seconds that the activity took longer than with nobody killed."

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost, nothing differs and all healed in time."""
        healed = [seconds is not None and seconds <= HEAL_SECONDS for seconds in (self.answers_after, self.work_after)]
        return not self.lost and not self.differing and all(healed)

    def line(self) -> str:
        """As it stands in the table."""
        return (
            f"{self.victim:<11} {self.activity:<9} {self.sent:>6,} {self.failed:>6} {self.at_once:>7} "
            f"{self.put_off:>5} {self.slowest:>6.2f} s {self.rated:>6,} {self.lost:>5} {len(self.differing):>6} "
            f"{shown(self.answers_after)} {shown(self.work_after)} {shown(self.longer)}"
        )


def shown(seconds: float | None) -> str:
    """In a column."""
    return f"{'never':>8}" if seconds is None else f"{seconds:>6.1f} s"


def run_cell(site: Site, victim: str, activity: str, rate: float, undisturbed: Serving | None) -> tuple[Cell, Serving]:
    """Do the activity under load, kill the victim in the middle of it, and look at what is left."""
    if eventually(site.is_whole, HEAL_SECONDS) is None:
        raise RuntimeError(f"The site was not whole before {victim} was to be killed during {activity}.")
    work = ACTIVITIES[activity](site, undisturbed)
    load = Load(site.port, rate, seed=f"{victim}-{activity}", known=read_ratings() if work.keeps_ratings else None)
    try:
        time.sleep(LEAD_SECONDS)
        began_at = time.monotonic()
        work.begin()
        if eventually(work.is_midway, LONGEST_SECONDS) is None:
            raise RuntimeError(f"The middle of {activity} did not come.")
        killed_at = time.monotonic() if victim == NOBODY else kill(site, victim, is_at_work=work.has_jobs)
        # Work is begun again within a minute, and then takes its time.
        longest = HEAL_SECONDS + undisturbed.seconds if undisturbed else LONGEST_SECONDS
        work_after = eventually(lambda: work.is_done() and lists_follow(), longest)
        ended_at = time.monotonic()
        work.seconds = ended_at - began_at
        is_well = eventually(lambda: is_quiet(load, killed_at), HEAL_SECONDS)
    finally:
        load.stop()
    answered = load.answered
    cell = Cell(
        victim,
        activity,
        sent=len(answered),
        failed=sum(each.is_failed for each in answered),
        at_once=sum(each.is_failed and each.sent_at <= killed_at for each in answered),
        put_off=sum(each.is_put_off for each in answered),
        slowest=max(each.ended_at - each.sent_at for each in answered),
        rated=load.n_taken,
        lost=load.count_lost(),
        differing=work.find_differing(load.told),
        answers_after=max(load.seconds_until_well(killed_at), 0) if is_well is not None else None,
        work_after=work_after and ended_at - killed_at,
        longer=work.seconds - undisturbed.seconds if undisturbed else 0.0,
    )
    work.end()
    return cell, work


def read_ratings() -> Mapping[int, Sequence[tuple[int, float]]]:
    """Movies and values of those who rate."""
    found: dict[int, list[tuple[int, float]]] = {}
    of_raters = sa.select(Rating.user_id, Rating.movie_id, Rating.value).where(Rating.user_id.in_(RATERS))
    for user_id, movie_id, value in db.session.execute(of_raters):
        found.setdefault(user_id, []).append((movie_id, value))
    return found


def kill(site: Site, victim: str, *, is_at_work: bool) -> float:
    """The victim is dead, its connections too; returns since when. Raises RuntimeError if there was none for long."""
    deadline = time.monotonic() + HEAL_SECONDS
    while time.monotonic() < deadline:
        pid = site.find_victim(victim, is_at_work=is_at_work)
        with contextlib.suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                # A process that looks dead may still have threads, and these hold its connections: until it is gone.
                while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
                    time.sleep(0.001)
                return time.monotonic()
        time.sleep(0.01)
    raise RuntimeError(f"There was no {victim} to kill.")


def is_quiet(load: Load, since: float) -> bool:
    """Whether the last seconds had answers and good ones only."""
    ended_at = max(since, since + load.seconds_until_well(since))
    return time.monotonic() - ended_at >= QUIET_SECONDS and load.answered[-1].ended_at > ended_at


def run_table(site: Site, victims: Sequence[str], activities: Sequence[str], rate: float) -> bool:
    """Print the lines as they come; whether all are good."""
    is_good = True
    say(HEADER)
    for activity in activities:
        undisturbed: Serving | None = None
        for victim in (NOBODY, *victims):
            if victim != NOBODY and victim not in ACTIVITIES[activity].victims:
                say(f"{victim:<11} {activity:<9} {'–':>6}")
                continue
            cell, work = run_cell(site, victim, activity, rate, undisturbed)
            undisturbed = undisturbed or work
            is_good = is_good and cell.is_good
            say(cell.line() + ("" if cell.is_good else "  !"))
            for each in cell.differing[:DIFFERING_SHOWN]:
                say(f"    differs: {each}")
    return is_good


def say(line: str) -> None:
    """Print it at once."""
    print(line, flush=True)  # noqa: T201 - the table is what this program is for


def names_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """A parser of names joined by commas, each a known one."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        unknown = set(names) - {*known}
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: there are {', '.join(known)}.")
        return names

    return parse


def main() -> int:
    """Print the table; 0 when all is good."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.faults", description=__doc__)
    parser.add_argument("--victims", type=names_of(VICTIMS), default=VICTIMS, help=f"of {', '.join(VICTIMS)}")
    parser.add_argument("--during", type=names_of([*ACTIVITIES]), default=[*ACTIVITIES], help="activities, likewise")
    parser.add_argument("--rate", type=float, default=200, help="requests a second, a tenth of them ratings")
    parser.add_argument("--logs", type=Path, help="keep what the processes printed in this folder")
    chosen = parser.parse_args()
    # Whoever is told to end stops what was started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="recsite-faults-") as name:
        # PostgreSQL runs as a user of its own and has to get through.
        Path(name).chmod(0o755)
        try:
            with running_site(Path(name)) as site:
                is_good = run_table(site, chosen.victims, chosen.during, chosen.rate)
        finally:
            if chosen.logs:
                chosen.logs.mkdir(parents=True, exist_ok=True)
                for log in Path(name).glob("*.log"):
                    shutil.copy(log, chosen.logs)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
