"""What holds on every page: nobody is kept out, and nothing has to be scrolled sideways."""

import pytest

from tests.browser.accessibility import find_violations
from tests.browser.conftest import NARROW, WIDE, BrowserPage, Site

PAGES = (
    "/",
    "/movies/",
    "/movies/?q=no+such+movie",
    "/movies/680/",
    "/movies/popular/",
    "/movies/infinite/",
    "/start/",
)
VISITOR_PAGES = (*PAGES, "/accounts/login/", "/accounts/signup/", "/movies/1234567/")
USER_PAGES = (*PAGES, "/accounts/ratings/")


@pytest.mark.parametrize("dark", (False, True), ids=("light", "dark"))
def test_a_visitors_pages_keep_nobody_out(browser_page: BrowserPage, dark: bool) -> None:
    page = browser_page("/", dark=dark)

    for path in VISITOR_PAGES:
        page.goto(path)
        assert find_violations(page) == []


@pytest.mark.parametrize("dark", (False, True), ids=("light", "dark"))
def test_a_users_pages_keep_nobody_out(browser_page: BrowserPage, site: Site, dark: bool) -> None:
    page = browser_page("/", user_id=site.make_user({680: 5.0, 862: 2.0}), dark=dark, width=NARROW)

    for path in USER_PAGES:
        page.goto(path)
        assert find_violations(page) == []


@pytest.mark.parametrize("width", (320, NARROW, WIDE))
def test_no_page_has_to_be_scrolled_sideways(browser_page: BrowserPage, site: Site, width: int) -> None:
    page = browser_page(user_id=site.make_user({680: 5.0, 862: 2.0}), width=width)

    for path in USER_PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
