"""My account in a real browser: signing up, a new password, a history from elsewhere, my data, and the end."""

import zipfile
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_violations
from tests.browser.conftest import NARROW, BrowserPage, Site

PASSWORD, NEW = "correct-horse-1", "battery-staple-2"
RATED = {680: 5.0, 862: 2.0}
LETTERBOXD = """Date,Name,Year,Letterboxd URI,Rating
2020-01-02,"Matrix, The",1999,https://boxd.it/1,4.5
2020-01-03,Fight Club,2000,https://boxd.it/2,3.5
2020-01-04,Pulp Fiction,1994,https://boxd.it/3,1
2020-01-05,No Such Film At All,1975,https://boxd.it/4,5
2020-01-06,Toy Story,1995,https://boxd.it/5,eleven
"""
"Two new, one rated otherwise, one that is nowhere, one that is no rating."
names = (f"frank{number}" for number in count())


@pytest.fixture
def letterboxd(tmp_path: Path) -> Path:
    """The zip that Letterboxd gives."""
    path = tmp_path / "letterboxd-frank.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("profile.csv", "Username\nfrank\n")
        archive.writestr("ratings.csv", LETTERBOXD)
    return path


def look_for_violations(page: Page) -> None:
    """Nobody is kept out of the page as it stands, and nothing has to be scrolled sideways."""
    assert find_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def send(page: Page, path: Path) -> None:
    """Choose the file and look at it."""
    page.goto("/accounts/import/")
    page.get_by_label("File a CSV").set_input_files(path)
    page.get_by_role("button", name="Look at the file").click()
    expect(page.get_by_role("heading", name=path.name)).to_be_visible()


def test_sign_up_then_a_new_password_logs_in(browser_page: BrowserPage) -> None:
    name, page = next(names), browser_page("/accounts/signup/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.goto("/accounts/password/")
    look_for_violations(page)
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_label("New password at least").fill(NEW)
    page.get_by_label("New password again").fill(NEW)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_text(f"Hello again, {name}.")).to_be_visible()


@pytest.mark.parametrize("javascript", (True, False), ids=("javascript", "none"))
def test_a_letterboxd_zip_is_looked_at_saved_and_undone(
    browser_page: BrowserPage, site: Site, letterboxd: Path, javascript: bool
) -> None:
    user_id = site.make_user(RATED)
    page = browser_page("/accounts/import/", user_id=user_id, javascript=javascript, width=NARROW)

    send(page, letterboxd)
    for said in ("Nothing is saved yet", "2 new ratings", "No Such Film At All (1975)", "Line 6: rating is not from"):
        expect(page.locator("main")).to_contain_text(said)
    if javascript:
        look_for_violations(page)
    page.get_by_label("Replace the rating that I gave here").check()
    page.get_by_role("button", name="Save the ratings").click()
    expect(page.get_by_role("heading", name="Saved on")).to_be_visible()
    saved = [site.rating_of(user_id, movie_id) for movie_id in (603, 550, 680)]
    page.get_by_role("button", name="Undo the whole import").click()
    expect(page.get_by_role("heading", name="Undone on")).to_be_visible()

    assert saved == [4.5, 3.5, 1.0]
    assert [site.rating_of(user_id, movie_id) for movie_id in (603, 550, 680)] == [None, None, 5.0]


@pytest.mark.parametrize("javascript", (True, False), ids=("javascript", "none"))
def test_a_rating_is_found_taken_back_and_put_back(browser_page: BrowserPage, site: Site, javascript: bool) -> None:
    user_id = site.make_user(RATED)
    page = browser_page("/accounts/ratings/", user_id=user_id, javascript=javascript)

    page.get_by_role("searchbox", name="Title").fill("pulp")
    page.get_by_label("Order").select_option("highest")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".rated li")).to_have_count(1)
    page.get_by_role("button", name="Remove your rating of Pulp Fiction").click()
    expect(page.get_by_text("Removed your 5.0 stars")).to_be_visible()
    between = site.rating_of(user_id, 680)
    if javascript:
        look_for_violations(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Remove your rating of Pulp Fiction")).to_be_visible()

    assert (between, site.rating_of(user_id, 680)) == (None, 5.0)


def test_a_changed_rating_in_my_list_can_be_undone(browser_page: BrowserPage, site: Site) -> None:
    user_id = site.make_user({680: 5.0})
    page = browser_page("/accounts/ratings/", user_id=user_id)

    page.locator("#rating-680 .half").nth(3).click()
    expect(page.locator("#rating-680")).to_contain_text("You gave it 2")
    page.locator("#rating-680").get_by_role("button", name="Undo").click()

    expect(page.locator("#rating-680")).to_contain_text("You gave it 5")
    expect(page.locator("#rated-680").get_by_role("button", name="Remove")).to_have_count(1)
    assert site.rating_of(user_id, 680) == 5.0


def test_my_data_is_downloaded_and_my_account_deleted(browser_page: BrowserPage, site: Site) -> None:
    user_id = site.make_user(RATED, password=PASSWORD)
    page = browser_page("/accounts/", user_id=user_id)
    look_for_violations(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download my data").click()

    page.get_by_role("link", name="Delete my account").click()
    look_for_violations(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Delete my account for good").click()

    expect(page.get_by_role("heading", name="Your account is deleted")).to_be_visible()
    expect(page.locator("main")).to_contain_text("ratings (2)")
    look_for_violations(page)
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "ratings.csv" in archive.namelist()
    assert page.request.get(f"/api/suggestions?user_id={user_id}").status == 404


def test_the_pages_of_my_account_keep_nobody_out(browser_page: BrowserPage, site: Site, letterboxd: Path) -> None:
    page = browser_page("/accounts/", user_id=site.make_user(RATED, password=PASSWORD), width=320)

    send(page, letterboxd)
    look_for_violations(page)
    for path in (
        "/accounts/",
        "/accounts/ratings/",
        "/accounts/import/",
        "/accounts/feeds/",
        "/accounts/password/",
        "/widgets/",
    ):
        page.goto(path)
        look_for_violations(page)
