"""Limits on requests per minute: API requests, pages, forms and searches of one caller, and attempts to log in."""

import functools
import hashlib
import ipaddress
import re
import threading
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Flask, Request, request
from flask.globals import app_ctx, request_ctx
from werkzeug.exceptions import TooManyRequests, Unauthorized

from recsite.accounts import WidgetToken
from recsite.extensions import cache
from recsite.storage.tables import User, name_key_of
from recsite.web.request import access

WINDOW_SECONDS = 60
UNLIMITED = ("static", "status", "metrics")
"Endpoints and blueprints without a limit: files that browsers keep, and what monitoring asks for."
NEAR_PAGES = 10
"Pages of a list of movies that take no longer than the first; later ones count as a search."
LONGEST_NAME = 50
"Characters of a caller's name that is no address; it is part of a key in memory and in Redis."
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
    """Register empty counts, and count the requests for pages."""
    app.extensions["limits"] = Counts()
    app.before_request(count_page_request)


def count_api_request() -> None:
    """Count a read or write of the caller, or of the address for an unknown token; raise TooManyRequests.

    Each process counts reads by itself, because a query to Redis would double the cost of a cached read.
    """
    # The proxy `request` would look the request up again for each attribute.
    current = request_ctx.request
    is_write = current.method not in ("GET", "HEAD")
    limit = "WRITES_PER_MINUTE" if is_write else "READS_PER_MINUTE"
    try:
        found = access.caller()
    except Unauthorized:
        count(f"API_{limit}", address(current), is_shared=is_write)
        raise
    kind = "API" if found is None or access.bearer_token() is None else "API_TOKEN"
    count(f"{kind}_{limit}", name_of(found, current), is_shared=is_write)


def count_page_request() -> None:
    """Count the request for a page or the POST of a form; raise TooManyRequests above the caller's limit."""
    current = request_ctx.request
    if current.path.startswith("/api/") or current.endpoint in UNLIMITED or current.blueprint in UNLIMITED:
        return
    setting = "PAGES_PER_MINUTE" if current.method in ("GET", "HEAD") else "FORMS_PER_MINUTE"
    count(setting, name_of(access.user_of_session(), current), is_shared=True)


def count_search() -> None:
    """Count a request that takes a hundred times as long as others; raise TooManyRequests above the caller's limit."""
    current = request_ctx.request
    if access.bearer_token() is None:
        count("SEARCHES_PER_MINUTE", name_of(access.user_of_session(), current), is_shared=True)


def count_upload() -> None:
    """Count a file that the caller sends; raise TooManyRequests above the caller's limit."""
    count("UPLOADS_PER_MINUTE", name_of(access.user_of_session(), request_ctx.request), is_shared=True)


def name_of(found: access.Caller | None, current: Request) -> str:
    """Return what a caller is counted by: the user, the token of the site, or the address of a visitor."""
    if found is None:
        return address(current)
    if isinstance(found, WidgetToken):
        return f"widget-{found.user_id or address(current)}"
    return f"user-{found.id}" if isinstance(found, User) else f"site-token-{found.id}"


def limit_attempts(view: Callable[P, R]) -> Callable[P, R]:
    """Decorate a view so that its POST requests are counted by address, in all processes together."""

    @functools.wraps(view)
    def counted(*args: P.args, **kwargs: P.kwargs) -> R:
        if request.method == "POST":
            count("LOGINS_PER_MINUTE", address(request), is_shared=True)
        return view(*args, **kwargs)

    return counted


def count_attempt_on(name: str) -> None:
    """Count an attempt to log in under this name, from any address; raise TooManyRequests above the limit."""
    # A hash, because the name has any length and is nobody's business in Redis.
    digest = hashlib.sha256(name_key_of(name).strip().encode(errors="surrogatepass")).hexdigest()
    count("LOGINS_PER_MINUTE", f"name-{digest[:32]}", is_shared=True)


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
    """Return the count of all processes together; None while Redis is down."""
    backend: Any = cache.cache
    number: int | None = backend.count(key, 2 * WINDOW_SECONDS)
    return number


def address(current: Request) -> str:
    """Return the client's address as a caller's name; see `normalize`."""
    return normalize(current.remote_addr or "")


def normalize(sent: str) -> str:
    """Return one name for each client: an IPv4 address, or the /64 network of an IPv6 address.

    One client may have all addresses of its network. Some proxies add a port; an IPv4 address mapped to IPv6 counts as
    IPv4. Anything else is a name of its own.
    """
    text = sent.strip()
    bracketed = re.fullmatch(r"\[(.*)\](?::\d*)?", text)
    host = bracketed[1] if bracketed else text.rpartition(":")[0] if text.count(":") == 1 else text
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return text[:LONGEST_NAME]
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)
