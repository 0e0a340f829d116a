"""The files of versions on this host, below MEDIA_ROOT; what is missing comes from `originals.py`."""

import io
import logging
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

import numpy as np
import sqlalchemy as sa

from recsite.errors import MediaUnavailable
from recsite.ml.files import OpenedVersion, is_latest, open_version, point_latest_at, remove_version
from recsite.ml.pickles import UntrustedFile, unpickle
from recsite.ml.vocabulary import IntArray
from recsite.storage import media
from recsite.storage.queries import CommittedRead
from recsite.storage.tables import ModelVersion
from recsite.versions.originals import ROOT_KEY, Named, fetch, folder, key_of

T = TypeVar("T")

READ_PRUNED = CommittedRead(sa.select(ModelVersion.version_name).where(ModelVersion.pruned_at.is_not(None)))

log = logging.getLogger(__name__)


def remove(version: Named) -> None:
    """Remove the version's files from this host, and from MEDIA_URL if it is set; a failure of that is logged.

    Raises:
        OSError: a file of this host cannot be removed.
    """
    remove_version(folder(), version.version_name)
    if not media.is_shared():
        return
    try:
        media.connect().remove(key_of(version))
    except MediaUnavailable as error:
        log.warning("the files of %s stay below MEDIA_URL: %s", version.version_name, error)


def open_or_fetch(version: Named) -> OpenedVersion:
    """Return the version with this host's files opened, after fetching what it lacks.

    Raises:
        UntrustedFile: a file cannot be read or fetched, or is not the recorded one.
    """
    return fetching_if_needed(version, lambda: open_version(folder() / version.version_name, version.manifest_sha256))


def check(version: ModelVersion) -> None:
    """Read, hash and try every file that this host has of the version, after fetching what it lacks.

    Raises:
        UntrustedFile: a file cannot be read or fetched, or is not the recorded one.
    """
    open_or_fetch(version)
    fetching_if_needed(version, lambda: unpickle(folder() / f"{version.version_name}.pkl", {version.sha256}))


def fetching_if_needed(version: Named, read: Callable[[], T]) -> T:
    """Return what `read` returns; where it refuses this host's files and MEDIA_URL is set, fetch them and try again."""
    try:
        return read()
    except UntrustedFile:
        if not media.is_shared():
            raise
    fetch(version)
    return read()


def tidy(active: Named) -> None:
    """On a host of several: point its latest.pkl at the active version, and remove its copies of pruned versions."""
    if not media.is_shared():
        return
    try:
        if not is_latest(folder(), active.version_name):
            point_latest_at(folder(), active.version_name)
        pruned = {name for (name,) in READ_PRUNED.rows()}
        for name in pruned & {path.stem for path in folder().glob("model-*")}:
            remove_version(folder(), name)
    except (OSError, sa.exc.SQLAlchemyError) as error:
        log.warning("latest.pkl or old files in %s are not up to date: %s", folder(), error)


def read_user_ids(version: Named) -> IntArray:
    """Return the ids of the users that the version was trained on, from this host or else from MEDIA_URL.

    Raises:
        FileNotFoundError: MEDIA_URL is not set, and this host does not have the file.
        MediaUnavailable: the file cannot be read.
        OSError, ValueError: the file cannot be read or is damaged.
    """
    path = folder() / version.version_name / "user_ids.npy"
    if media.is_shared() and not path.exists():
        content = media.connect().read(f"{key_of(version)}/{path.name}")
        ids: IntArray = np.load(io.BytesIO(content), allow_pickle=False)
        return ids
    mapped: IntArray = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


def list_strays(recorded: Collection[str], kept: Iterable[Named]) -> list[str]:
    """Return what belongs to no version, sorted: names of this host that are not recorded, folders of no kept version.

    Raises:
        MediaUnavailable: the folders below MEDIA_URL cannot be listed.
    """
    strays = {path.stem for path in folder().glob("model-*")} - set(recorded)
    if media.is_shared():
        store = media.connect()
        found = {f"{ROOT_KEY}/{name}" for name in store.list_folder(ROOT_KEY) if name.startswith("model-")}
        strays |= {store.address(key) for key in found - {key_of(version) for version in kept}}
    return sorted(strays)
