"""The extension that holds the active version: loaded once at start, followed within a second, swapped in one step."""

import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import NamedTuple, Self

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from recsite.ml.files import OpenedVersion, open_version
from recsite.ml.pickles import UntrustedFile
from recsite.storage import media
from recsite.storage.queries import CommittedRead
from recsite.storage.tables import ModelVersion
from recsite.storage.timeouts import wait_for_lock
from recsite.versions import copies
from recsite.versions.fetching import Fetcher
from recsite.versions.originals import folder

POLL_SECONDS = 1.0
"How old the knowledge of the active version may be; a switch is promised within 2 s."
WAIT_AFTER_SECONDS = 1.5
"A process may have slept for an hour: with older knowledge a thread waits while another one polls."

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LoadedVersion:
    """A version in memory. A request keeps one of these from start to end; each is equal only to itself."""

    version_id: int
    version_name: str
    opened: OpenedVersion

    @classmethod
    def load(cls, version_id: int, version_name: str, manifest_sha256: str) -> Self:
        """Return this version with this host's files opened.

        Raises:
            UntrustedFile: a file cannot be read or is not the recorded one.
        """
        return cls(version_id, version_name, open_version(folder() / version_name, manifest_sha256))


class ActiveRow(NamedTuple):
    """The columns of the active version that opening it takes."""

    id: int
    version_name: str
    manifest_sha256: str


READ_ACTIVE = CommittedRead(
    sa.select(ModelVersion.id, ModelVersion.version_name, ModelVersion.manifest_sha256).where(ModelVersion.is_active)
)


class State:
    """The loaded version of one app. Readers take the reference; one thread at a time looks for a newer version."""

    def __init__(self) -> None:
        self.loaded: LoadedVersion | None = None
        self.refused_id: int | None = None
        "The active version while it is refused or fetched. It is tried again once a second, not by each request."
        self.problem = ""
        "Why the active version is not the loaded one, as a sentence; empty if it is."
        self.polled_at = -math.inf
        self.lock = threading.Lock()
        self.fetcher = Fetcher(on_end=self.poll_soon)

    def poll_soon(self) -> None:
        """Let the next request look for a newer version, however new the knowledge is."""
        self.polled_at = time.monotonic() - POLL_SECONDS


class Recommender:
    """The extension: `recommender.current()` is the version to answer with, or None, which is a normal state."""

    def init_app(self, app: Flask) -> None:
        """Load the active version, if the database has one already and this host has its files."""
        state = app.extensions["recommender"] = State()
        with app.app_context():
            follow(state, may_fetch=False)

    def current(self, active_id: int | None = None) -> LoadedVersion | None:
        """Return the active version as this process knows it, at most `POLL_SECONDS` old; None when there is none.

        A caller that has just read the active version's id passes it, so that a switch is followed at once. While the
        database fails, the new version's files are fetched, or they are refused, the last good version stays.
        """
        state: State = current_app.extensions["recommender"]
        age = time.monotonic() - state.polled_at
        is_new = active_id is not None and active_id not in (state.loaded and state.loaded.version_id, state.refused_id)
        if age < POLL_SECONDS and not is_new:
            return state.loaded
        # While another thread loads, a thread waits only when it has nothing good to answer with.
        is_urgent = age >= WAIT_AFTER_SECONDS or (is_new and state.loaded is None)
        if wait_for_lock(state.lock) if is_urgent else state.lock.acquire(blocking=False):
            try:
                if is_new or time.monotonic() - state.polled_at >= POLL_SECONDS:
                    follow(state)
                    state.polled_at = time.monotonic()
            finally:
                state.lock.release()
        return state.loaded

    def follow_now(self) -> None:
        """Poll the database at once, as after an activation in this process, and wait for files that are fetched."""
        state: State = current_app.extensions["recommender"]
        with state.lock:
            follow(state)
        if state.fetcher.is_running:
            # Without the lock: requests go on with the old version.
            state.fetcher.wait()
            with state.lock:
                follow(state)

    def problem(self) -> str:
        """Return why the active version is not the loaded one, as a sentence; empty if it is."""
        state: State = current_app.extensions["recommender"]
        return state.problem


def follow(state: State, *, may_fetch: bool = True) -> None:
    """Load the active version into `state.loaded`, unless it is loaded already, or let its files be fetched."""
    try:
        row = find_active_row()
    except SQLAlchemyError as error:
        # The loaded version goes on serving. With nothing loaded the tables may not exist yet, which is no warning.
        level = logging.WARNING if state.loaded else logging.DEBUG
        log.log(level, "cannot read which model version is active: %s", error.__class__.__name__)
        return
    if row is None:
        state.loaded, state.problem = None, ""
        return
    if state.loaded is not None and state.loaded.version_id == row.id:
        state.problem = ""
        return
    try:
        state.loaded, state.problem = LoadedVersion.load(*row), ""
    except UntrustedFile as error:
        if media.is_shared():
            follow_from_afar(state, row, error, may_fetch=may_fetch)
        else:
            refuse(state, row, str(error))
        return
    log.info("model version %s is loaded", row.version_name)
    copies.tidy(row)


def follow_from_afar(state: State, row: ActiveRow, error: UntrustedFile, *, may_fetch: bool) -> None:
    """Fetch the files that this host lacks, or refuse the version if they are here and still not good."""
    fetcher = state.fetcher
    if fetcher.is_fetched and fetcher.wanted == row.manifest_sha256:
        refuse(state, row, str(error))
    elif may_fetch:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # a thread needs the app itself
        fetcher.start(app, row)
        state.refused_id = row.id
        state.problem = f"{row.version_name} is not loaded: {fetcher.problem or 'its files are being fetched.'}"


def refuse(state: State, row: ActiveRow, reason: str) -> None:
    """Keep the loaded version, and say why."""
    problem = f"{row.version_name} is not loaded: {reason}"
    if problem != state.problem:  # Log it once, not once a second.
        log.error("model version %s", problem)
    state.refused_id, state.problem = row.id, problem


def find_active_row() -> ActiveRow | None:
    """Return the row of the active version."""
    rows = READ_ACTIVE.rows()
    return ActiveRow(*rows[0]) if rows else None


recommender = Recommender()
