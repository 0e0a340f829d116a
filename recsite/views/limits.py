"""How often one caller may ask in a minute: API reads and writes, and attempts to log in or sign up."""

import functools
import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import TooManyRequests, Unauthorized

from ..cache import SafeRedisCache
from ..extensions import cache
from ..models import User
from . import access

WINDOW_SECONDS = 60

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Allowance:
    """What is left to a caller in this minute."""

    most: int
    remaining: int
    reset_seconds: int
    "Until the count starts anew."


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
    """Every answer to a counted request says what is left."""
    app.extensions["limits"] = Counts()
    app.after_request(add_headers)


def count_api_request() -> None:
    """One more read or write of the caller; raises TooManyRequests for one too many.

    Reads are counted in each process by itself: a question to Redis would cost a read as much as its answer does.
    Whoever sends an unknown token is known by the address alone.
    """
    try:
        count_api_request_of(access.caller())
    except Unauthorized:
        count_api_request_of(None)
        raise


def count_api_request_of(user: User | None) -> None:
    """One more read or write of this user, or of an address."""
    is_read = request.method in ("GET", "HEAD")
    what = "READS" if is_read else "WRITES"
    by_token = user is not None and access.bearer_token() is not None
    setting = f"API_TOKEN_{what}_PER_MINUTE" if by_token else f"API_{what}_PER_MINUTE"
    who = f"{'token' if by_token else 'user'}-{user.id}" if user else address()
    count(setting, who, is_shared=not is_read)


def limit_attempts(view: Callable[P, R]) -> Callable[P, R]:
    """Make a view count its forms by the address they come from, in all processes together."""

    @functools.wraps(view)
    def counted(*args: P.args, **kwargs: P.kwargs) -> R:
        if request.method == "POST":
            count("LOGINS_PER_MINUTE", address(), is_shared=True)
        return view(*args, **kwargs)

    return counted


def count(setting: str, who: str, *, is_shared: bool) -> None:
    """One more request under the limit of this name; raises TooManyRequests for one too many."""
    most = current_app.config[setting]
    if not most:
        return
    minute, second = divmod(int(time.time()), WINDOW_SECONDS)
    key = f"{setting}:{who}"
    number = (count_shared(f"{key}:{minute}") if is_shared else None) or count_here(key, minute)
    g.allowance = Allowance(most, max(0, most - number), WINDOW_SECONDS - second)
    if number > most:
        wait = g.allowance.reset_seconds
        raise TooManyRequests(f"More than {most} requests in a minute; go on in {wait} seconds.", retry_after=wait)


def count_here(key: str, minute: int) -> int:
    """The count of this process."""
    counts: Counts = current_app.extensions["limits"]
    return counts.count(key, minute)


def count_shared(key: str) -> int | None:
    """The count of all processes together; None while Redis is away, and where there is no cache."""
    backend: Any = cache.cache
    return backend.count(key, 2 * WINDOW_SECONDS) if isinstance(backend, SafeRedisCache) else None


def address() -> str:
    """Where the request comes from; of IPv6 the network, for one home or server has 2⁶⁴ addresses."""
    sent = request.remote_addr or ""
    return str(ipaddress.ip_network((sent, 64), strict=False)) if ":" in sent else sent


def add_headers(response: Response) -> Response:
    """What is left to the caller, where the request was counted."""
    allowance: Allowance | None = g.get("allowance")
    if allowance is not None:
        response.headers["X-RateLimit-Limit"] = str(allowance.most)
        response.headers["X-RateLimit-Remaining"] = str(allowance.remaining)
        response.headers["X-RateLimit-Reset"] = str(allowance.reset_seconds)
    return response
