"""What a hostile client can take: memory by uploads and queries, keys of the cache, and time of others.

Prints the memory of the web workers before and after hostile uploads and distinct queries, the number of cached keys,
and how long a visitor waits for a page, alone and while one login sends the dearest requests that its limits allow.
"""

import argparse
import io
import multiprocessing
import re
import statistics
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from itertools import count
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import redis

from recsite import accounts, create_app
from recsite.config import SETTINGS
from tests.bench.serving import SERVE, WORKERS, serving, set_up
from tests.processes.servers import find_free_port, running_redis

PASSWORD = "a-long-password-of-a-bench"
NO_LIMITS = dict.fromkeys(
    ("API_READS_PER_MINUTE", "PAGES_PER_MINUTE", "FORMS_PER_MINUTE", "SEARCHES_PER_MINUTE", "UPLOADS_PER_MINUTE"), "0"
)
WORDS = "+".join(("movie", "the", "of", "and", "a", "in", "to", "one", "two", "man"))
VISITOR_PAGES = ("/", "/movies/", "/movies/7/", "/movies/?sort=recent&page=3")


class Browser:
    """A client with cookies."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, path: str, **headers: str) -> str:
        """Return the body, also of an error."""
        return self.send(urllib.request.Request(self.address + path, headers=headers))

    def send(self, request: urllib.request.Request) -> str:
        """Return the body, also of an error."""
        try:
            with self.opener.open(request, timeout=60) as response:
                return str(response.read(), "utf-8", "replace")
        except urllib.error.HTTPError as error:
            return str(error.read(), "utf-8", "replace")

    def token(self, path: str) -> str:
        """Return the CSRF token of a page."""
        return str(re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path))[0])

    def log_in(self, name: str) -> None:
        """Log in as this user."""
        fields = {"username": name, "password": PASSWORD, "csrf_token": self.token("/accounts/login/")}
        self.send(urllib.request.Request(f"{self.address}/accounts/login/", urllib.parse.urlencode(fields).encode()))

    def upload(self, token: str, content: bytes) -> str:
        """Send a file to the import of a personal history."""
        parts = (
            b'--B\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n' + token.encode(),
            b'\r\n--B\r\nContent-Disposition: form-data; name="file"; filename="ratings.zip"\r\n\r\n' + content,
            b"\r\n--B--\r\n",
        )
        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        address = f"{self.address}/accounts/import/"
        return self.send(urllib.request.Request(address, b"".join(parts), headers))


def bomb(turn: int) -> bytes:
    """Return a zip whose file is much longer than it says."""
    packed = io.BytesIO()
    methods = (zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(packed, "w", methods[turn % 3]) as archive:
        archive.writestr("ratings.csv", b"Date,Name,Year,Letterboxd URI,Rating\n" + b"\n" * 20_000_000)
    content = bytearray(packed.getvalue())
    entry = content.rindex(b"PK\x01\x02")
    struct.pack_into("<L", content, entry + 24, 1_000)
    return bytes(content)


def worker_memory(server: psutil.Process) -> float:
    """Return the MiB of the largest worker."""
    return float(max(worker.memory_info().rss for worker in server.children()) / 2**20)


def p95(browser: Browser, seconds: float) -> float:
    """Return the 95th percentile of a visitor's waits for pages, in milliseconds."""
    taken = []
    ends_at = time.monotonic() + seconds
    for turn in count():
        began_at = time.perf_counter()
        browser.get(VISITOR_PAGES[turn % len(VISITOR_PAGES)])
        taken.append(1000 * (time.perf_counter() - began_at))
        if time.monotonic() > ends_at:
            return statistics.quantiles(taken, n=20)[-1]
        time.sleep(0.05)
    raise AssertionError("count() does not end")


def searches(user_id: int) -> Iterator[str]:
    """Yield the dearest requests that count as searches, all different."""
    for number in count():
        yield f"/api/movies?q={WORDS}&page={number % 50 + 1}"
        yield f"/movies/?q={WORDS}&page={number % 50 + 1}&through={number % 50 + 4}"
        yield f"/api/suggestions?user_id={user_id}&offset={900 + number % 100}&exclude={number % 3000 + 1}"


def pages(user_id: int) -> Iterator[str]:
    """Yield the dearest pages."""
    for number in count():
        yield "/"
        yield f"/movies/?sort=recent&page={number % 10 + 1}&through=10"


def reads(start: int) -> Iterator[str]:
    """Yield the dearest other requests to the API."""
    for number in count(100 * start):
        yield f"/api/movies?sort=low-rated&page={number % 10 + 1}&per_page=100"
        yield f"/api/movies/{number % 3000 + 1}/similar?limit=50"


def use_allowance(browser: Browser, user_id: int) -> None:
    """Send the dearest requests of each kind, as many as the limits allow, for ever."""
    per_minute = {setting.name: int(setting.default) for setting in SETTINGS if setting.name.endswith("_PER_MINUTE")}
    kinds = (
        (searches(user_id), per_minute["SEARCHES_PER_MINUTE"]),
        (pages(user_id), per_minute["PAGES_PER_MINUTE"]),
        # Each worker counts these by itself.
        *[(reads(start), per_minute["API_READS_PER_MINUTE"] / 2) for start in range(2 * int(WORKERS))],
    )
    for paths, rate in kinds:
        threading.Thread(target=send_evenly, args=(browser, paths, rate / 60)).start()


def send_evenly(browser: Browser, paths: Iterator[str], per_second: float) -> None:
    """Send these requests at this rate, as far as the site keeps up."""
    due = time.monotonic()
    for path in paths:
        time.sleep(max(0.0, due - time.monotonic()))
        browser.get(path)
        due = max(due + 1 / per_second, time.monotonic() - 1)


def measure_memory(browser: Browser, server: psutil.Process, what: str, send: Callable[[int], object], n: int) -> None:
    """Print the memory of a worker before and after `n` calls."""
    for turn in range(50):
        send(turn)
    before = worker_memory(server)
    for turn in range(n):
        send(turn)
    print(f"  {n:>6,} {what:<18} {before:>6.0f} → {worker_memory(server):>6.0f} MiB a worker")  # noqa: T201


def run(folder: Path, uploads: int, queries: int, seconds: float) -> None:
    """Fill a site, attack it, and print the table."""
    with running_redis(folder / "redis") as server:
        settings = set_up(f"sqlite:///{folder}/db", folder / "media")
        settings |= {"SECRET_KEY": "bench", "REDIS_URL": server.url, "CACHE_REDIS_URL": server.cache_url}
        settings |= {"COOKIES_SECURE": "false", "API_AUTH": "open"}
        with create_app(settings | {"MEDIA_ROOT": folder / "media", "COOKIES_SECURE": False}).app_context():
            user_id = accounts.create_user("hostile", password=PASSWORD).id
        port = find_free_port()
        with serving([*SERVE, "--port", str(port)], settings | NO_LIMITS, port) as address:
            process = psutil.Process(find_server(port))
            browser = Browser(address)
            browser.log_in("hostile")
            token = browser.token("/accounts/import/")
            bombs = [bomb(turn) for turn in range(3)]
            measure_memory(browser, process, "hostile uploads", lambda n: browser.upload(token, bombs[n % 3]), uploads)

            def query(n: int) -> str:
                browser.get(f"/api/suggestions?user_id=1&exclude={n + 1}")
                return browser.get(f"/api/suggestions?user_id=1&genre=g{n}", **{"HX-Request": "true", "Host": f"h{n}"})

            measure_memory(browser, process, "pairs of queries", query, queries // 2)
            with redis.Redis.from_url(server.cache_url) as connection:
                print(f"  {connection.dbsize():>6,} keys in the cache's Redis")  # noqa: T201
        port = find_free_port()
        with serving([*SERVE, "--port", str(port)], settings, port) as address:
            print_waits(address, user_id, seconds)


def print_waits(address: str, user_id: int, seconds: float) -> None:
    """Print how long a visitor waits, alone and beside one login that sends all it may."""
    visitor, hostile = Browser(address), Browser(address)
    hostile.log_in("hostile")
    p95(visitor, 3)
    quiet = p95(visitor, seconds)
    # In a process of its own, which does not hold up the one that measures.
    attack = multiprocessing.Process(target=use_allowance, args=(hostile, user_id), daemon=True)
    attack.start()
    busy = p95(visitor, seconds)
    attack.kill()
    print(f"  a visitor's page, p95: {quiet:.0f} ms alone, {busy:.0f} ms beside one busy login: {busy / quiet:.1f} ×")  # noqa: T201


def find_server(port: int) -> int:
    """Return the id of the process that was told to serve on this port."""
    found = subprocess.run(["pgrep", "-of", f"flask serve.*{port}"], capture_output=True, text=True, check=True)
    return int(found.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=1_000)
    parser.add_argument("--queries", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=60, help="of each measurement of a visitor's waits")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), chosen.uploads, chosen.queries, chosen.seconds)


if __name__ == "__main__":
    main()
