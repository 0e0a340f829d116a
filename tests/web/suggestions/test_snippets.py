"""The HTML that HTMX puts into pages of other sites: its styles, where its movies lead, and its errors."""

from html import escape, unescape
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.extensions import db
from recsite.movies import visibility
from recsite.storage.tables import Movie
from tests.conftest import World
from tests.web.clients import Client

HTMX = {"HX-Request": "true"}
SHOP = "https://shop.example/film/"
OF_CAROL = "/api/suggestions/?user_id=3"
HOSTILE = "\"><script>alert('1')</script>&{id}"


def snippet(client: Client, **query: str) -> str:
    """Return carol's list as HTMX gets it."""
    response = client.get("/api/suggestions/", query_string={"user_id": "3"} | query, headers=HTMX)
    assert (response.status_code, response.mimetype) == (200, "text/html"), response.text
    page: str = response.text
    return page


def change(movie_id: int, **columns: Any) -> None:
    """Change the columns of a movie past every check."""
    db.session.execute(sa.update(Movie).where(Movie.id == movie_id).values(columns))
    visibility.bump_catalog()
    db.session.commit()


def test_cards_have_a_tile_title_year_and_stars(client: Client, world: World) -> None:
    page = snippet(client, style="cards")

    assert page.strip().startswith('<ol class="recsite-cards">')
    assert (
        '<a href="http://localhost/movies/550/"><span class="recsite-poster recsite-title">Fight Club</span></a>'
        in page
    )
    assert '<span class="recsite-year">(1999)</span>' in page
    assert page.count('<li class="recsite-card">') == snippet(client).count("<li>") == 6
    assert "style=" not in page


def test_cards_show_the_posters_that_the_site_shows(app: Flask, client: Client, world: World) -> None:
    app.config["TMDB_IMAGES"] = "https://images.example/w342"
    change(550, poster_path='/a"b.jpg')

    page = snippet(client, style="cards")

    assert '<img class="recsite-poster" src="https://images.example/w342/a&#34;b.jpg" alt=""' in page
    assert '<span class="recsite-title">Fight Club</span>' in page
    assert page.count("<img") == 1


def test_cards_say_the_expected_stars_and_why(client: Client, scored: Any) -> None:
    page = client.get("/api/suggestions/?user_id=2&style=cards", headers=HTMX).text

    assert "of 5 stars expected</p>" in page
    assert '<p class="recsite-reason">' in page


def test_a_movie_leads_to_its_own_page_on_the_site(client: Client, world: World) -> None:
    assert "http://localhost/movies/550/" in snippet(client)
    change(550, link=f"{SHOP}fight-club?a=1&b=2")

    for style in ("list", "cards"):
        page = snippet(client, style=style)

        assert f'<a href="{SHOP}fight-club?a=1&amp;b=2">' in page
        assert "/movies/550/" not in page
        assert "http://localhost/movies/680/" in page


@pytest.mark.parametrize(
    ("link", "expected"),
    (
        (f"{SHOP}{{site_id}}", f"{SHOP}SKU%3A12"),
        (f"{SHOP}{{id}}?from={{imdb_id}}", f"{SHOP}550?from=tt0137523"),
        (f"{SHOP}{{title}}/{{title}}", f"{SHOP}Fight%20%26%20Club%2F%3F/Fight%20%26%20Club%2F%3F"),
        ("http://shop.example/all", "http://shop.example/all"),
    ),
)
def test_a_link_has_the_values_of_each_movie(client: Client, world: World, link: str, expected: str) -> None:
    change(550, site_id="SKU:12", imdb_id="tt0137523", title="Fight & Club/?", link="https://other.example/")

    assert f'<a href="{expected}">' in snippet(client, link=link)


def test_a_movie_without_the_value_keeps_its_link(client: Client, world: World) -> None:
    change(550, site_id="SKU-12")
    change(278, link=f"{SHOP}shawshank")

    page = snippet(client, link=f"{SHOP}{{site_id}}/{{imdb_id}}{{id}}")
    assert "http://localhost/movies/550/" in page
    page = snippet(client, link=f"{SHOP}{{site_id}}")

    assert f'href="{SHOP}SKU-12"' in page
    assert f'href="{SHOP}shawshank"' in page
    assert 'href="http://localhost/movies/680/"' in page


@pytest.mark.parametrize(
    "link",
    (
        *("javascript:alert(1)", " https://a.example", "//shop.example/{id}", "ftp://shop.example", "https://", ""),
        *(
            f"{SHOP}{{year}}",
            f"{SHOP}{{id",
            f"{SHOP}id}}",
            f"{SHOP}{{{{id}}}}",
            f"{SHOP}a b",
            f"{SHOP}\0",
            "data:text/html,x",
        ),
        SHOP + "x" * 1000,
    ),
)
def test_a_link_that_makes_no_sense_is_refused(client: Client, world: World, link: str) -> None:
    response = client.get("/api/suggestions/", query_string={"user_id": 3, "link": link})

    assert response.status_code == 400
    assert response.json["error"].startswith(
        "link must be an address of at most 1000 characters that begins with https://"
    )
    assert "{site_id}, {id}, {imdb_id}, {title}" in response.json["error"]


def test_an_unknown_style_is_refused(client: Client, world: World) -> None:
    response = client.get(f"{OF_CAROL}&style={quote(HOSTILE)}")

    assert (response.status_code, response.json["error"]) == (400, "style must be one of: cards, list.")


def test_hostile_titles_and_links_stay_text(client: Client, world: World) -> None:
    change(550, title=HOSTILE, site_id=None, link="javascript:alert(1)")
    change(278, title="{site_id}{title}", link=f"{SHOP}{HOSTILE}")

    for query in ({}, {"style": "cards"}, {"link": f"{SHOP}{{title}}?{HOSTILE.replace('{id}', '')}", "style": "cards"}):
        page = snippet(client, **query)

        assert "<script" not in page
        assert "javascript:" not in page
        assert escape(HOSTILE, quote=False).partition("script&gt;")[0] in page.replace("&#34;", '"').replace(
            "&#39;", "'"
        )
    assert quote(HOSTILE, safe="") in page
    assert f"{SHOP}%7Bsite_id%7D%7Btitle%7D?" in page


def test_json_ignores_style_and_link(client: Client, world: World) -> None:
    plain = client.get(OF_CAROL)

    assert client.get(f"{OF_CAROL}&style=cards&link={SHOP}").json == plain.json
    assert plain.status_code == 200


def test_an_empty_list_says_so(client: Client, world: World) -> None:
    for style in ("list", "cards"):
        page = snippet(client, style=style, genre="No such genre")

        assert page.strip() == '<p class="recsite-empty">There is nothing to suggest yet.</p>'


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    (("user_id=77", 404, "User not found"), ("user_id=3&style=%3Cb%3E", 400, "style must be one of: cards, list.")),
)
def test_visitors_get_a_sentence_for_an_error_and_makers_the_reason(
    client: Client, world: World, query: str, status: int, reason: str
) -> None:
    response = client.get(f"/api/suggestions/?{query}", headers=HTMX)

    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert ">Suggestions are not available right now.</p>" in response.text
    assert f'data-error="{reason}' in unescape(response.text)
    assert client.get("/movies/77777/", headers=HTMX).text.count("not available right now") == 0


def test_only_plain_snippets_are_cached(app: Flask, client: Client, world: World) -> None:
    answers = [snippet(client, **query) for query in ({"style": "cards"}, {}, {"link": SHOP}, {}, {"style": "cards"})]

    assert answers[1] == answers[3] != answers[0] == answers[4]
    assert f'href="{SHOP}"' in answers[2]
    assert SHOP not in answers[3]
