"""A cache that may be away: Redis out means a miss, soon, and never an error."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from flask import Flask
from flask_caching.backends.base import BaseCache
from flask_caching.backends.nullcache import NullCache
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from recsite.storage.lru import Memory

ANSWER_WITHIN_SECONDS = 0.25
"A slower cache saves nothing over the database."
MEMORY_BYTES = 32 * 1024 * 1024
"Of each process; a list of 50 movies with their overviews takes about 25 KB."
BREAK_SECONDS = 2.0
"After a failure nobody asks Redis for this long, so that an outage costs one time-out, not one a request."

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


class SafeRedisCache(BaseCache):
    """Keeps bytes, and bytes only: nothing that comes out of Redis is ever unpickled.

    `set(…, timeout=None)` keeps a value for `CACHE_DEFAULT_TIMEOUT` seconds; a timeout of 0 keeps nothing.
    """

    def __init__(self, url: str, key_prefix: str, default_timeout: int) -> None:
        super().__init__(default_timeout)
        self.key_prefix = key_prefix
        # Connects with the first question, not here.
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=ANSWER_WITHIN_SECONDS,
            socket_timeout=ANSWER_WITHIN_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._ask_again_at = 0.0
        self.memory = Memory(MEMORY_BYTES)
        "For whoever knows that a key's value never changes; `get` and `set` leave it alone, `clear` does not."

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> BaseCache:
        """What Flask-Caching calls to make the cache; with a CACHE_DEFAULT_TIMEOUT of 0 one that keeps nothing."""
        if not config["CACHE_DEFAULT_TIMEOUT"]:
            return NullCache()
        return cls(config["CACHE_REDIS_URL"], config["CACHE_KEY_PREFIX"], config["CACHE_DEFAULT_TIMEOUT"])

    def get(self, key: str) -> bytes | None:
        """What was kept under this key; None for nothing, and while Redis is away."""
        return self._ask(lambda redis: cast("bytes | None", redis.get(self.key_prefix + key)), None)

    def set(self, key: str, value: Any, timeout: int | timedelta | None = None) -> bool:
        """Whether the value is kept now; raises TypeError for anything but bytes."""
        return self._set(key, value, timeout, only_new=False)

    def add(self, key: str, value: Any, timeout: int | timedelta | None = None) -> bool:
        """Whether the value is kept now, which it is not when the key had one; raises TypeError as `set`."""
        return self._set(key, value, timeout, only_new=True)

    def _set(self, key: str, value: Any, timeout: int | timedelta | None, *, only_new: bool) -> bool:
        if not isinstance(value, bytes):
            raise TypeError(f"The cache keeps bytes, not {type(value).__name__}; make bytes of it first.")
        seconds = self._normalize_timeout(timeout)
        if seconds <= 0:
            return False
        return self._ask(lambda redis: bool(redis.set(self.key_prefix + key, value, ex=seconds, nx=only_new)), False)

    def claim(self, key: str, seconds: int) -> bool:
        """Whether the key was free and is the caller's for so long; True, too, when nobody can be asked."""
        return self._ask(lambda redis: bool(redis.set(self.key_prefix + key, b"", ex=seconds, nx=True)), True)

    def delete(self, key: str) -> bool:
        """Whether there was such a key and it is gone."""
        return self._ask(lambda redis: bool(redis.delete(self.key_prefix + key)), False)

    def has(self, key: str) -> bool:
        """Whether the key holds a value."""
        return self._ask(lambda redis: bool(redis.exists(self.key_prefix + key)), False)

    def count(self, key: str, seconds: int) -> int | None:
        """How often this key was counted, now included, in the `seconds` since the first time; None with Redis away."""

        def count_up(redis: Redis) -> int:
            with redis.pipeline() as both:
                both.incr(self.key_prefix + key)
                both.expire(self.key_prefix + key, seconds, nx=True)
                return int(both.execute()[0])

        return self._ask(count_up, None)

    def clear(self) -> bool:
        """Whether all that this cache kept is gone; other keys of the same Redis stay."""
        self.memory.clear()

        def delete_all(redis: Redis) -> bool:
            for key in redis.scan_iter(match=f"{self.key_prefix}*", count=1000):
                redis.unlink(key)
            return True

        return self._ask(delete_all, False)

    def is_reachable(self) -> bool:
        """Whether Redis answers now, whatever it did a moment ago."""
        self._ask_again_at = 0.0
        return self._ask(lambda redis: bool(redis.ping()), False)

    def _ask(self, question: Callable[[Redis], Answer], otherwise: Answer) -> Answer:
        """The answer of Redis, or `otherwise` when it is away or was away a moment ago."""
        if time.monotonic() < self._ask_again_at:
            return otherwise
        try:
            return question(self._redis)
        except OutOfMemoryError:
            # It still tells what it has; keys that expire make room.
            return otherwise
        except (RedisError, OSError) as error:
            self._ask_again_at = time.monotonic() + BREAK_SECONDS
            log.warning("The cache does not answer and is left alone for %.0f s: %s", BREAK_SECONDS, error)
            return otherwise
