"""The callback by which long work reports how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"Called with the units done and the units in total."


def ignore(done: int, total: int) -> None:
    """Discard the report."""
