"""The page of the API in a browser: to read at every width, and to copy from."""

from playwright.sync_api import expect

from tests.browser.accessibility import find_overflows, find_violations
from tests.browser.conftest import NARROW, BrowserPage, Site


def test_the_page_of_the_api_keeps_nobody_out_and_fits_every_width(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/api/", width=NARROW)

    expect(page.locator(".copyable button").first).to_be_visible()
    assert find_violations(page) == []
    assert find_overflows(page) == []


def test_a_button_copies_the_command(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/api/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy: Command that sends ratings").click()

    expect(page.locator("#announcement")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("pre[aria-label='Command that sends ratings']").inner_text()
    assert f"'{site.address}/api/ratings/batch'" in copied


def test_the_navigation_stays_beside_the_text_and_leads_to_an_operation(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/api/")

    page.locator(".contents").get_by_role("link", name="GET /ratings", exact=True).click()

    expect(page.locator("#list_ratings")).to_be_in_viewport()
    expect(page.locator(".contents")).to_be_in_viewport()


def test_without_javascript_the_commands_are_plain_text(browser_page: BrowserPage, site: Site) -> None:
    page = browser_page("/api/", javascript=False)

    expect(page.locator(".copyable pre").first).to_contain_text("flask tokens create")
    expect(page.locator(".copyable button")).to_have_count(0)
