"""How often one caller may ask in a minute: API reads and writes, and attempts to log in or sign up."""

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
"Under which the WSGI environment keeps the headers that say what is left to the caller of a counted request."

P = ParamSpec("P")
R = TypeVar("R")


class Counts:
    """Counts of this minute and of this process; the next minute starts with none."""

    def __init__(self) -> None:
        self.minute = 0
        self.counts: dict[str, int] = {}
        self.lock = threading.Lock()

    def count(self, key: str, minute: int) -> int:
        """How often the key came in this minute, this time included."""
        with self.lock:
            if minute != self.minute:
                self.minute, self.counts = minute, {}
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


def init_app(app: Flask) -> None:
    """Nobody has asked yet."""
    app.extensions["limits"] = Counts()


def count_api_request() -> None:
    """One more read or write of the caller; raises TooManyRequests for one too many.

    Reads are counted in each process by itself: a question to Redis would cost a read as much as its answer does.
    Whoever sends an unknown token is known by the address alone.
    """
    # Not the proxy, which looks the request up for each of its attributes.
    asked = request_ctx.request
    is_write = asked.method not in ("GET", "HEAD")
    limit = "WRITES_PER_MINUTE" if is_write else "READS_PER_MINUTE"
    try:
        user = access.caller()
    except Unauthorized:
        count(f"API_{limit}", address(asked), is_shared=is_write)
        raise
    if user is None:
        count(f"API_{limit}", address(asked), is_shared=is_write)
    elif access.bearer_token() is None:
        count(f"API_{limit}", f"user-{user.id}", is_shared=is_write)
    else:
        count(f"API_TOKEN_{limit}", f"user-{user.id}", is_shared=is_write)


def limit_attempts(view: Callable[P, R]) -> Callable[P, R]:
    """Make a view count its forms by the address they come from, in all processes together."""

    @functools.wraps(view)
    def counted(*args: P.args, **kwargs: P.kwargs) -> R:
        if request.method == "POST":
            count("LOGINS_PER_MINUTE", address(request), is_shared=True)
        return view(*args, **kwargs)

    return counted


def count(setting: str, who: str, *, is_shared: bool) -> None:
    """One more request under the limit of this name; raises TooManyRequests for one too many."""
    app = app_ctx.app
    most = app.config[setting]
    if not most:
        return
    minute, second = divmod(int(time.time()), WINDOW_SECONDS)
    key = f"{setting}:{who}"
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
    """The counts of this process."""
    counts: Counts = app.extensions["limits"]
    return counts


def count_shared(key: str) -> int | None:
    """The count of all processes together; None while Redis is away, and where there is no cache."""
    backend: Any = cache.cache
    return backend.count(key, 2 * WINDOW_SECONDS) if isinstance(backend, SafeRedisCache) else None


def address(asked: Request) -> str:
    """Where the request comes from; of IPv6 the network, for one home or server has 2⁶⁴ addresses."""
    sent = asked.remote_addr or ""
    return str(ipaddress.ip_network((sent, 64), strict=False)) if ":" in sent else sent
