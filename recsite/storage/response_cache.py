"""Answers that are worked out once: kept in the cache under a key that names the state they are true for."""

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from recsite.extensions import cache
from recsite.storage.cache import SafeRedisCache
from recsite.storage.timeouts import wait_for_event

TRIES = 3
"For a state that changes while its answer is worked out."
OTHER_THREAD_SECONDS = 5.0
"How long a thread waits for another of its process that works out the same answer."
OTHER_PROCESS_SECONDS = 1.0
"How long it waits for another process, which may have died."
CLAIM_SECONDS = 2
"How long a process's word that it works something out holds at most."
LOOK_SECONDS = 0.005


class State(Protocol):
    """What an answer depends on."""

    def cache_key(self) -> str:
        """A text that no other state has."""


Known = TypeVar("Known", bound=State)


class Flight:
    """One answer on its way, and whoever waits for it."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.answer: bytes | None = None


_flights: dict[str, Flight] = {}
_flights_lock = threading.Lock()


def find_or_make(
    find_state: Callable[[], Known],
    make: Callable[[Known], Any],
    asked: str,
    pack: Callable[[Any], bytes] = bytes,
    unpack: Callable[[bytes], Any] = bytes,
) -> Any:
    """The answer for the state as it is, from the cache or made now; `asked` tells one state's answers apart.

    In the cache it is bytes, which `pack` makes of it and `unpack` makes it of; in this process's memory it is as made.

    1. Read the state. A change makes another key, so that what was kept before is never found again.
    2. Of all who miss the same key at once, in threads or processes, one makes the answer and the others wait.
    3. It is kept if the state is the same afterwards: then nothing that it was made from has changed in between.

    With the cache turned off every answer is made.
    """
    kept = cache.cache
    if not isinstance(kept, SafeRedisCache):
        return make(find_state())
    for _ in range(TRIES):
        state = find_state()
        key = f"{state.cache_key()}_{asked}"
        if unpacked := kept.memory.get(key):
            return unpacked
        if answer := kept.get(key) or make_once(kept, key, make_if_stays(state, find_state, make, pack)):
            unpacked = unpack(answer)
            kept.memory.set(key, unpacked, len(answer))
            return unpacked
    return make(find_state())


def make_if_stays(
    state: Known, find_state: Callable[[], Known], make: Callable[[Known], Any], pack: Callable[[Any], bytes]
) -> Callable[[], bytes | None]:
    """Makes the answer for this state, packed; None if the state is another one afterwards."""

    def make_answer() -> bytes | None:
        answer = make(state)
        return pack(answer) if find_state().cache_key() == state.cache_key() else None

    return make_answer


def make_once(kept: SafeRedisCache, key: str, make: Callable[[], bytes | None]) -> bytes | None:
    """The answer that one thread makes for all of this process that ask for the key meanwhile; None when it failed."""
    with _flights_lock:
        flight = _flights.get(key)
        is_first = flight is None
        if flight is None:
            flight = _flights[key] = Flight()
    if not is_first:
        wait_for_event(flight.is_over, OTHER_THREAD_SECONDS)
        return flight.answer
    try:
        flight.answer = make_among_processes(kept, key, make)
    finally:
        with _flights_lock:
            del _flights[key]
        flight.is_over.set()
    return flight.answer


def make_among_processes(kept: SafeRedisCache, key: str, make: Callable[[], bytes | None]) -> bytes | None:
    """The answer that one process makes and puts into the cache; another that takes too long is not waited for."""
    claim = f"{key}_claim"
    deadline = time.monotonic() + OTHER_PROCESS_SECONDS
    while not (is_ours := kept.claim(claim, CLAIM_SECONDS)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        if answer := kept.get(key):
            return answer
    try:
        # Whoever had the claim before may have kept the answer since this process looked.
        answer = kept.get(key)
        if answer is None and (answer := make()) is not None:
            kept.set(key, answer)
    finally:
        if is_ours:
            kept.delete(claim)
    return answer
