"""The originals of versions below MEDIA_URL, which every host fetches its files from, if it is set.

    model-85-0f3a9b2c71de/      the name and the start of the manifest's SHA-256, so that two hosts that train at the
        model.pkl               same time never write to one folder
        bi.npy, …
        manifest.json           uploaded last: with it, the version is whole
    latest.pkl                  a copy of the active version

Files are fetched under a temporary name, compared with the hashes that the database recorded, and moved into place.
"""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from flask import current_app

from recsite.errors import MediaUnavailable
from recsite.ml.files import FOLDER_MODE, make_folder, publish, sha256_of
from recsite.ml.latest import flush
from recsite.ml.pickles import UntrustedFile
from recsite.storage import media
from recsite.storage.media import Store

MODEL_TYPE = "surprise"
ROOT_KEY = f"ml/models/{MODEL_TYPE}"
MANIFEST, PICKLE = "manifest.json", "model.pkl"
HASH_DIGITS = 12
FETCHING = ".fetching-"
"How the temporary folder of a fetch begins."

log = logging.getLogger(__name__)


class Named(Protocol):
    """What is known of a version's files: a row, or what was just written."""

    @property
    def version_name(self) -> str:
        """The name."""

    @property
    def manifest_sha256(self) -> str:
        """The SHA-256 of the manifest, which names that of each other file."""


def models_root() -> Path:
    """Return the folder above all model types."""
    root: Path = current_app.config["MEDIA_ROOT"]
    return root / "ml" / "models"


def folder() -> Path:
    """Return the folder that holds this host's files of the versions."""
    return models_root() / MODEL_TYPE


def key_of(version: Named) -> str:
    """Return the key of the version's folder below MEDIA_URL."""
    return f"{ROOT_KEY}/{version.version_name}-{version.manifest_sha256[:HASH_DIGITS]}"


def upload(version: Named) -> None:
    """Store the version's files below MEDIA_URL, if it is set. After an error the caller removes what is there already.

    Raises:
        MediaUnavailable: they cannot be stored.
    """
    if not media.is_shared():
        return
    store, key, here = media.connect(), key_of(version), folder() / version.version_name
    files = {PICKLE: here.with_name(f"{version.version_name}.pkl")}
    files |= {path.name: path for path in sorted(here.glob("*.npy"))} | {MANIFEST: here / MANIFEST}
    for name, path in files.items():
        store.upload(path, f"{key}/{name}")


def publish_active(version: Named) -> None:
    """Let other hosts find the active version below MEDIA_URL, if it is set, and make latest.pkl there a copy of it.

    A version that was trained before MEDIA_URL was set is uploaded now. A failure is logged: this host serves its own
    copy, and an activation that corrects a bad version must not wait for the bucket.
    """
    if not media.is_shared():
        return
    try:
        store = media.connect()
        if not store.exists(f"{key_of(version)}/{MANIFEST}"):
            upload(version)
        store.copy(f"{key_of(version)}/{PICKLE}", f"{ROOT_KEY}/latest.pkl")
    except MediaUnavailable as error:
        log.warning("other hosts may not find version %s: %s", version.version_name, error)


def check_original(version: Named) -> None:
    """Read and hash every file of the version below MEDIA_URL, or raise UntrustedFile."""
    with temporary_folder() as building:
        gather(version, building)


def fetch(version: Named) -> None:
    """Bring the files of the version to this host; one process at a time fetches.

    1. Remove what killed fetches left.
    2. Take each file from this host, if it has the recorded one already, else from MEDIA_URL, into a temporary folder.
    3. Move them into place.

    Raises:
        UntrustedFile: a file cannot be fetched or is not the recorded one. This host keeps the files that it had.
    """
    try:
        with locked_root() as root:
            for leftover in root.glob(f"{FETCHING}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            here = root / version.version_name
            with temporary_folder() as building:
                gather(version, building, here)
                (building / PICKLE).replace(here.with_name(f"{here.name}.pkl"))
                if here.exists():
                    # A folder that holds files cannot be replaced. Processes that map the old files keep them.
                    here.rename(building.with_name(f"{building.name}-replaced"))
                building.rename(here)
                flush(root)
            shutil.rmtree(building.with_name(f"{building.name}-replaced"), ignore_errors=True)
    except OSError as error:
        raise UntrustedFile(f"{version.version_name} cannot be fetched to {folder()}: {error.strerror}.") from error


def gather(version: Named, building: Path, here: Path | None = None) -> None:
    """Put the recorded files of the version into `building`.

    Those that this host has already, in the folder `here` and beside it, are linked or copied.
    """
    key = key_of(version)
    try:
        store = media.connect()
        manifest_path = building / MANIFEST
        take(store, f"{key}/{MANIFEST}", manifest_path, version.manifest_sha256, here and here / MANIFEST)
        manifest = json.loads(manifest_path.read_bytes())
        for name, listed in manifest["arrays"].items():
            file_name = f"{name}.npy"
            take(store, f"{key}/{file_name}", building / file_name, listed["sha256"], here and here / file_name)
        pickle_here = here and here.with_name(f"{here.name}.pkl")
        take(store, f"{key}/{PICKLE}", building / PICKLE, manifest["pickle"]["sha256"], pickle_here)
    except MediaUnavailable as error:
        raise UntrustedFile(str(error)) from error


def take(store: Store, key: str, path: Path, sha256: str, existing: Path | None) -> None:
    """Make `path` the file with this hash: the existing one, if it has the hash, else what the key holds.

    Raises:
        UntrustedFile: the key holds another file.
        MediaUnavailable: the key cannot be read.
    """
    if existing is not None and existing.is_file() and sha256_of(existing) == sha256:
        try:
            os.link(existing, path)
        except OSError:
            shutil.copyfile(existing, path)
    else:
        store.download(key, path)
    if sha256_of(path) != sha256:
        raise UntrustedFile(
            f"{store.address(key)} is not the file that the database recorded; restore it there or train again."
        )
    publish(path)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder beside the versions, and remove what is left of it after the block."""
    make_folder(folder())
    path = Path(tempfile.mkdtemp(prefix=FETCHING, dir=folder()))
    path.chmod(FOLDER_MODE)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def locked_root() -> Iterator[Path]:
    """Yield the folder of the versions, locked for one fetching process; the lock ends with the process."""
    make_folder(folder())
    descriptor = os.open(folder(), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder()
    finally:
        os.close(descriptor)
