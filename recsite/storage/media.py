"""MEDIA_URL, the place that all hosts share: a folder or a bucket. This is the only module that calls fsspec.

A key is a path below MEDIA_URL, as 'exports/ratings/latest.csv'. fsspec and the driver of the bucket take a second to
import, so they are imported by the first use, and never where MEDIA_URL is empty.
"""

import contextlib
import functools
import importlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from flask import Flask, current_app
from rq.timeouts import JobTimeoutException

from recsite.config.parsers import BadSetting
from recsite.errors import MediaUnavailable

S3_TIMEOUTS = {"connect_timeout": 3, "read_timeout": 15, "retries": {"max_attempts": 0}}
"""Seconds that a request waits for the bucket. s3fs makes five attempts, so botocore repeats none. With a
server that accepts connections and is silent, a call fails after 78 s.
"""
OPTIONS: dict[str, dict[str, Any]] = {
    "file": {"auto_mkdir": True},
    "local": {"auto_mkdir": True},
    "s3": {"config_kwargs": S3_TIMEOUTS},
    "s3a": {"config_kwargs": S3_TIMEOUTS},
}
"Options of fsspec's drivers, by the scheme of MEDIA_URL."


class Store:
    """An open connection to MEDIA_URL.

    Every method raises MediaUnavailable if the place does not answer, refuses, or lacks the key.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        scheme = url.partition("://")[0]
        self.is_folder = scheme in ("file", "local")
        with explained("open", shown(url)):
            # fsspec's own cache would make a driver for each thread, and other hosts change what listings say.
            self.driver, self.root = importlib.import_module("fsspec.core").url_to_fs(
                url, skip_instance_cache=True, use_listings_cache=False, **OPTIONS.get(scheme, {})
            )

    def path(self, key: str) -> str:
        """Return the key as fsspec's driver takes it."""
        return f"{self.root.rstrip('/')}/{key}"

    def address(self, key: str) -> str:
        """Return the key with MEDIA_URL before it, for messages."""
        return f"{shown(self.url)}/{key}"

    def upload(self, path: Path, key: str) -> None:
        """Store the file under this key. Readers see the old file or the whole new one."""
        with explained("write", self.address(key)):
            if not self.is_folder:
                self.driver.put_file(str(path), self.path(key))
                return
            partial = f"{self.path(key)}.{os.urandom(4).hex()}.part"
            self.driver.put_file(str(path), partial)
            self.driver.mv(partial, self.path(key))

    def download(self, key: str, path: Path) -> None:
        """Write what the key holds to this file."""
        with explained("read", self.address(key)):
            self.driver.get_file(self.path(key), str(path))

    def read(self, key: str) -> bytes:
        """Return what the key holds."""
        with explained("read", self.address(key)):
            content: bytes = self.driver.cat_file(self.path(key))
            return content

    def copy(self, key: str, new_key: str) -> None:
        """Copy what one key holds to another one, without moving the bytes through this host."""
        with explained("write", self.address(new_key)):
            self.driver.cp_file(self.path(key), self.path(new_key))

    def remove(self, key: str) -> None:
        """Remove the file, or the folder with everything in it; a missing one is ignored."""
        with explained("remove", self.address(key)), contextlib.suppress(FileNotFoundError):
            self.driver.rm(self.path(key), recursive=True)

    def exists(self, key: str) -> bool:
        """Return whether there is a file under this key."""
        with explained("read", self.address(key)):
            return bool(self.driver.exists(self.path(key)))

    def list_folder(self, key: str) -> dict[str, int]:
        """Return the names directly below the key, sorted, each with its bytes; empty where there are none."""
        found: list[dict[str, Any]] = []
        with explained("list", self.address(key)), contextlib.suppress(FileNotFoundError):
            found = self.driver.ls(self.path(key), detail=True)
        names = {each["name"].rstrip("/").rpartition("/")[2]: each["size"] or 0 for each in found}
        return dict(sorted(names.items()))


def init_app(app: Flask) -> None:
    """Stop the start if nothing installed can open MEDIA_URL.

    Raises:
        BadSetting: the scheme is unknown or its driver is not installed.
    """
    if not app.config["MEDIA_URL"]:
        return
    scheme = app.config["MEDIA_URL"].partition("://")[0]
    known = importlib.import_module("fsspec.registry").known_implementations
    if scheme not in known:
        raise BadSetting(f"MEDIA_URL begins with {scheme}://, which fsspec does not know, use 's3://…' or 'file:///…'.")
    package = known[scheme]["class"].partition(".")[0]
    if importlib.util.find_spec(package) is None:
        advice = "pip install -r deploy/requirements-s3.txt" if package == "s3fs" else f"pip install {package}"
        raise BadSetting(f"MEDIA_URL begins with {scheme}://, which takes the package {package}: {advice}.")


def prepare(app: Flask) -> None:
    """Import the driver of MEDIA_URL at the start of a web process or worker, if the setting is given.

    The first fetch then takes a second less, and a worker does not fork while a thread imports.
    """
    with app.app_context(), contextlib.suppress(MediaUnavailable):
        if is_shared():
            connect()


def is_shared() -> bool:
    """Return whether MEDIA_URL is set; if not, MEDIA_ROOT is the only place."""
    return bool(current_app.config["MEDIA_URL"])


def connect() -> Store:
    """Return a connection to MEDIA_URL.

    Raises:
        MediaUnavailable: the driver cannot be set up.
    """
    return find_store(current_app.config["MEDIA_URL"], os.getpid())


@functools.lru_cache(maxsize=1)
def find_store(url: str, process_id: int) -> Store:
    """Return the connection of this process, which all threads share: boto takes half a second to set one up.

    A forked process cannot use its parent's.
    """
    return Store(url)


def try_out() -> str:
    """Write, read and remove a file below MEDIA_URL; return the address of the place.

    Raises:
        MediaUnavailable: one of these fails.
    """
    store, key = connect(), f".tried-{os.urandom(8).hex()}"
    with tempfile.NamedTemporaryFile() as file:
        store.upload(Path(file.name), key)
    store.read(key)
    store.remove(key)
    return shown(store.url)


def shown(url: str) -> str:
    """Return the URL without a user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@contextlib.contextmanager
def explained(verb: str, address: str) -> Iterator[None]:
    """Raise MediaUnavailable for an error of the block; each driver has its own exceptions."""
    try:
        yield
    except JobTimeoutException:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise MediaUnavailable(verb, address, reason) from error
