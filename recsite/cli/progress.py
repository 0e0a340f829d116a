"""Progress of a command: a bar with the time left on a terminal, a line with it every few seconds in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from recsite.ml.progress import Progress

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def shown_progress(label: str) -> Iterator[Progress]:
    """Yield a function that takes (done, total) and shows progress on standard error, so that output can be piped."""
    if sys.stderr.isatty():
        with click.progressbar(length=1, label=label, file=sys.stderr, show_pos=True) as bar:

            def draw(done: int, total: int) -> None:
                bar.length = max(total, 1)
                bar.update(done - bar.pos)

            yield draw
        return

    started = last = time.monotonic()
    shown = 0

    def write(done: int, total: int) -> None:
        nonlocal started, last, shown
        at = time.monotonic()
        if done < shown:
            # Another stage of the work counts from the beginning.
            started = last
        if at - last >= SECONDS_BETWEEN_LINES or done == total > 0:
            last, shown = at, done
            click.echo(f"{label}: {done} of {total}{rate_of(done, total, at - started)}", err=True)

    yield write


def rate_of(done: int, total: int, seconds: float) -> str:
    """Return the rate and the time left for a line about work that goes on, '' at its end."""
    if not 0 < done < total or seconds < 1:
        return ""
    rate = done / seconds
    return f", {rate:,.0f} a second, {(total - done) / rate:,.0f} s left"
