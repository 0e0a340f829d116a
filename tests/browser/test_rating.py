"""Rating in a browser: from the first five to a home page of my own, half stars, and the review by keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW, BrowserPage, Site

PULP_FICTION, TOY_STORY = 680, 862
LIKED = {PULP_FICTION: 5.0, TOY_STORY: 2.0}
STARS = re.compile("You gave it")


def test_two_answers_at_once_are_both_kept(browser_page: BrowserPage) -> None:
    page = browser_page("/start/")

    page.evaluate("""() => document.querySelectorAll('.question .rating').forEach(form => {
        form.elements.value.value = '3.0';
        form.requestSubmit();
    })""")

    expect(page.locator(".progress-line")).to_contain_text("12 rated")


def rate_questions(page: Page, count: int, has_javascript: bool = True) -> None:
    """Answer so many of the first questions, each with four stars."""
    for done in range(count):
        form = page.locator(".question .rating").filter(has_not_text=STARS).first
        if has_javascript:
            form.locator(".half").nth(7).click()
        else:
            form.locator("input[value='4.0']").check(force=True)
            form.get_by_role("button", name="Rate").click()
        expect(page.locator(".progress-line")).to_contain_text(
            "your list is ready" if done == 4 else f"{done + 1} of 5"
        )


def shown_title(page: Page) -> str:
    """Return the title of the review's card."""
    return page.locator("#review h2 a").inner_text()


def shelf(page: Page) -> list[str]:
    """Return the titles of the first row."""
    return page.locator(".first-shelf .poster-title").all_inner_texts()


@pytest.mark.parametrize("has_javascript", (True, False), ids=("with-javascript", "without"))
def test_from_rating_five_to_an_account_with_a_home_page_of_its_own(
    browser_page: BrowserPage, site: Site, has_javascript: bool
) -> None:
    page = browser_page("/", javascript=has_javascript, width=NARROW)
    popular = shelf(page)
    page.get_by_role("link", name="Rate five to get yours").click()

    rate_questions(page, 5, has_javascript)
    page.get_by_role("link", name="See my suggestions").click()
    expect(page.get_by_role("heading", name="Your suggestions")).to_be_visible()
    mine = shelf(page)
    page.get_by_role("link", name="Sign up to keep them").click()
    name = f"newcomer{next(site.numbers)}"
    page.get_by_label("User name").fill(name)
    page.locator("input[name=password]").first.fill("a password of mine")
    page.locator("main form button").first.click()
    page.goto("/")

    assert mine != popular
    assert shelf(page) == mine
    expect(page.get_by_role("navigation", name="Account")).to_contain_text("Log out")


@pytest.mark.parametrize("touch", (False, True), ids=("mouse", "touch"))
def test_from_a_search_to_half_stars_that_change_the_shelf(browser_page: BrowserPage, site: Site, touch: bool) -> None:
    user_id = site.make_user(LIKED)
    page = browser_page("/movies/", user_id=user_id, touch=touch)
    page.get_by_label("Title or year").press_sequentially("godfather 1972")
    expect(page.locator("#found .card")).to_have_count(1)
    page.locator("#found .card-link").click()
    expect(page.locator("#outlook")).to_contain_text("You would give it")
    page.locator(".for-you").scroll_into_view_if_needed()
    expect(page.locator(".for-you .card").first).to_be_visible()
    old = page.locator(".for-you").inner_text()

    star = page.locator("main .detail .half").nth(8)
    if touch:
        star.tap()
    else:
        star.click()

    expect(page.locator(".rating-said")).to_have_text("You gave it 4.5")
    expect(page.locator("#outlook")).not_to_contain_text("You would give it")
    page.wait_for_function("old => document.querySelector('.for-you').innerText !== old", arg=old)
    assert site.rating_of(user_id, 238) == 4.5

    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".rating-said")).to_have_text("Rating removed")
    assert site.rating_of(user_id, 238) is None


def test_stars_are_chosen_with_the_arrow_keys_and_given_with_enter(browser_page: BrowserPage, site: Site) -> None:
    user_id = site.make_user(LIKED)
    page = browser_page("/movies/238/", user_id=user_id)

    page.locator("#rating-238-1").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")

    expect(page.locator(".rating-said")).to_have_text("You gave it 3.5")
    assert site.rating_of(user_id, 238) == 3.5


def test_a_review_by_keyboard_rates_skips_and_undoes(browser_page: BrowserPage, site: Site) -> None:
    user_id = site.make_user(LIKED)
    page = browser_page("/movies/popular/", user_id=user_id)
    first = shown_title(page)
    movie_id = int(re.findall(r"\d+", page.locator("#review h2 a").get_attribute("href") or "")[0])

    page.keyboard.press("4")
    expect(page.locator(".undo-line")).to_contain_text(f"You gave {first} 4.")
    assert site.rating_of(user_id, movie_id) == 4.0
    second = shown_title(page)
    page.keyboard.press("s")
    expect(page.locator(".undo-line")).to_contain_text(f"Skipped {second}.")
    page.keyboard.press("u")
    expect(page.locator("#review h2 a")).to_have_text(second)
    page.keyboard.press("s")
    expect(page.locator(".undo-line")).to_contain_text(f"Skipped {second}.")
    page.reload()

    assert shown_title(page) not in (first, second)


def test_the_keys_can_be_turned_off(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/movies/popular/", user_id=site.make_user(LIKED))
    first = shown_title(page)

    page.get_by_label("Keys").uncheck()
    page.keyboard.press("s")
    page.reload()
    page.keyboard.press("s")

    expect(page.get_by_label("Keys")).not_to_be_checked()
    assert shown_title(page) == first


def test_a_review_without_javascript(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/movies/infinite/", user_id=site.make_user(LIKED), javascript=False)
    first = shown_title(page)

    page.get_by_role("button", name="Skip").click()
    second = shown_title(page)
    page.get_by_role("button", name="Undo").click()

    assert second != first
    assert shown_title(page) == first


def test_a_movie_sent_away_leaves_the_shelf_and_comes_back_with_undo(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/", user_id=site.make_user(LIKED))
    card = page.locator(".first-shelf .card").first
    title = card.locator(".poster-title").inner_text()

    card.hover()
    card.get_by_role("button", name=f"Not interested in {title}").click()
    expect(page.locator(".card-gone")).to_contain_text(title)
    page.get_by_role("button", name="Undo").click()

    expect(page.locator(".first-shelf .poster-title").first).to_have_text(title)


def test_a_list_scrolls_on_and_is_found_again_on_the_way_back(browser_page: BrowserPage) -> None:
    page = browser_page("/movies/")
    expect(page.locator("#found .card")).to_have_count(24)

    page.locator(".cards-next").scroll_into_view_if_needed()
    expect(page.locator("#found .card")).to_have_count(48)
    page.locator("#found .card-link").nth(30).click()
    page.wait_for_url("**/movies/*/")
    page.go_back()

    expect(page.locator("#found .card")).to_have_count(48)
