"""A process's own memory of answers: bounded, short, and only for keys that name all that their answers depend on."""

import threading
import time
from collections import OrderedDict
from typing import Any

SECONDS = 600.0
"Long enough to save most questions to Redis, short enough for one that was emptied by hand to be believed."


class Memory:
    """Values by key, the least recently used of which make room for others."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0
        "Of the values; keys and bookkeeping add some 300 bytes each."
        self._values: OrderedDict[str, tuple[float, int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        """The value; None for one that is older than `SECONDS` or had to go."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            if found[0] < time.monotonic():
                self._drop(key)
                return None
            self._values.move_to_end(key)
            return found[2]

    def set(self, key: str, value: Any, size: int) -> None:
        """The value, of so many bytes, is kept, if it is not larger than all that may be."""
        with self._lock:
            self._drop(key)
            if size > self.most_bytes:
                return
            self._values[key] = (time.monotonic() + SECONDS, size, value)
            self.held_bytes += size
            while self.held_bytes > self.most_bytes:
                self._drop(next(iter(self._values)))

    def clear(self) -> None:
        """Nothing is kept."""
        with self._lock:
            self._values.clear()
            self.held_bytes = 0

    def _drop(self, key: str) -> None:
        dropped = self._values.pop(key, None)
        if dropped is not None:
            self.held_bytes -= dropped[1]
