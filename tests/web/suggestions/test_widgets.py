"""The page of widgets, and the snippet that they put into other sites' pages."""

import re
from html import unescape

import pytest
from flask import Flask

from recsite.config import ROOT
from tests.conftest import World
from tests.web.clients import Client


def test_the_lines_hold_my_number_and_the_address_of_this_site(alice: Client) -> None:
    page = unescape(alice.get("/widgets/").text)

    assert 'hx-get="http://localhost/api/suggestions/?user_id=1&limit=5"' in page
    assert '<script src="http://localhost/assets/htmx.min.js' in page
    assert 'data-suggestions="http://localhost/api/suggestions/?user_id=1&limit=5"' in page


def test_the_lines_of_fetch_are_those_that_work_on_the_page(alice: Client) -> None:
    script = (ROOT / "recsite" / "web" / "static" / "suggestions.js").read_text().partition("\n")[2].strip()

    assert script in unescape(alice.get("/widgets/").text)


def test_the_stylesheet_to_copy_is_that_of_the_page(alice: Client) -> None:
    style = (ROOT / "recsite" / "web" / "static" / "widget.css").read_text().strip()

    page = unescape(alice.get("/widgets/").text)

    assert style in page
    assert "/static/widget.css" in page
    assert 'hx-get="http://localhost/api/suggestions/?user_id=1&limit=5&style=cards"' in page


def test_a_visitor_sees_the_lines_and_an_invitation(client: Client) -> None:
    page = client.get("/widgets/").text

    assert "user_id=123" in page
    assert "/accounts/login/?next=/widgets/" in page
    assert 'hx-get="/api' not in page


@pytest.mark.parametrize(
    ("auth", "said"), (("open", "may read the list of any user"), ("required", "it belongs on your server"))
)
def test_the_page_says_who_may_ask(app: Flask, client: Client, auth: str, said: str) -> None:
    app.config.update(API_AUTH=auth, CORS_ORIGINS=("https://friend.example",))

    page = client.get("/widgets/").text

    assert said in page
    assert "<code>https://friend.example</code>" in page


def test_the_snippet_is_a_plain_list_with_whole_addresses(client: Client, world: World) -> None:
    page = client.get(
        "/api/suggestions/?user_id=3", headers={"HX-Request": "true"}, base_url="https://films.example"
    ).text

    assert page.strip().startswith('<ol class="recsite-suggestions">')
    assert '<a href="https://films.example/movies/550/">Fight Club</a> (1999)' in page
    assert "<svg" not in page
    assert "style=" not in page


def test_a_snippet_asked_for_under_one_name_is_not_answered_with_another(client: Client, world: World) -> None:
    names = ("https://films.example", "https://evil.example", "https://films.example")

    pages = [
        client.get("/api/suggestions/?user_id=3", headers={"HX-Request": "true"}, base_url=name).text for name in names
    ]

    assert all(f"{name}/movies/" in page for name, page in zip(names, pages, strict=True))
    assert "evil" not in pages[2]


def test_the_signed_widget_reads_the_list_of_who_is_logged_in(app: Flask, alice: Client) -> None:
    app.config.update(API_AUTH="required", WIDGET_KEY=("k" * 32,))

    page = unescape(alice.get("/widgets/").text)

    (path,) = re.findall(r'hx-get="(/api/suggestions\S*user_token=\S+)"', page)
    assert app.test_client().get(path, headers={"HX-Request": "true"}).status_code == 200
    assert "k" * 32 not in page


def test_without_a_key_the_page_says_what_is_missing(alice: Client) -> None:
    page = alice.get("/widgets/").text

    assert "has to set <code>WIDGET_KEY</code> first" in page
    assert 'id="signed-widget"' not in page


def test_the_lines_of_every_htmx_widget_show_a_sentence_for_an_error(alice: Client) -> None:
    page = unescape(alice.get("/widgets/").text)

    for name in ("htmx", "cards", "signed"):
        lines = page.partition(f'<code id="{name}-lines">')[2].partition("</code>")[0]
        assert lines.count('hx-on::before-swap="event.detail.shouldSwap = true"') == 1, name
        assert lines.count("hx-on::send-error=") == 1, name
    assert 'hx-get="http://localhost/api/suggestions/?limit=5&user_token=TOKEN"' in page
