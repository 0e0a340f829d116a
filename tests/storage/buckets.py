"""A server that speaks S3's protocol, the files in its bucket, and their fixtures."""

import os
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from tests.processes.servers import find_free_port

BUCKET = "site"


class Bucket:
    """A bucket on a server of its own; it keeps its files over stop and start."""

    def __init__(self) -> None:
        self.port = find_free_port()
        self.server: Any = None
        self.folder = f"{BUCKET}/recsite"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which boto finds the server."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def url(self) -> str:
        """The MEDIA_URL of a test."""
        return f"s3://{self.folder}"

    @property
    def driver(self) -> Any:
        """A connection."""
        return fsspec.filesystem("s3", use_listings_cache=False)

    def start(self) -> None:
        """Answer."""
        # The import takes two seconds, and few tests need it.
        from moto.server import ThreadedMotoServer

        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def stop(self) -> None:
        """Refuse connections."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    def names(self) -> list[str]:
        """Return all keys below MEDIA_URL, sorted."""
        return sorted(path.removeprefix(f"{self.folder}/") for path in self.driver.find(self.folder))

    def read(self, key: str) -> bytes:
        """Return a file."""
        content: bytes = self.driver.cat_file(f"{self.folder}/{key}")
        return content

    def write(self, key: str, content: bytes) -> None:
        """Replace a file."""
        self.driver.pipe_file(f"{self.folder}/{key}", content)


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[Bucket]:
    """The server that all tests of a process share; see `bucket`."""
    server = Bucket()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(bucket_server: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket with an empty folder, which boto finds by the environment; a test may stop and start the server."""
    for name, value in bucket_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket_server.driver.makedirs(BUCKET, exist_ok=True)
    bucket_server.folder = f"{BUCKET}/{os.urandom(4).hex()}"
    yield bucket_server
    if bucket_server.server is None:
        bucket_server.start()
