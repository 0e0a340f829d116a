"""Pages with two representations tell caches so; ids in a URL are limited by one converter."""

import pytest
from flask import Flask

from recsite.storage.tables import LARGEST_ID
from tests.conftest import World
from tests.web.clients import Client

HTMX = {"HX-Request": "true"}
TWO_SHAPES = ("/", "/start/", "/movies/popular/", "/movies/infinite/", "/admin/jobs/", "/api/suggestions/?user_id=1")


def pages_of(app: Flask) -> list[str]:
    """Return the path of every route for GET that takes no argument, and of one movie and one user."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
    return [*sorted({rule.rule for rule in rules}), "/movies/550/", "/admin/users/1/", "/api/suggestions/?user_id=1"]


@pytest.mark.parametrize("path", TWO_SHAPES)
def test_a_page_with_two_shapes_varies_by_the_header_of_htmx(admin: Client, world: World, path: str) -> None:
    for headers in ({}, HTMX):
        response = admin.get(path, headers=headers)

        assert response.status_code == 200
        assert "HX-Request" in response.vary


def test_no_page_has_two_shapes_in_secret(app: Flask, admin: Client, world: World) -> None:
    two_shapes = set()
    for path in pages_of(app):
        whole, fragment = (admin.get(path, headers=headers) for headers in ({}, HTMX))
        if "HX-Request" in whole.vary:
            two_shapes.add(path)
        else:
            assert (b"<html" in whole.data) == (b"<html" in fragment.data), path

    assert two_shapes >= set(TWO_SHAPES)


def test_an_id_in_a_url_is_a_whole_number_from_1_to_the_largest(client: Client, world: World) -> None:
    adapter = client.application.url_map.bind("localhost")

    for movie_id in (1, LARGEST_ID):
        assert adapter.match(f"/movies/{movie_id}/") == ("movies.detail", {"movie_id": movie_id})
    for wrong in (0, LARGEST_ID + 1, "-1", "1.0", "abc", "9" * 400):
        assert client.get(f"/movies/{wrong}/").status_code == 404


def test_a_change_is_announced_in_a_live_region_that_stays(client: Client, world: World) -> None:
    page = client.get("/movies/550/").text
    fragment = client.post("/movies/550/rate", data={"value": "4.5"}, headers=HTMX).text

    assert '<p id="announcement" class="visually-hidden" aria-live="polite"></p>' in page
    assert '<p id="announcement" hx-swap-oob="innerHTML">You gave it 4.5</p>' in fragment
    assert 'role="status"' not in fragment
