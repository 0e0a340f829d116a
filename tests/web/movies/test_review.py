"""One card after another, what a visitor rates before there is an account, and movies sent away."""

import pytest
from flask import Flask

from recsite import movies, ratings
from recsite.extensions import db
from recsite.ratings import dismissals
from recsite.storage.tables import Movie, User
from recsite.web.request.viewer import MAX_SESSION_RATINGS, MAX_SESSION_SKIPS
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client, log_in

HTMX = {"HX-Request": "true"}
REVIEWS = pytest.mark.parametrize("review", ("popular", "infinite"))


def shown_on(page: str) -> int | None:
    """Return the movie of the card."""
    return next((movie.id for movie in db.session.query(Movie) if f'action="/movies/{movie.id}/skip"' in page), None)


def add_movies(count: int) -> None:
    db.session.add_all([Movie(id=number, title=f"Film {number}") for number in range(1001, count + 1001)])
    db.session.commit()


@REVIEWS
def test_a_skipped_card_gives_way_to_another_until_none_is_left(app: Flask, world: World, review: str) -> None:
    bob = log_in(app, world.bob)
    path = f"/movies/{review}/"
    shown = []

    for _ in range(4):
        shown.append(shown_on(bob.get(path).text))
        answer = bob.post(f"/movies/{shown[-1]}/skip", data={"review": review})
        assert (answer.status_code, answer.location) == (303, f"{path}?last={shown[-1]}")

    assert set(shown) == {13, 550, 862, 949}
    assert "That was all of them" in bob.get(path).text


@REVIEWS
def test_what_a_user_skipped_does_not_come_up_in_another_browser(app: Flask, world: World, review: str) -> None:
    first = shown_on(log_in(app, world.bob).get(f"/movies/{review}/").text)
    log_in(app, world.bob).post(f"/movies/{first}/skip")

    assert shown_on(log_in(app, world.bob).get(f"/movies/{review}/").text) != first


@REVIEWS
def test_a_visitors_review_passes_over_what_was_rated_or_skipped(client: Client, world: World, review: str) -> None:
    for _ in range(3):
        client.post(f"/movies/{shown_on(client.get(f'/movies/{review}/').text)}/skip")
        client.post(f"/movies/{shown_on(client.get(f'/movies/{review}/').text)}/rate", data={"value": "3.0"})

    assert "That was all of them" in client.get(f"/movies/{review}/").text


def test_rating_a_card_under_htmx_answers_the_next_one(app: Flask, world: World) -> None:
    carol = log_in(app, world.carol)
    first = shown_on(carol.get("/movies/popular/").text)

    answer = carol.post(f"/movies/{first}/rate", data={"value": "4.0", "review": "popular"}, headers=HTMX)

    assert answer.headers["HX-Trigger"] == "rated"
    assert shown_on(answer.text) not in (first, None)
    assert "<html" not in answer.text
    assert f'action="/movies/{first}/unrate"' in answer.text


def test_undoing_a_rating_brings_its_card_back(app: Flask, world: World) -> None:
    carol = log_in(app, world.carol)
    carol.post("/movies/13/rate", data={"value": "4.0", "review": "popular"})

    answer = carol.post("/movies/13/unrate", data={"review": "popular"}, headers=HTMX)

    assert shown_on(answer.text) == 13
    assert ratings.rating_of(world.carol, 13) is None


@pytest.mark.parametrize("who", ("carol", "visitor"))
def test_undoing_a_skip_brings_its_card_back(app: Flask, world: World, who: str) -> None:
    client = log_in(app, world.carol) if who == "carol" else app.test_client()
    client.post("/movies/13/skip", data={"review": "popular"})
    assert "Skipped Forrest Gump" in client.get("/movies/popular/?last=13").text

    answer = client.post("/movies/13/unskip", data={"review": "popular"})

    assert answer.location == "/movies/popular/?first=13"
    assert shown_on(client.get(answer.location).text) == 13


@pytest.mark.parametrize("option", ("first", "last"))
def test_a_review_of_a_movie_that_is_gone_goes_on_with_another(client: Client, world: World, option: str) -> None:
    assert shown_on(client.get(f"/movies/popular/?{option}=999").text) is not None


def test_rating_under_htmx_can_be_undone_to_the_value_before(app: Flask, world: World) -> None:
    alice = log_in(app, world.alice)

    first = alice.post("/movies/13/rate", data={"value": "3.0"}, headers=HTMX).text
    again = alice.post("/movies/13/rate", data={"value": "4.5"}, headers=HTMX).text
    removed = alice.post("/movies/13/unrate", headers=HTMX).text

    assert 'hx-post="/movies/13/unrate"' in first
    assert '{"value": 3.0}' in again
    assert '{"value": 4.5}' in removed
    assert "Rating removed" in removed


@pytest.mark.both_databases
def test_a_visitors_ratings_are_the_accounts_after_signing_up(client: Client, trained: TrainedWorld) -> None:
    client.post("/movies/550/rate", data={"value": "4.5"})
    client.post("/movies/949/rate", data={"value": "1.0"})
    client.post("/movies/949/unrate")

    client.post("/accounts/signup/", data={"username": "eve", "password": "long enough"})

    eve = db.session.query(User).filter_by(username="eve").one()
    assert ratings.rating_of(eve.id, 550) == 4.5
    assert ratings.count_of(eve.id) == 1
    assert "Personal" in client.get("/", headers=HTMX).text


@pytest.mark.both_databases
def test_logging_in_keeps_the_accounts_own_rating_and_adds_the_others(client: Client, world: World) -> None:
    client.post("/accounts/signup/", data={"username": "eve", "password": "long enough"})
    client.post("/movies/550/rate", data={"value": "2.0"})
    client.post("/accounts/logout/")
    client.post("/movies/550/rate", data={"value": "5.0"})
    client.post("/movies/13/rate", data={"value": "3.5"})

    client.post("/accounts/login/", data={"username": "eve", "password": "long enough"})

    eve = db.session.query(User).filter_by(username="eve").one()
    assert [ratings.rating_of(eve.id, movie_id) for movie_id in (550, 13)] == [2.0, 3.5]


@pytest.mark.both_databases
def test_a_rating_of_a_movie_that_went_meanwhile_does_not_stop_the_sign_up(client: Client, world: World) -> None:
    client.post("/movies/550/rate", data={"value": "4.5"})
    client.post("/movies/13/rate", data={"value": "4.0"})
    movies.hide(550)

    client.post("/accounts/signup/", data={"username": "eve", "password": "long enough"})

    assert ratings.count_of(db.session.query(User).filter_by(username="eve").one().id) == 1


def test_a_visitors_rating_is_shown_where_the_movie_is(client: Client, world: World) -> None:
    client.post("/movies/550/rate", data={"value": "4.5"})

    assert "You gave it 4.5" in client.get("/movies/550/").text


@pytest.mark.parametrize("value", ("", "x", "4.7", "6", "0"))
def test_a_visitors_bad_value_is_a_400(client: Client, world: World, value: str) -> None:
    assert client.post("/movies/550/rate", data={"value": value}).status_code == 400


def test_what_a_visitor_rates_and_skips_fits_into_a_cookie(app: Flask, client: Client, world: World) -> None:
    app.config["FORMS_PER_MINUTE"] = 0
    add_movies(MAX_SESSION_RATINGS + MAX_SESSION_SKIPS + 10)

    for movie_id in range(1001, MAX_SESSION_SKIPS + 1011):
        client.post(f"/movies/{movie_id}/skip")
    for movie_id in range(MAX_SESSION_SKIPS + 1011, MAX_SESSION_SKIPS + 1011 + MAX_SESSION_RATINGS):
        assert client.post(f"/movies/{movie_id}/rate", data={"value": "3.5"}).status_code == 303
    refused = client.post("/movies/550/rate", data={"value": "3.5"})

    assert refused.status_code == 400
    assert "Sign up to rate more than 50 movies" in refused.text
    with client.session_transaction() as session:
        assert session["skipped"] == list(range(1011, MAX_SESSION_SKIPS + 1011))
        assert len(session["ratings"]) == MAX_SESSION_RATINGS
    assert len(client.get_cookie("session").value) < 2000


def test_a_movie_sent_away_leaves_the_home_page_and_can_be_called_back(app: Flask, trained: TrainedWorld) -> None:
    bob = log_in(app, trained.bob)

    gone = bob.post("/movies/550/dismiss", headers=HTMX)
    without = bob.get("/", headers=HTMX).text
    back = bob.post("/movies/550/restore", headers=HTMX)

    assert 'action="/movies/550/restore"' in gone.text
    assert 'href="/movies/550/"' not in without
    assert back.headers["HX-Trigger"] == "rated"
    assert 'href="/movies/550/"' in bob.get("/", headers=HTMX).text


def test_without_javascript_sending_away_leads_back_and_says_how_to_undo(app: Flask, world: World) -> None:
    bob = log_in(app, world.bob)

    answer = bob.post("/movies/550/dismiss", data={"next": "/"}, follow_redirects=True)

    assert "You will not see Fight Club in your lists again" in answer.text
    assert 'action="/movies/550/restore"' in bob.get("/movies/550/").text
    bob.post("/movies/550/restore")
    assert not dismissals.is_unwanted(world.bob, 550)


@pytest.mark.parametrize("action", ("dismiss", "restore"))
def test_a_visitor_who_sends_a_movie_away_is_asked_to_log_in(client: Client, world: World, action: str) -> None:
    response = client.post(f"/movies/550/{action}", data={"next": "/movies/550/"})

    assert (response.status_code, response.location) == (303, "/accounts/login/?next=/movies/550/")


@pytest.mark.parametrize("action", ("rate", "unrate", "skip", "unskip", "dismiss", "restore"))
def test_no_get_changes_a_movie_of_mine(client: Client, world: World, action: str) -> None:
    assert client.get(f"/movies/550/{action}").status_code == 405


@pytest.mark.parametrize("action", ("skip", "dismiss"))
def test_a_movie_that_does_not_exist_cannot_be_put_aside(app: Flask, world: World, action: str) -> None:
    assert log_in(app, world.bob).post(f"/movies/999/{action}").status_code == 404
