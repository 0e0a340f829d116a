"""The id of a request: in its answer, in its log lines, and never what a client could forge a line with."""

import json
import logging

import pytest
from flask import Flask

from recsite.web.site import request_log
from recsite.web.site.request_log import JsonLines
from tests.web.clients import Client


@pytest.mark.parametrize("path", ("/healthz", "/api/suggestions/?user_id=abc", "/nowhere"))
def test_every_answer_names_its_request(client: Client, path: str) -> None:
    first, second = (client.get(path).headers["X-Request-ID"] for _ in range(2))

    assert len(first) == 16
    assert first != second


def test_the_id_that_a_proxy_gave_is_kept(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "proxy-12345"}).headers["X-Request-ID"] == "proxy-12345"


@pytest.mark.parametrize("given", ("short", "a b c d e f g", "x" * 65, '","level":"'))
def test_an_id_that_could_forge_a_line_is_not_taken(client: Client, given: str) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] != given


def test_every_answer_has_a_line_with_its_id(app: Flask, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(JsonLines())

    with caplog.at_level(logging.INFO, "recsite"):
        response = client.get("/api/suggestions/?user_id=abc")

    (line,) = [each for each in map(json.loads, caplog.text.splitlines()) if "request_log" in each["logger"]]
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line["message"].startswith("GET /api/suggestions/ 400 ")


def test_in_a_worker_of_the_server_the_line_is_json_on_standard_error(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(request_log, "_writes_to_stderr", True)

    response = client.get("/no/such/page%0A{}")

    line = json.loads(capsys.readouterr().err)
    assert line.keys() == {"time", "level", "logger", "request_id", "message"}
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line["message"].startswith("GET /no/such/page\n{} 404 ")
