"""Times of several ways to do one thing, measured in turn, so that a busy machine slows all of them alike."""

import statistics
import time
from collections.abc import Callable

Work = Callable[[], object]
PAUSE_SECONDS = 0.3
"Pause between two measurements: the threads of a BLAS keep a core busy for a while after their work."


def in_turn(works: dict[str, Work], runs: int) -> dict[str, list[float]]:
    """Return the seconds of each work, `runs` times after one warm-up run."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for run in range(runs + 1):
        for name, work in works.items():
            time.sleep(PAUSE_SECONDS)
            started = time.perf_counter()
            work()
            if run:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def table(seconds: dict[str, list[float]], peer: str) -> str:
    """Return a line for each work: median, minimum and maximum, and its median relative to the peer's."""
    base = statistics.median(seconds[peer])
    return "\n".join(
        f"  {name:<34} {statistics.median(each):>8.3f} s  ({min(each):.3f}–{max(each):.3f})  "
        f"{statistics.median(each) / base:>8.2f} × {peer}"
        for name, each in seconds.items()
    )
