"""The admin's page of jobs: what is going on, starting, cancelling and retrying."""

import pytest
from flask import Flask

from recsite import jobs
from recsite.extensions import db
from recsite.storage.queue import queueing
from recsite.storage.tables import AuditEntry
from tests.conftest import TrainedWorld
from tests.jobs.blocks_at_work import fail_blocks, finish_blocks, finish_run, start_scoring
from tests.processes.servers import RedisServer
from tests.web.clients import Client

HTMX = {"HX-Request": "true"}


def test_before_the_first_run_the_page_says_how_to_begin(admin: Client) -> None:
    assert "Nothing was queued yet" in admin.get("/admin/jobs/").text


def test_every_admin_page_leads_to_the_jobs(admin: Client) -> None:
    assert 'href="/admin/jobs/"' in admin.get("/admin/").text


@pytest.mark.both_databases
def test_a_run_is_shown_with_who_asked_its_state_and_how_far_it_is(admin: Client) -> None:
    run_id = start_scoring()
    finish_blocks(run_id, 1)

    page = admin.get("/admin/jobs/").text

    for shown in ("score", "bob", "running", '<progress value="2" max="6"', "2 of 6"):
        assert shown in page


def test_what_came_of_it_is_shown_with_its_failed_blocks(admin: Client) -> None:
    run_id = start_scoring()
    fail_blocks(run_id, 2, error="<b>no memory</b>")
    finish_blocks(run_id, 1, 3)

    page = admin.get("/admin/jobs/").text

    assert "finished with 1 failed block<" in page
    assert "Not done: blocks 2." in page
    assert "&lt;b&gt;no memory&lt;/b&gt;" in page
    assert f'action="/admin/jobs/{run_id}/retry"' in page


def test_under_htmx_the_table_comes_alone_and_asks_again_soon_while_something_goes_on(admin: Client) -> None:
    run_id = start_scoring()

    busy = admin.get("/admin/jobs/", headers=HTMX).text
    jobs.cancel(run_id, "bob")
    idle = admin.get("/admin/jobs/", headers=HTMX).text

    assert "<html" not in busy
    assert 'hx-trigger="every 2s"' in busy
    assert 'hx-trigger="every 15s"' in idle


@pytest.mark.both_databases
def test_the_page_says_when_it_is_time_to_train(app: Flask, admin: Client, trained: TrainedWorld) -> None:
    app.config["RETRAIN_NEW_RATINGS"] = 1
    admin.post("/api/ratings", json={"movie_id": 13, "value": 4})

    page = admin.get("/admin/jobs/").text

    assert "It is time to train again." in page
    assert f"1 ratings are new since {trained.version_name} was trained." in page


@pytest.mark.parametrize(
    ("form", "parameters"),
    (
        ({"kind": "score", "top": "20"}, {"top": 20}),
        ({"kind": "score", "top": ""}, {}),
        ({"kind": "averages"}, {}),
        ({"kind": "export-ratings"}, {}),
        ({"kind": "export-movies"}, {}),
        ({"kind": "train", "epochs": "3", "activate": "on"}, {"epochs": 3, "activate": True}),
        ({"kind": "train", "seed": "0"}, {"seed": 0, "activate": False}),
    ),
)
def test_a_run_is_started_as_the_form_says(
    admin: Client, form: dict[str, str], parameters: dict[str, int | bool]
) -> None:
    response = admin.post("/admin/jobs/start", data=form)

    (run,) = jobs.list_latest(10)
    assert (response.status_code, response.location) == (303, "/admin/jobs/")
    assert (run.kind, run.asked_by, run.parameters) == (form["kind"], "alice", parameters)
    assert queueing.queue.count == 1


@pytest.mark.parametrize(
    ("form", "message"),
    (
        ({}, "kind must be one of: score, train"),
        ({"kind": "erase"}, "kind must be one of: score, train"),
        ({"kind": "score", "top": "1001"}, "top must be a whole number from 1 to 1000"),
        ({"kind": "train", "epochs": "x"}, "epochs must be a whole number"),
    ),
)
def test_what_cannot_be_started_is_refused_and_the_field_is_named(
    admin: Client, form: dict[str, str], message: str
) -> None:
    response = admin.post("/admin/jobs/start", data=form)

    assert response.status_code == 400
    assert message in response.text
    assert jobs.list_latest(10) == []


def test_a_second_run_of_a_kind_is_refused_on_the_page(admin: Client) -> None:
    run_id = start_scoring()

    response = admin.post("/admin/jobs/start", data={"kind": "score"})

    assert response.status_code == 409
    assert f"Run {run_id} (score, running, asked for by bob) is in the way." in response.text


def test_without_redis_the_page_says_that_nothing_was_queued(admin: Client, own_redis: RedisServer) -> None:
    own_redis.stop()

    response = admin.post("/admin/jobs/start", data={"kind": "score"})

    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "nothing was queued" in response.text


def test_a_run_is_cancelled_and_retried_and_the_log_has_both(admin: Client) -> None:
    run_id = jobs.start("averages", "bob")

    cancelled = admin.post(f"/admin/jobs/{run_id}/cancel")
    assert (cancelled.status_code, jobs.find(run_id).state) == (303, "cancelled")
    retried = admin.post(f"/admin/jobs/{run_id}/retry")
    assert (retried.status_code, jobs.find(run_id).state) == (303, "queued")

    log = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [(entry.by, entry.action, entry.label) for entry in log] == [
        ("alice", "cancel", f"run {run_id}: averages"),
        ("alice", "retry", f"run {run_id}: averages"),
    ]


@pytest.mark.parametrize(("change", "status"), (("cancel", 409), ("retry", 409)))
def test_a_run_that_is_over_is_left_as_it_is(admin: Client, change: str, status: int) -> None:
    run_id = jobs.start("averages", "bob")
    finish_run(run_id)

    response = admin.post(f"/admin/jobs/{run_id}/{change}")

    assert response.status_code == status
    assert jobs.find(run_id).state == "finished"


@pytest.mark.parametrize("change", ("cancel", "retry"))
def test_a_run_that_does_not_exist_is_a_404(admin: Client, change: str) -> None:
    assert admin.post(f"/admin/jobs/99/{change}").status_code == 404
