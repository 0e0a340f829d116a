"""The page of the API: its quick start, the order of its sections, and what can be copied."""

import re
import shlex
from collections.abc import Iterator
from html import unescape

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.accounts import site_tokens
from recsite.extensions import db
from recsite.storage.queue import queueing
from recsite.storage.tables import Movie
from recsite.web.api import quick_start
from tests.conftest import World
from tests.web.clients import Client


@pytest.fixture
def emptied_queue(app: Flask) -> Iterator[None]:
    """No job is left in the queue, which other tests share."""
    yield
    while queueing.count_jobs():
        queueing.queue.pop_job_id()


def lines_to_copy(client: Client, address: str = "http://localhost") -> list[str]:
    """Return the texts to copy, in the order of the page."""
    page = client.get("/api/", base_url=address)
    assert page.status_code == 200
    return [unescape(text) for text in re.findall('<pre class="line"[^>]*>(.*?)</pre>', page.text, re.DOTALL)]


def test_the_quick_start_stands_first_and_has_the_callers_address(client: Client, world: World) -> None:
    page = client.get("/api/", base_url="https://films.example").text
    lines = lines_to_copy(client, "https://films.example")[:7]

    assert page.index('id="quick-start"') < page.index('class="operation"')
    assert lines[0].startswith("flask tokens create --site shop --scopes suggestions:read,")
    assert lines[1].endswith(" 'https://films.example/api/movies/batch'")
    assert lines[2].endswith(" 'https://films.example/api/ratings/batch'")
    assert lines[5].endswith(" 'https://films.example/api/suggestions?user=cust-42&limit=5'")
    assert lines[6].startswith('<div hx-get="https://films.example/api/suggestions?user=cust-42&limit=5"')


def test_the_commands_of_the_quick_start_work_in_their_order(
    app: Flask, client: Client, world: World, emptied_queue: None
) -> None:
    app.config["API_AUTH"] = "required"
    token = site_tokens.create("shop", quick_start.SCOPES.split(","), None, "the tests")

    answers = []
    for line in lines_to_copy(client)[1:6]:
        words = shlex.split(line.replace("TOKEN", token))
        headers = dict(words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H")
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        body = words[words.index("-d") + 1] if "-d" in words else None
        answers.append(client.open(words[-1], method=method, headers=headers, data=body))

    assert [answer.status_code for answer in answers] == [200, 200, 202, 200, 200], [each.text for each in answers]
    assert (answers[0].json["new"], answers[0].json["refused"]) == (2, [])
    assert (answers[1].json["new"], answers[1].json["refused"]) == (2, [])
    assert answers[2].headers["Location"].endswith("/api/jobs/1")
    assert db.session.scalar(sa.select(Movie.link).filter_by(site_id="SKU-12")) == "https://shop.example/film/SKU-12"
    assert answers[4].json["suggestions"]


def test_suggestions_come_first_and_every_operation_is_in_the_navigation(client: Client) -> None:
    page = client.get("/api/").text

    sections = re.findall('<section class="operation" id="([a-z_]+)"', page)
    assert sections[:3] == ["list_suggestions", "suggest_to_newcomer", "suggest_to_many"]
    contents = page.partition('<nav class="contents"')[2].partition("</nav>")[0]
    assert re.findall('href="#([a-z_-]+)"', contents) == ["quick-start", "every-request", *sections, "headers"]
    assert all(f'id="{name}"' in page for name in ("quick-start", "every-request", "headers"))


def test_examples_of_answers_are_indented(client: Client) -> None:
    assert '<pre>{\n  "suggestions": [\n    {\n      "id": 550,' in unescape(client.get("/api/").text)


@pytest.mark.parametrize("host", ("a'b.example", 'a"b.example', "<b>.example"))
def test_a_hostile_address_stays_text(client: Client, host: str) -> None:
    page = client.get("/api/", headers={"Host": host})

    assert page.status_code == 400 or host not in page.text.replace("&#39;", "")
