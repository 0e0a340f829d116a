"""The RQ job of a worker, which calls the site's own function only, never another that a job in Redis names."""

from collections.abc import Callable
from typing import Any

from rq.job import Job

from recsite.jobs.runs import DO_NEXT


class ForeignJob(Exception):
    """A job names a function that the site does not queue."""

    def __init__(self, name: str | None) -> None:
        super().__init__(f"A job in Redis asks for {str(name)[:200]!r}, which this site does not queue; refused.")


class SiteJob(Job):
    """A job that calls `tasks.do_next` and nothing else.

    RQ imports and calls any name that it reads in Redis, so any client that can write there could run any command.
    """

    @property
    def func(self) -> Callable[..., Any]:
        """Return `tasks.do_next`; raise ForeignJob if the job asks for something else."""
        if self.func_name != DO_NEXT or self.instance is not None:
            raise ForeignJob(self.func_name)
        function: Callable[..., Any] = super().func
        return function

    @property
    def success_callback(self) -> None:
        """Return None: the site uses no callbacks."""

    @property
    def failure_callback(self) -> None:
        """Return None."""

    @property
    def stopped_callback(self) -> None:
        """Return None."""
