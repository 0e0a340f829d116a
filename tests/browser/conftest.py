"""A site full of films and people, shared by all browser tests, and browsers to open it with.

The site is shared: a test makes users of its own and leaves movies, models and other people alone. A test that changes
those serves its own `app` with `servers.running_site` and passes that address to `browser_page`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from recsite import accounts, ratings, versions
from recsite.extensions import db
from recsite.jobs import demo
from recsite.storage.tables import User
from recsite.versions import training
from tests.processes.servers import RedisServer, running_site
from tests.ratings.changes import rate
from tests.storage.shared_files import make_once
from tests.web.apps import make_app

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE_MS = 15_000
"How long a page may take to become what a test expects; enough for two busy cores."
WIDE, NARROW = 1280, 390
"CSS pixels: a laptop, a telephone."

BrowserPage = Callable[..., Page]


@dataclass(frozen=True)
class Site:
    """A running site, and the app behind it for a look at the database."""

    app: Flask
    address: str
    numbers: Iterator[int]

    def make_user(self, rated: dict[int, float] | None = None, **columns: Any) -> int:
        """Create a user with these ratings and return the id."""
        with self.app.app_context():
            user_id: int = accounts.create_user(f"person{next(self.numbers)}", **columns).id
            for movie_id, value in (rated or {}).items():
                rate(user_id, movie_id, value)
            return user_id

    def rating_of(self, user_id: int, movie_id: int) -> float | None:
        """Return the user's rating of the movie from the database."""
        with self.app.app_context():
            return ratings.rating_of(user_id, movie_id)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; without one the test is skipped, or fails where CI is set."""
    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("No Chromium on this machine, so pages are not tested; 'apt install chromium' installs it.")
    # Chromium has no sandbox when it runs as root, as in a container. It opens our own pages only.
    options = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(
    chromium: Browser, migrated_sqlite: Path, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The bundled sample of 220 films and 500 people, with an active version."""

    def open_app(folder: Path) -> Flask:
        database = f"sqlite:///{folder / 'recsite.sqlite3'}"
        return make_app(database, redis_server, folder / "media", WTF_CSRF_ENABLED=True)

    def make(folder: Path) -> None:
        shutil.copyfile(migrated_sqlite, folder / "recsite.sqlite3")
        with open_app(folder).app_context():
            demo.load_sample(lambda done, total: None)
            version = training.train(training.set_up_from_settings(**demo.SAMPLE_PARAMETERS, folds=2))
            versions.activate(version.version_name, "the tests")
            db.engine.dispose()

    made = make_once(tmp_path_factory, "site", make)
    app = open_app(
        shutil.copytree(made, tmp_path_factory.mktemp("site-of-a-process"), symlinks=True, dirs_exist_ok=True)
    )
    with running_site(app) as address:
        yield Site(app, address, count(1))
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def browser_page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserPage]:
    """Opens a page in a browser of its own, as `browser_page("/movies/", user_id=…, width=NARROW)`.

    `javascript=False` and `touch=True` do what they say; `on` names another app and address than those of `site`.
    At the end the test fails if a page logged an error, broke its security policy, or asked another site for anything.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(
        path: str = "/",
        *,
        user_id: int | None = None,
        javascript: bool = True,
        width: int = WIDE,
        touch: bool = False,
        on: tuple[Flask, str] | None = None,
    ) -> Page:
        shared: Site | None = None if on else request.getfixturevalue("site")
        app, address = on or (shared.app, shared.address)  # type: ignore[union-attr]
        context = chromium.new_context(
            base_url=address,
            java_script_enabled=javascript,
            viewport={"width": width, "height": 844 if width < 700 else 800},
            has_touch=touch,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        if user_id is not None:
            context.add_cookies([{"name": "session", "value": session_of(app, user_id), "url": address}])
        page = context.new_page()
        page.on("console", lambda message: note_error(message, problems))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda asked: note_stranger(asked, address, problems))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def session_of(app: Flask, user_id: int) -> str:
    """Return the session cookie of a login as this user."""
    with app.app_context():
        user = db.session.get_one(User, user_id)
        client = app.test_client(user=user)
        cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
        assert cookie is not None
        return cookie.value


def note_error(message: ConsoleMessage, problems: list[str]) -> None:
    """Record an error that the page logged, unless it is about a response's status, which tests check."""
    if message.type == "error" and "Failed to load resource" not in message.text:
        problems.append(message.text)


def note_stranger(asked: Request, address: str, problems: list[str]) -> None:
    """Record a request to any other site."""
    if not asked.url.startswith((address, "data:")):
        problems.append(f"The page asks for {asked.url}")
