"""Times of several ways to do one thing, taken in turn, so that a busy machine is unfair to none of them."""

import statistics
import time
from collections.abc import Callable

Work = Callable[[], object]
PAUSE_SECONDS = 0.3
"Between two works: the threads of a BLAS go on for a while after their work, waiting busily for more."


def in_turn(works: dict[str, Work], runs: int) -> dict[str, list[float]]:
    """Seconds of each work, `runs` times after one that does not count."""
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
    """A line for each work: median, least and most seconds, and the ratio of the medians to the peer's."""
    base = statistics.median(seconds[peer])
    return "\n".join(
        f"  {name:<34} {statistics.median(each):>8.3f} s  ({min(each):.3f}–{max(each):.3f})  "
        f"{statistics.median(each) / base:>8.2f} × {peer}"
        for name, each in seconds.items()
    )
