"""Limits on requests per minute: API reads and writes of one caller, and attempts to log in or sign up."""

import functools
import ipaddress
import threading
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Flask, Request, request
from flask.globals import app_ctx, request_ctx
from werkzeug.exceptions import TooManyRequests, Unauthorized

from recsite.extensions import cache
from recsite.storage.cache import SafeRedisCache
from recsite.web.request import access

WINDOW_SECONDS = 60
ALLOWANCE = "recsite.allowance"
"Key of the X-RateLimit headers of a counted request in the WSGI environment."

P = ParamSpec("P")
R = TypeVar("R")


class Counts:
    """Requests counted by this process in the current minute."""

    def __init__(self) -> None:
        self.minute = 0
        self.counts: dict[str, int] = {}
        self.lock = threading.Lock()

    def count(self, key: str, minute: int) -> int:
        """Count one more request under this key and return the number in this minute."""
        with self.lock:
            if minute != self.minute:
                self.minute, self.counts = minute, {}
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


def init_app(app: Flask) -> None:
    """Register empty counts."""
    app.extensions["limits"] = Counts()


def count_api_request() -> None:
    """Count a read or write of the caller, or of the address for an unknown token; raise TooManyRequests.

    Each process counts reads by itself, because a query to Redis would double the cost of a cached read.
    """
    # The proxy `request` would look the request up again for each attribute.
    current = request_ctx.request
    is_write = current.method not in ("GET", "HEAD")
    limit = "WRITES_PER_MINUTE" if is_write else "READS_PER_MINUTE"
    try:
        user = access.caller()
    except Unauthorized:
        count(f"API_{limit}", address(current), is_shared=is_write)
        raise
    if user is None:
        count(f"API_{limit}", address(current), is_shared=is_write)
    elif access.bearer_token() is None:
        count(f"API_{limit}", f"user-{user.id}", is_shared=is_write)
    else:
        count(f"API_TOKEN_{limit}", f"user-{user.id}", is_shared=is_write)


def limit_attempts(view: Callable[P, R]) -> Callable[P, R]:
    """Decorate a view so that its POST requests are counted by address, in all processes together."""

    @functools.wraps(view)
    def counted(*args: P.args, **kwargs: P.kwargs) -> R:
        if request.method == "POST":
            count("LOGINS_PER_MINUTE", address(request), is_shared=True)
        return view(*args, **kwargs)

    return counted


def count(setting: str, caller: str, *, is_shared: bool) -> None:
    """Count a request under the limit of this setting; raise TooManyRequests above the limit."""
    app = app_ctx.app
    most = app.config[setting]
    if not most:
        return
    minute, second = divmod(int(time.time()), WINDOW_SECONDS)
    key = f"{setting}:{caller}"
    number = (count_shared(f"{key}:{minute}") if is_shared else None) or counts_of(app).count(key, minute)
    wait = WINDOW_SECONDS - second
    request.environ[ALLOWANCE] = (
        ("X-RateLimit-Limit", str(most)),
        ("X-RateLimit-Remaining", str(max(0, most - number))),
        ("X-RateLimit-Reset", str(wait)),
    )
    if number > most:
        raise TooManyRequests(f"More than {most} requests in a minute; go on in {wait} seconds.", retry_after=wait)


def counts_of(app: Flask) -> Counts:
    """Return the counts of this process."""
    counts: Counts = app.extensions["limits"]
    return counts


def count_shared(key: str) -> int | None:
    """Return the count of all processes together; None while Redis is down or no cache is configured."""
    backend: Any = cache.cache
    return backend.count(key, 2 * WINDOW_SECONDS) if isinstance(backend, SafeRedisCache) else None


def address(current: Request) -> str:
    """Return the client's address; of IPv6 the /64 network, because one client may have all its addresses."""
    sent = current.remote_addr or ""
    return str(ipaddress.ip_network((sent, 64), strict=False)) if ":" in sent else sent
