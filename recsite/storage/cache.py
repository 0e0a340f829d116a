"""The cache in Redis. While Redis is unavailable, every read is a quick miss and never an error."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from flask import Flask
from flask_caching.backends.base import BaseCache
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from recsite.storage import redis_errors
from recsite.storage.lru import MemoryCache
from recsite.storage.redis_errors import Problem

TIMEOUT_SECONDS = 0.25
"A slower cache would save nothing over the database."
MEMORY_BYTES = 32 * 1024 * 1024
"Of each process. A list of 50 movies with their overviews takes about 25 KB."
BREAK_SECONDS = 2.0
"Redis is not used for this long after a failure, so an outage costs one timeout and not one per request."

Result = TypeVar("Result")
log = logging.getLogger(__name__)


class SafeRedisCache(BaseCache):
    """A cache of bytes only: nothing that comes from Redis is ever unpickled.

    `set(…, timeout=None)` keeps a value for CACHE_DEFAULT_TIMEOUT seconds; a timeout of 0 keeps nothing.
    """

    def __init__(self, url: str, key_prefix: str, default_timeout: int) -> None:
        super().__init__(default_timeout)
        self.key_prefix = key_prefix
        # This does not connect yet; the first command does.
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._retry_at = 0.0
        self.memory = MemoryCache(MEMORY_BYTES)
        "For callers whose values never change for one key. Only `clear` touches it; `get` and `set` do not."

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> BaseCache:
        """Return the cache for Flask-Caching; with a CACHE_DEFAULT_TIMEOUT of 0 it only counts."""
        return cls(config["CACHE_REDIS_URL"], config["CACHE_KEY_PREFIX"], config["CACHE_DEFAULT_TIMEOUT"])

    def get(self, key: str) -> bytes | None:
        """Return the value; None if there is none, or Redis is unavailable."""
        return self._try(lambda redis: cast("bytes | None", redis.get(self.key_prefix + key)), None)

    def set(self, key: str, value: Any, timeout: int | timedelta | None = None) -> bool:
        """Keep the value and return whether it was stored.

        Raises:
            TypeError: the value is not bytes.
        """
        return self._set(key, value, timeout, only_new=False)

    def add(self, key: str, value: Any, timeout: int | timedelta | None = None) -> bool:
        """Keep the value if the key has none yet, and return whether it was stored.

        Raises:
            TypeError: the value is not bytes.
        """
        return self._set(key, value, timeout, only_new=True)

    def _set(self, key: str, value: Any, timeout: int | timedelta | None, *, only_new: bool) -> bool:
        if not isinstance(value, bytes):
            raise TypeError(f"The cache keeps bytes, not {type(value).__name__}.")
        seconds = self._normalize_timeout(timeout)
        if seconds <= 0:
            return False
        return self._try(lambda redis: bool(redis.set(self.key_prefix + key, value, ex=seconds, nx=only_new)), False)

    def delete(self, key: str) -> bool:
        """Remove the key and return whether it existed."""
        return self._try(lambda redis: bool(redis.delete(self.key_prefix + key)), False)

    def has(self, key: str) -> bool:
        """Return whether the key has a value."""
        return self._try(lambda redis: bool(redis.exists(self.key_prefix + key)), False)

    def count(self, key: str, seconds: int) -> int | None:
        """Count one more use of this key and return the number of uses in a window of `seconds`.

        The window starts with the first use. None if Redis is unavailable.
        """

        def count_up(redis: Redis) -> int:
            with redis.pipeline() as pipeline:
                # EXPIRE has its option NX since Redis 7 only.
                pipeline.set(self.key_prefix + key, 0, ex=seconds, nx=True)
                pipeline.incr(self.key_prefix + key)
                return int(pipeline.execute()[1])

        return self._try(count_up, None)

    def clear(self) -> bool:
        """Remove everything this cache keeps, and return whether Redis did so; other keys in Redis stay."""
        self.memory.clear()

        def delete_all(redis: Redis) -> bool:
            for key in redis.scan_iter(match=f"{self.key_prefix}*", count=1000):
                redis.unlink(key)
            return True

        return self._try(delete_all, False)

    def is_reachable(self) -> bool:
        """Return whether Redis responds now, even right after a failure."""
        return self.find_problem() is not redis_errors.UNREACHABLE

    def find_problem(self) -> Problem | None:
        """Return why nothing can be kept now, even right after a failure; None if it can, or when Redis is full.

        In a full Redis, reads still work, and expiring keys make room.
        """
        self._retry_at = 0.0
        try:
            self._redis.set(self.key_prefix + "probe", b"", ex=1)
        except OutOfMemoryError:
            return None
        except RedisError as error:
            return redis_errors.find(error)
        return None

    def _try(self, command: Callable[[Redis], Result], default: Result) -> Result:
        """Return the result of a command; `default` if Redis is unavailable now, or was a moment ago."""
        if time.monotonic() < self._retry_at:
            return default
        try:
            return command(self._redis)
        except OutOfMemoryError:
            # Reads still work, and expiring keys make room.
            return default
        except (RedisError, OSError) as error:
            self._retry_at = time.monotonic() + BREAK_SECONDS
            log.warning("Redis does not respond; the cache is not used for %.0f s: %s", BREAK_SECONDS, error)
            return default
