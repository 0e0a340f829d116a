"""A bounded cache in the memory of one process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

ENTRY_BYTES = 4_000
"What an entry takes besides its value's bytes, at most: key, headers and bookkeeping."
MAX_AGE_SECONDS = 600.0
"Long enough to save most requests to Redis, short enough that emptying Redis by hand takes effect."


class MemoryCache:
    """Values by key, for keys that name everything their values depend on. The least recently used are dropped."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        "Bytes of the values, with ENTRY_BYTES for each."
        self._entries: OrderedDict[Hashable, tuple[float, int, Any]] = OrderedDict()
        "Expiry on the monotonic clock, size in bytes and value, by key; the most recently used come last."
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """Return the value; None if there is none, or it is older than MAX_AGE_SECONDS."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry[0] < time.monotonic():
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return entry[2]

    def set(self, key: Hashable, value: Any, size: int) -> None:
        """Keep a value of `size` bytes, unless it is larger than the whole cache."""
        size += ENTRY_BYTES
        with self._lock:
            self._drop(key)
            if size > self.max_bytes:
                return
            self._entries[key] = (time.monotonic() + MAX_AGE_SECONDS, size, value)
            self.held_bytes += size
            while self.held_bytes > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._entries.clear()
            self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def _drop(self, key: Hashable) -> None:
        dropped = self._entries.pop(key, None)
        if dropped is not None:
            self.held_bytes -= dropped[1]
