"""Widgets: at work on their page, and by the lines to copy on a page of another site."""

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import find_overflows, find_violations
from tests.browser.conftest import PATIENCE_MS, BrowserPage, Site
from tests.conftest import World
from tests.processes.servers import running_site


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_args: object) -> None:
        """Nothing."""


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of another site, and the folder of its pages."""
    folder = tmp_path / "other"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


@pytest.fixture
def open_elsewhere(chromium: Browser, other_site: tuple[str, Path]) -> Iterator[Callable[[str], Page]]:
    """Opens a page of the other site that has these lines in it."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    address, folder = other_site

    def open_page(lines: str) -> Page:
        (folder / "index.html").write_text(f"<!doctype html><title>Another site</title>\n{lines}\n")
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    context.close()


def test_both_widgets_work_on_their_page(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/widgets/", user_id=site.make_user({680: 5.0, 862: 2.0}))

    expect(page.locator("#htmx-widget li")).to_have_count(5)
    expect(page.locator("#fetch-widget li")).to_have_count(5)
    linked = page.locator("#htmx-widget a").all_inner_texts()
    assert page.locator("#fetch-widget li").all_inner_texts() == linked
    expect(page.locator("#cards-widget .recsite-card")).to_have_count(5)
    expect(page.locator("#cards-widget .recsite-stars").first).to_contain_text("of 5 stars expected")
    assert find_overflows(page) == []
    assert page.locator("#htmx-widget a").first.get_attribute("href").startswith(f"{site.address}/movies/")  # type: ignore[union-attr]
    assert find_violations(page) == []


@pytest.mark.parametrize("kind", ("htmx", "cards", "fetch"))
def test_the_copied_lines_work_on_a_page_of_a_configured_site(
    app: Flask,
    world: World,
    browser_page: BrowserPage,
    other_site: tuple[str, Path],
    open_elsewhere: Callable[[str], Page],
    kind: str,
) -> None:
    app.config["CORS_ORIGINS"] = (other_site[0],)
    with running_site(app) as address:
        lines = browser_page("/widgets/", user_id=world.carol, on=(app, address)).locator(f"#{kind}-lines").inner_text()

        page = open_elsewhere(lines)

        expect(page.locator("ol > li")).to_have_count(5)
        expect(page.locator("ol")).to_contain_text("Fight Club")
        if kind != "fetch":
            page.get_by_role("link", name="Fight Club").click()
            expect(page).to_have_url(f"{address}/movies/550/")


def test_the_copied_lines_read_nothing_on_any_other_site(
    app: Flask, world: World, browser_page: BrowserPage, open_elsewhere: Callable[[str], Page]
) -> None:
    app.config["CORS_ORIGINS"] = ("https://friend.example",)
    with running_site(app) as address:
        lines = browser_page("/widgets/", user_id=world.carol, on=(app, address)).locator("#fetch-lines").inner_text()

        page = open_elsewhere(lines)

        expect(page.locator("ol")).to_contain_text("No suggestions now")


def test_the_copied_lines_show_a_sentence_where_the_list_cannot_be_read(
    app: Flask,
    world: World,
    browser_page: BrowserPage,
    other_site: tuple[str, Path],
    open_elsewhere: Callable[[str], Page],
) -> None:
    app.config["CORS_ORIGINS"] = (other_site[0],)
    with running_site(app) as address:
        lines = browser_page("/widgets/", user_id=world.carol, on=(app, address)).locator("#htmx-lines").inner_text()
        unknown = lines.replace("user_id=3", "user_id=77")
        assert unknown != lines
        htmx = app.test_client().get("/assets/htmx.min.js").text

        page = open_elsewhere(unknown)

        expect(page.locator("p.recsite-error")).to_have_text("Suggestions are not available right now.")
        expect(page.locator("p.recsite-error")).to_have_attribute("data-error", re.compile("User not found"))
    (other_site[1] / "htmx.min.js").write_text(htmx)

    page = open_elsewhere(re.sub(r'src="[^"]*"', 'src="/htmx.min.js"', lines))

    expect(page.locator("div")).to_have_text("Suggestions are not available right now.")


def test_a_list_that_cannot_be_read_is_said_on_the_page_of_widgets(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/widgets/", user_id=site.make_user(), javascript=True)
    page.route("**/api/suggestions/**", lambda route: route.continue_(url=f"{route.request.url}&style=none"))

    page.reload()

    expect(page.locator("#cards-widget .recsite-error")).to_have_text("Suggestions are not available right now.")


def test_without_javascript_the_page_still_shows_the_lines(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/widgets/", user_id=site.make_user(), javascript=False)

    expect(page.locator("#htmx-lines")).to_contain_text("hx-get")
    expect(page.locator("#htmx-widget")).to_contain_text("take their place here with JavaScript")
