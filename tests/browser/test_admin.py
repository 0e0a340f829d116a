"""An admin at work in a real browser, with a real worker behind the pages."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from recsite import suggestions, versions
from recsite.accounts import feeds
from recsite.extensions import db
from recsite.storage.tables import User
from recsite.suggestions.quality import coverage
from recsite.versions import training
from tests.browser.accessibility import find_problems
from tests.browser.conftest import PATIENCE_MS, BrowserPage
from tests.conftest import TrainedWorld
from tests.processes.servers import running_command, running_site
from tests.ratings.changes import rate
from tests.web.admin.test_access import admin_pages

pytestmark = pytest.mark.slow

SAME = {"Epochs": "10", "Factors": "3", "Held-out folds": "2"}
"As the active version of the world was trained, so that the new one is not worse."

Office = tuple[Flask, str]


@pytest.fixture
def office(app: Flask, trained: TrainedWorld) -> Iterator[Office]:
    """The site of the small world, of which Alice is an admin, with lists for everybody."""
    db.session.get_one(User, trained.alice).is_admin = True
    db.session.commit()
    suggestions.rescore(suggestions.all_user_ids())
    with running_site(app) as address:
        yield app, address


@pytest.fixture
def busy_office(office: Office, trained: TrainedWorld) -> Office:
    """The same with a second version, of which webhooks tell, a feed, a rated suggestion, reach and a log."""
    office[0].config.update(WEBHOOK_URL=("https://shop.example/hooks",), WEBHOOK_KEY="a-key-of-the-tests-1")
    version = training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2))
    versions.activate(version.version_name, "alice", "to see how it does")
    rate(trained.bob, 550, 4.0)
    feeds.create(trained.bob)
    for _ in range(2):
        coverage.measure()
    return office


def see_run_finish(page: Page, *, by_itself: bool) -> None:
    """Wait until the first job of the table has finished; without JavaScript, reload the page for that."""
    finished = page.locator("#runs tbody tr").first.get_by_text("finished")
    if by_itself:
        expect(finished).to_be_visible(timeout=4 * PATIENCE_MS)
        return
    for _ in range(60):
        if finished.is_visible():
            return
        page.wait_for_timeout(1000)
        page.get_by_role("link", name="Look again").click()
    raise AssertionError("The run did not finish within a minute.")


@pytest.mark.parametrize("javascript", (True, False), ids=("with JavaScript", "without"))
def test_an_admin_trains_watches_compares_activates_and_rolls_back(
    office: Office, browser_page: BrowserPage, trained: TrainedWorld, javascript: bool
) -> None:
    app, _ = office
    page = browser_page("/admin/", user_id=trained.alice, javascript=javascript, on=office)
    expect(page.get_by_role("heading", name=f"{trained.version_name} serves")).to_be_visible()

    page.get_by_role("link", name="Jobs", exact=True).click()
    for label, value in SAME.items():
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("#runs")).to_contain_text("queued")
    with running_command(app, "worker"):
        see_run_finish(page, by_itself=javascript)

    page.get_by_role("link", name="Versions", exact=True).click()
    expect(page.get_by_role("img", name="RMSE, stars")).to_be_visible()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Set-ups")).to_be_visible()

    new = f"{trained.version_name}-2"
    page.get_by_role("link", name=f"Preview and activate {new}").click()
    page.get_by_label("Reason").fill("as good, and newer")
    page.get_by_role("button", name=f"Activate {new}").click()
    expect(page.get_by_role("status")).to_contain_text(f"{new} is active.")

    page.get_by_label("Reason for rolling back").fill("only a trial")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status")).to_contain_text(f"{trained.version_name} is active again.")

    page.get_by_role("link", name="Audit log").click()
    expect(page.locator("tbody tr").first).to_contain_text("only a trial")
    expect(page.locator("tbody tr").nth(1)).to_contain_text("as good, and newer")


def test_an_admin_corrects_a_movie_and_hides_it(
    office: Office, browser_page: BrowserPage, trained: TrainedWorld
) -> None:
    page = browser_page("/admin/movies/", user_id=trained.alice, on=office)

    page.get_by_label("Title or id").fill("heat")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="Heat").click()
    page.get_by_label("Title").fill("Heat (1995)")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Hide it from every list").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Heat (1995) hidden")
    expect(page.get_by_role("region", name="History").first).to_contain_text("hide movie")
    page.goto("/movies/")
    expect(page.locator("main")).not_to_contain_text("Heat")


def test_the_admin_pages_keep_nobody_out_and_fit_every_width(
    busy_office: Office, browser_page: BrowserPage, trained: TrainedWorld
) -> None:
    first, second = (version.version_name for version in versions.list_versions())
    compare, preview = f"/admin/models/compare?old={first}&new={second}", f"/admin/models/preview?version_name={second}"

    page = browser_page("/admin/", user_id=trained.alice, on=busy_office)

    assert find_problems(page, (*admin_pages(busy_office[0]), compare, preview)) == []


def test_an_empty_sites_admin_pages_keep_nobody_out_and_fit_every_width(browser_page: BrowserPage, app: Flask) -> None:
    boss = User(username="boss", is_admin=True)
    db.session.add(boss)
    db.session.commit()
    with running_site(app) as address:
        page = browser_page("/admin/", user_id=boss.id, on=(app, address))

        paths = ("/admin/", "/admin/models/", "/admin/models/compare", "/admin/quality/", "/admin/reach/")
        assert find_problems(page, paths) == []
