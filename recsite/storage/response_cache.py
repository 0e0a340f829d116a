"""Cached responses: kept under a key that names the state of the database they were made from."""

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from recsite.extensions import cache

ATTEMPTS = 3
"How often a response is made anew because the state changed meanwhile."
PACKAGE = Path(__file__).resolve().parent.parent


class State(Protocol):
    """What a response depends on in the database."""

    def cache_key(self) -> str:
        """Return a text that is different for every state."""


class CachedResponse(NamedTuple):
    """The headers and the body of a response with status 200."""

    headers: list[tuple[str, str]]
    body: bytes

    def to_bytes(self) -> bytes:
        """Return the headers as a line of JSON, followed by the body."""
        return json.dumps(self.headers).encode() + b"\n" + self.body

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Return the response that `to_bytes` wrote."""
        headers, _, body = stored.partition(b"\n")
        return cls([(name, value) for name, value in json.loads(headers)], body)


S = TypeVar("S", bound=State)


def get_or_make(
    read_state: Callable[[], S], make: Callable[[S], CachedResponse], options: tuple[object, ...]
) -> CachedResponse:
    """Return the cached response for the current state, or make and keep it.

    1. Read the state. It is part of the cache key, so a response for an earlier state is not found any more.
    2. Look into this process's memory, then into Redis.
    3. Otherwise make the response. Keep it if the state is still the same: then nothing it was made from has changed.

    `options` tells the responses for one state apart; its items are hashable and have a stable `repr`. With the cache
    turned off, every response is made.
    """
    backend: Any = cache.cache
    state = read_state()
    if not backend.default_timeout:
        return make(state)
    for _ in range(ATTEMPTS):
        state_key = state.cache_key()
        cached: CachedResponse | None = backend.memory.get((state_key, options))
        if cached is not None:
            return cached
        text = repr(options)
        key = f"{state_key}_{code_version()}_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
        stored = backend.get(key)
        if stored is not None:
            response = CachedResponse.from_bytes(stored)
        else:
            response = make(state)
            state = read_state()
            if state.cache_key() != state_key:
                continue
            stored = response.to_bytes()
            backend.set(key, stored)
        backend.memory.set((state_key, options), response, len(stored) + len(text))
        return response
    return make(state)


@functools.cache
def code_version() -> str:
    """Return a hash of this package's code and templates: no response outlives an upgrade of what made it."""
    files = sorted(path for pattern in ("*.py", "*.html") for path in PACKAGE.rglob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]
