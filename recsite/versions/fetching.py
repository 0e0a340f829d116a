"""A thread that fetches the files of a version while this process answers with the version that it has."""

import logging
import math
import threading
import time
from collections.abc import Callable

from flask import Flask

from recsite.ml.pickles import UntrustedFile
from recsite.versions import originals
from recsite.versions.originals import Named

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"The pause after a failure doubles from the first to the longest, so a bucket that is back is noticed within a minute."

log = logging.getLogger(__name__)


class Fetcher:
    """The fetch of one app, and the problem of the last one. One thread at a time runs; it calls `on_end`."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.on_end = on_end
        self.thread: threading.Thread | None = None
        self.wanted = ""
        "The SHA-256 of the manifest of the version that was asked for last."
        self.is_fetched = False
        "Whether its files are here, so that a version which is still refused is not fetched again and again."
        self.problem = ""
        "Why the last fetch failed, as a sentence; empty after a success."
        self.pause_seconds = FIRST_PAUSE_SECONDS
        self.next_at = -math.inf

    @property
    def is_running(self) -> bool:
        """Whether a fetch is on its way."""
        return self.thread is not None and self.thread.is_alive()

    def start(self, app: Flask, version: Named) -> None:
        """Fetch the version in a thread, unless one runs or the pause after the last failure is not over."""
        if version.manifest_sha256 != self.wanted:
            self.wanted, self.is_fetched, self.problem = version.manifest_sha256, False, ""
            self.pause_seconds, self.next_at = FIRST_PAUSE_SECONDS, -math.inf
        if self.is_running or time.monotonic() < self.next_at:
            return
        self.thread = threading.Thread(target=self.run, args=(app, version), name="fetch a version", daemon=True)
        self.thread.start()

    def run(self, app: Flask, version: Named) -> None:
        """Fetch the version, and record how that ended for the version that is wanted now."""
        problem = ""
        with app.app_context():
            try:
                originals.fetch(version)
            except UntrustedFile as error:
                problem = str(error)
        if version.manifest_sha256 != self.wanted:
            return
        if problem and problem != self.problem:  # Log it once, not at each attempt.
            log.error("model version %s is not fetched: %s", version.version_name, problem)
        self.problem, self.is_fetched = problem, not problem
        self.next_at = time.monotonic() + self.pause_seconds
        self.pause_seconds = min(2 * self.pause_seconds, LONGEST_PAUSE_SECONDS)
        self.on_end()

    def wait(self) -> None:
        """Wait until the fetch that runs is over."""
        if self.thread is not None:
            self.thread.join()
