"""What Prometheus reads: requests of all processes, the queue, the runs, the serving version; and proxies in front."""

import re
import urllib.request
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask, Response, jsonify, request

from recsite import accounts, create_app, jobs
from recsite.extensions import db
from recsite.storage.tables import User
from tests.conftest import TrainedWorld
from tests.processes.servers import RedisServer, running_site
from tests.web.clients import Client


def monitoring() -> dict[str, str]:
    """Return the request headers of a program that reads metrics."""
    name = f"prometheus-{db.session.scalar(sa.select(sa.func.count()).select_from(User))}"
    return {"Authorization": f"Bearer {accounts.create_token(accounts.create_user(name))}"}


def figure(text: str, name: str) -> float:
    """Return the value of the line with this beginning."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, f"{name} is not in\n{text}"
    return float(found[1])


@pytest.mark.both_databases
def test_metrics_name_the_parts_the_version_and_the_runs(client: Client, trained: TrainedWorld) -> None:
    jobs.start("score", "alice")

    text = client.get("/metrics", headers=monitoring()).text

    assert figure(text, 'recsite_part_up{part="database"}') == 1
    assert figure(text, f'recsite_model_version{{version="{trained.version_name}"}}') == 1
    assert figure(text, 'recsite_runs{kind="score",state="queued"}') == 1


def test_metrics_count_answers_by_route_and_lists_by_source(client: Client, trained: TrainedWorld) -> None:
    def counted() -> tuple[float, float]:
        text = client.get("/metrics", headers=monitoring()).text
        count = 'recsite_request_seconds_count{method="GET",route="/api/suggestions",status="200"}'
        return figure(text, count), figure(text, 'recsite_lists_total{source="model"}')

    client.get(f"/api/suggestions?user_id={trained.alice}")
    before = counted()
    client.get(f"/api/suggestions?user_id={trained.alice}")
    after = counted()

    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]


def test_any_of_the_web_processes_counts_for_all(app: Flask, trained: TrainedWorld) -> None:
    headers = monitoring()

    def read(url: str) -> str:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    with running_site(app) as address:
        for _ in range(40):
            read(f"{address}/api/suggestions?user_id={trained.alice}")
        counts = [
            figure(
                read(f"{address}/metrics"),
                'recsite_request_seconds_count{method="GET",route="/api/suggestions",status="200"}',
            )
            for _ in range(10)
        ]

    assert counts == [40] * 10


def test_addresses_that_are_no_route_are_counted_as_one(client: Client) -> None:
    client.get("/no/such/page")

    text = client.get("/metrics", headers=monitoring()).text

    assert figure(text, 'recsite_request_seconds_count{method="any",route="none",status="404"}') >= 1
    assert "/no/such/page" not in text


@pytest.mark.parametrize("mode", ("open", "required"))
def test_metrics_are_for_tokens_and_admins(app: Flask, client: Client, mode: str) -> None:
    app.config["API_AUTH"] = mode
    token = accounts.create_token(accounts.create_user("prometheus"))

    refused = client.get("/metrics")
    answered = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})

    assert (refused.status_code, answered.status_code) == (401, 200)


@pytest.mark.parametrize(("proxies", "address"), (("0", "127.0.0.1"), ("1", "203.0.113.9")))
def test_a_forwarded_address_is_believed_of_as_many_proxies_as_there_are(
    proxies: str, address: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    app = create_app(
        {
            "DATABASE_URL": f"sqlite:///{tmp_path}/db",
            "REDIS_URL": redis_server.url,
            "SECRET_KEY": "test",
            "TESTING": True,
            "PROXIES": int(proxies),
        }
    )

    @app.get("/who")
    def who() -> Response:
        return jsonify(request.remote_addr)

    answer = app.test_client().get("/who", headers={"X-Forwarded-For": "198.51.100.7, 203.0.113.9"})

    assert answer.json == address
