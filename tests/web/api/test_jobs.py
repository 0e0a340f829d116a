"""Jobs over the API: started as on the admin's page, and followed until they end."""

from typing import Any

import pytest
from flask import Flask

from recsite import accounts, jobs, versions
from recsite.accounts import site_tokens
from recsite.extensions import db
from recsite.jobs import tasks
from recsite.storage.queue import queueing
from recsite.storage.tables import Suggestion
from tests.conftest import TrainedWorld
from tests.jobs.blocks_at_work import fail_blocks, finish_blocks, start_scoring
from tests.processes.servers import RedisServer
from tests.web.clients import Client, log_in, token_headers


@pytest.fixture
def shop(app: Flask, client: Client) -> Client:
    """A program with a token of the site that may start jobs."""
    app.config["API_AUTH"] = "required"
    token = site_tokens.create("the shop", ["jobs:write"], None, "the tests")
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def start(client: Client, **body: Any) -> Any:
    """Return the response to the start of a job."""
    return client.post("/api/jobs", json=body)


def work() -> None:
    """Do everything that is due, as a worker would."""
    while queueing.count_jobs():
        queueing.queue.pop_job_id()
        tasks.do_next("a-job")


@pytest.mark.both_databases
def test_a_training_is_started_followed_and_activated(shop: Client, trained: TrainedWorld) -> None:
    response = start(shop, kind="train", activate=True)

    run_id = response.json["id"]
    queued = {"id": run_id, "kind": "train", "state": "queued", "done": 0, "total": 0, "error": None}
    assert (response.status_code, response.json) == (202, queued)
    assert response.headers["Location"] == f"/api/jobs/{run_id}"
    assert jobs.find(run_id).asked_by == "token: the shop"
    work()
    done = shop.get(response.headers["Location"]).json
    assert done == queued | {"state": "finished", "done": done["total"], "total": done["total"]}
    active = versions.find_active()
    assert active is not None
    assert active.version_name != trained.version_name
    assert versions.list_activations(1)[0].activated_by == "token: the shop"


def test_without_activate_the_active_version_stays(shop: Client, trained: TrainedWorld) -> None:
    start(shop, kind="train")

    work()

    active = versions.find_active()
    assert active is not None
    assert active.version_name == trained.version_name


def test_a_scoring_fills_the_table(shop: Client, trained: TrainedWorld) -> None:
    response = start(shop, kind="score")

    work()

    job = shop.get(response.headers["Location"]).json
    assert (job["state"], job["done"], job["total"]) == ("finished", 10, 10)
    assert db.session.query(Suggestion).filter_by(user_id=trained.bob, active=True).count() == 4


def test_a_job_in_the_way_is_a_409_that_names_it(shop: Client, trained: TrainedWorld) -> None:
    first = start(shop, kind="train").json["id"]

    second = start(shop, kind="train")

    assert second.status_code == 409
    assert f"Run {first} (train, queued, asked for by token: the shop) is in the way." in second.json["error"]
    assert start(shop, kind="score").status_code == 202
    assert len(jobs.list_latest(10)) == 2


def test_a_job_says_why_it_left_something_undone(shop: Client, trained: TrainedWorld) -> None:
    run_id = start_scoring()
    fail_blocks(run_id, 2, error="no memory")
    finish_blocks(run_id, 1, 3)

    job = shop.get(f"/api/jobs/{run_id}").json

    assert (job["state"], job["done"], job["total"]) == ("finished", 4, 6)
    assert job["error"] == "Block 2 of 3: no memory"


@pytest.mark.parametrize(
    ("body", "message"),
    (
        ({}, "kind is missing; it must be one of: score, train."),
        ({"kind": "erase"}, "kind must be one of: score, train."),
        ({"kind": "train", "activate": "yes"}, "activate must be true or false."),
        ({"kind": "train", "epochs": 3}, "Unknown key 'epochs' in the body; the keys are: kind, activate."),
    ),
)
def test_a_job_that_makes_no_sense_is_refused(shop: Client, trained: TrainedWorld, body: Any, message: str) -> None:
    response = start(shop, **body)

    assert (response.status_code, response.json) == (400, {"error": message})
    assert len(jobs.list_latest(10)) == 0


def test_a_job_that_is_not_there_is_a_404(shop: Client, trained: TrainedWorld) -> None:
    response = shop.get("/api/jobs/77")

    assert (response.status_code, response.json) == (404, {"error": "Job not found"})


def test_without_redis_nothing_is_queued_and_the_answer_says_so(
    shop: Client, trained: TrainedWorld, own_redis: RedisServer
) -> None:
    own_redis.stop()

    response = start(shop, kind="score")

    assert response.status_code == 503
    assert response.json == {"error": "Redis does not answer, so nothing was queued. Start it and try again."}
    assert response.headers["Retry-After"]
    assert [run.state for run in jobs.list_latest(10)] == ["failed"]


def test_only_the_site_and_its_admins_start_jobs(app: Flask, client: Client, trained: TrainedWorld) -> None:
    accounts.find_user("alice").is_admin = True
    db.session.commit()

    assert start(client, kind="score").status_code == 401
    refused = client.post("/api/jobs", json={"kind": "score"}, headers=token_headers(trained.bob))
    assert refused.status_code == 403
    assert "a token of the site with the scope jobs:write" in refused.json["error"]
    assert start(log_in(app, trained.bob), kind="score").status_code == 403
    assert start(log_in(app, trained.alice), kind="score").status_code == 202
    assert jobs.list_latest(1)[0].asked_by == "alice"


def test_a_browser_starts_a_job_with_the_csrf_token_only(app: Flask, admin: Client, trained: TrainedWorld) -> None:
    app.config["WTF_CSRF_ENABLED"] = True

    assert start(admin, kind="score").status_code == 400
    assert len(jobs.list_latest(10)) == 0
