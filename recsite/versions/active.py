"""The extension that holds the active version: loaded once at start, followed within a second, swapped in one step."""

import logging
import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from recsite.ml.files import OpenedVersion, open_version
from recsite.ml.pickles import UntrustedFile
from recsite.storage.queries import CommittedRead
from recsite.storage.tables import ModelVersion
from recsite.storage.timeouts import wait_for_lock

MODEL_TYPE = "surprise"
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
        """Return this version with its files opened.

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
        self.polled_at = -math.inf
        self.lock = threading.Lock()


class Recommender:
    """The extension: `recommender.current()` is the version to answer with, or None, which is a normal state."""

    def init_app(self, app: Flask) -> None:
        """Load the active version, if the database has one already."""
        app.extensions["recommender"] = State()
        with app.app_context():
            self.current()

    def current(self, active_id: int | None = None) -> LoadedVersion | None:
        """Return the active version as this process knows it, at most `POLL_SECONDS` old; None when there is none.

        A caller that has just read the active version's id passes it, so that a switch is followed at once. While the
        database fails, or refuses the new version's files, the last good version stays.
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
        """Poll the database at once, as after an activation in this process."""
        state: State = current_app.extensions["recommender"]
        with state.lock:
            follow(state)


def follow(state: State) -> None:
    """Load the active version into `state.loaded`, unless it is loaded already."""
    try:
        row = find_active_row()
    except SQLAlchemyError as error:
        # The loaded version goes on serving. With nothing loaded the tables may not exist yet, which is no warning.
        level = logging.WARNING if state.loaded else logging.DEBUG
        log.log(level, "cannot read which model version is active: %s", error.__class__.__name__)
        return
    if row is None:
        state.loaded = None
        return
    if state.loaded is not None and state.loaded.version_id == row.id:
        return
    try:
        state.loaded = LoadedVersion.load(*row)
        log.info("model version %s is loaded", row.version_name)
    except UntrustedFile as error:
        if state.refused_id != row.id:  # Log it once, not once a second.
            log.error("model version %s is not loaded: %s", row.version_name, error)
        state.refused_id = row.id


def find_active_row() -> ActiveRow | None:
    """Return the row of the active version."""
    rows = READ_ACTIVE.rows()
    return ActiveRow(*rows[0]) if rows else None


def models_root() -> Path:
    """Return the folder above all model types."""
    root: Path = current_app.config["MEDIA_ROOT"]
    return root / "ml" / "models"


def folder() -> Path:
    """Return the folder that holds the files of the versions."""
    return models_root() / MODEL_TYPE


recommender = Recommender()
