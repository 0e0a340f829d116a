"""A movie hidden, shown, added or deleted: every list follows at once, though answers are cached."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, movies, suggestions
from recsite.errors import MovieNotFound
from recsite.extensions import db
from recsite.storage.tables import Movie, Suggestion
from tests.conftest import MOVIES, TrainedWorld, World
from tests.ratings.changes import rate
from tests.web.clients import Client, ids, new_client


@pytest.fixture
def admin(app: Flask, world: World) -> Client:
    """The browser of an admin who has rated nothing."""
    return new_client(app, accounts.create_user("root", password="long enough 1", is_admin=True))


def rows() -> list[Any]:
    """All stored suggestions."""
    columns = (Suggestion.user_id, Suggestion.movie_id, Suggestion.rank, Suggestion.active, Suggestion.timestamp)
    return [tuple(row) for row in db.session.execute(sa.select(*columns).order_by(*columns))]


def delete(movie_id: int) -> None:
    db.session.execute(sa.delete(Movie).where(Movie.id == movie_id))
    movies.bump_catalog()
    db.session.commit()


LISTS = (
    "/api/suggestions?user_id=2",  # stored rows
    "/api/suggestions?user_id=2&genre=Drama",  # scored in memory
    "/api/suggestions?user_id=3",  # popular movies
    "/api/movies",
    "/api/movies/550/similar",
)
PAGES = ("/", "/movies/", "/movies/550/")


@pytest.mark.both_databases
@pytest.mark.parametrize("path", LISTS)
def test_a_hidden_movie_is_gone_from_the_next_answer_and_back_when_shown(
    client: Client, scored: TrainedWorld, path: str
) -> None:
    before = ids(client.get(path))
    assert 949 in before

    movies.hide(949)

    assert sorted(ids(client.get(path))) == sorted(set(before) - {949})
    movies.show(949)
    assert ids(client.get(path)) == before


@pytest.mark.both_databases
@pytest.mark.parametrize("username", (None, "bob"))
@pytest.mark.parametrize("path", PAGES)
def test_a_hidden_movie_is_gone_from_every_page(
    app: Flask, scored: TrainedWorld, path: str, username: str | None
) -> None:
    browser = app.test_client(user=accounts.find_user(username) if username else None)
    assert 'href="/movies/949/"' in browser.get(path).text

    movies.hide(949)

    assert 'href="/movies/949/"' not in browser.get(path).text


@pytest.mark.both_databases
@pytest.mark.parametrize("path", ("/movies/popular/", "/movies/infinite/"))
def test_a_hidden_movie_is_no_card_to_rate(app: Flask, scored: TrainedWorld, path: str) -> None:
    for movie_id, *_ in MOVIES:
        if movie_id != 13:
            rate(scored.dave, movie_id, 4.0)
    dave = app.test_client(user=accounts.find_user("dave"))
    assert "Forrest Gump" in dave.get(path).text

    movies.hide(13)

    assert "Forrest Gump" not in dave.get(path).text


@pytest.mark.both_databases
@pytest.mark.parametrize("place", (0, 1, 2))
@pytest.mark.parametrize("change", (movies.hide, delete))
def test_a_full_stored_list_is_filled_up_by_what_comes_behind_it(
    app: Flask, client: Client, trained: TrainedWorld, change: Any, place: int
) -> None:
    everything = ids(client.get("/api/suggestions?user_id=2"))
    app.config["SUGGESTIONS_PER_USER"] = 3
    suggestions.rescore([trained.bob])
    path = "/api/suggestions?user_id=2&limit=2"
    assert ids(client.get(path)) == everything[:2]

    change(everything[place])

    left = [movie_id for movie_id in everything if movie_id != everything[place]]
    assert ids(client.get(path)) == left[:2]
    # A deleted movie takes its rank along, so that the loss of the very last one shows when the list is scored again.
    if (change, place) != (delete, 2):
        assert ids(client.get("/api/suggestions?user_id=2&limit=3")) == left


def test_filling_up_a_list_writes_nothing(app: Flask, client: Client, trained: TrainedWorld) -> None:
    app.config["SUGGESTIONS_PER_USER"] = 2
    suggestions.rescore([trained.bob])
    first = ids(client.get("/api/suggestions?user_id=2&limit=2"))[0]
    before = rows()

    movies.hide(first)

    assert len(ids(client.get("/api/suggestions?user_id=2&limit=2"))) == 2
    assert rows() == before


def test_a_list_that_was_short_from_the_start_stays_as_it_was_written(client: Client, trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob], top=2)
    first, second = ids(client.get("/api/suggestions?user_id=2"))

    movies.hide(first)

    assert ids(client.get("/api/suggestions?user_id=2")) == [second]


@pytest.mark.parametrize("change", (movies.hide, movies.show))
def test_a_movie_that_does_not_exist_is_neither_hidden_nor_shown(world: World, change: Any) -> None:
    with pytest.raises(MovieNotFound, match="Movie not found"):
        change(551)


@pytest.mark.both_databases
def test_an_added_movie_comes_into_lists_that_are_scored_now(client: Client, trained: TrainedWorld) -> None:
    rate(trained.dave, 550, 5.0)
    before = ids(client.get("/api/suggestions?user_id=4"))

    db.session.add(Movie(id=1, title="New", genres="Drama"))
    movies.bump_catalog()
    db.session.commit()

    assert ids(client.get("/api/suggestions?user_id=4")) == [*before, 1]
    assert 1 in ids(client.get("/api/suggestions?user_id=2&genre=Drama"))
    assert 1 in ids(client.get("/api/suggestions?user_id=3"))


@pytest.mark.both_databases
@pytest.mark.parametrize("path", LISTS)
def test_a_deleted_movie_is_gone_from_the_next_answer(client: Client, scored: TrainedWorld, path: str) -> None:
    before = ids(client.get(path))
    assert 949 in before

    delete(949)

    assert sorted(ids(client.get(path))) == sorted(set(before) - {949})


def test_an_admin_hides_a_movie_and_shows_it_again(client: Client, admin: Client, world: World) -> None:
    hidden = admin.post("/admin/movies/hide", data={"movie_id": "13"})
    page = admin.get("/movies/13/").text

    assert (hidden.status_code, hidden.location) == (303, "/movies/13/")
    assert client.get("/movies/13/").status_code == 404
    assert ">hidden<" in page
    assert 'action="/admin/movies/show"' in page
    admin.post("/admin/movies/show", data={"movie_id": "13"})
    assert client.get("/movies/13/").status_code == 200


def test_a_hidden_movie_cannot_be_rated_so_its_page_does_not_offer_it(admin: Client, world: World) -> None:
    assert "Your rating" in admin.get("/movies/13/").text

    movies.hide(13)

    assert "Your rating" not in admin.get("/movies/13/").text


def test_only_admins_are_offered_to_hide_a_movie(app: Flask, client: Client, admin: Client, world: World) -> None:
    bob = app.test_client(user=accounts.find_user("bob"))

    assert 'action="/admin/movies/hide"' in admin.get("/movies/13/").text
    assert "/admin/movies" not in bob.get("/movies/13/").text + client.get("/movies/13/").text


def test_hiding_what_is_no_movie_is_refused(admin: Client, subtests: pytest.Subtests) -> None:
    for path in ("/admin/movies/hide", "/admin/movies/show"):
        for movie_id, status in (("551", 404), ("", 400), ("x", 400), ("0", 400), ("2147483648", 400), ("\0", 400)):
            with subtests.test(path=path, movie_id=movie_id):
                assert admin.post(path, data={"movie_id": movie_id}).status_code == status


@pytest.mark.parametrize("path", ("/admin/movies/hide", "/admin/movies/show"))
def test_no_get_hides_or_shows(admin: Client, path: str) -> None:
    assert admin.get(f"{path}?movie_id=13").status_code == 405
