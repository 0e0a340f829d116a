"""The page of jobs in a browser: it follows what workers do, and keeps nobody out."""

from collections.abc import Iterator

import pytest
from flask import Flask

from recsite import jobs
from recsite.extensions import db
from recsite.storage.tables import User
from tests.browser.accessibility import find_violations
from tests.browser.conftest import BrowserPage
from tests.conftest import World
from tests.jobs.blocks_at_work import fail_blocks, finish_blocks, start_scoring
from tests.processes.servers import running_command, running_site

On = tuple[Flask, str]


@pytest.fixture
def on(app: Flask, world: World) -> Iterator[On]:
    """A site of which Alice is the admin."""
    db.session.get_one(User, world.alice).is_admin = True
    db.session.commit()
    with running_site(app, workers=1) as address:
        yield app, address


def test_the_table_follows_a_run_until_it_ends_without_a_reload(
    on: On, browser_page: BrowserPage, world: World
) -> None:
    run_id = start_scoring()
    page = browser_page("/admin/jobs/", user_id=world.alice, on=on)
    page.evaluate("window.same = true")

    finish_blocks(run_id, 1)
    page.get_by_text("2 of 6").wait_for()
    finish_blocks(run_id, 2, 3)
    page.get_by_text("6 users").wait_for()

    assert page.locator("#runs .badge").inner_text() == "finished"
    assert page.evaluate("window.same") is True


@pytest.mark.slow
def test_an_admin_starts_a_run_and_sees_a_worker_do_it(on: On, browser_page: BrowserPage, world: World) -> None:
    page = browser_page("/admin/jobs/", user_id=world.alice, on=on)

    page.get_by_role("button", name="Refresh averages").click()
    page.get_by_text("Run 1 (averages) is queued.").wait_for()
    with running_command(on[0], "worker"):
        page.locator("#runs").get_by_text("finished").wait_for()

    assert jobs.find(1).state == "finished"


def test_a_run_is_cancelled_and_retried_without_javascript(on: On, browser_page: BrowserPage, world: World) -> None:
    run_id = start_scoring()
    page = browser_page("/admin/jobs/", user_id=world.alice, on=on, javascript=False)

    page.get_by_role("button", name=f"Cancel run {run_id}").click()
    page.get_by_text(f"Run {run_id} is cancelled.").wait_for()
    page.get_by_role("button", name=f"Retry run {run_id}").click()

    page.get_by_text(f"Run {run_id} is queued again.").wait_for()


def test_the_page_keeps_nobody_out(on: On, browser_page: BrowserPage, world: World) -> None:
    run_id = start_scoring()
    fail_blocks(run_id, 1)
    finish_blocks(run_id, 2, 3)
    start_scoring()

    page = browser_page("/admin/jobs/", user_id=world.alice, on=on)

    assert find_violations(page) == []
