"""Progress of a command: a bar on a terminal, a line every few seconds in a log."""

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
        with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

            def draw(done: int, total: int) -> None:
                bar.length = max(total, 1)
                bar.update(done - bar.pos)

            yield draw
        return

    last = time.monotonic()

    def write(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES or done == total > 0:
            last = time.monotonic()
            click.echo(f"{label}: {done} of {total}", err=True)

    yield write
