"""What holds on every page: nobody is kept out, and nothing has to be scrolled sideways."""

from tests.browser.accessibility import find_problems
from tests.browser.conftest import NARROW, BrowserPage, Site

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


def test_a_visitors_pages_keep_nobody_out_and_fit_every_width(browser_page: BrowserPage) -> None:
    assert find_problems(browser_page(), VISITOR_PAGES) == []


def test_a_users_pages_keep_nobody_out_and_fit_every_width(browser_page: BrowserPage, site: Site) -> None:
    user_id = site.make_user({680: 5.0, 862: 2.0})

    assert find_problems(browser_page(user_id=user_id, width=NARROW), USER_PAGES) == []
