"""The home page and the first questions: rows that say why, no movie twice, and what a visitor rated counts."""

import re

import pytest
from flask import Flask

from recsite import movies, suggestions, versions
from recsite.extensions import db
from recsite.jobs import demo
from recsite.storage.tables import Movie, User, now
from recsite.suggestions.lists import Suggested, SuggestionList
from recsite.suggestions.shelves import FIRST_SHELF_MOVIES, MIN_SHELF_MOVIES, arrange
from recsite.versions import training
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import rate
from tests.web.clients import Client

HTMX = {"HX-Request": "true"}
GIVEN = {680: 5.0, 238: 4.5, 862: 2.0}


@pytest.fixture
def sample(app: Flask) -> int:
    """The bundled sample with an active version; the id of somebody who gave GIVEN at one moment."""
    demo.load_sample(lambda done, total: None)
    version = training.train(training.set_up_from_settings(**demo.SAMPLE_PARAMETERS | {"epochs": 5}, folds=2))
    versions.activate(version.version_name, "the tests")
    user = User(username="frank")
    db.session.add(user)
    db.session.commit()
    at = now()
    for movie_id, value in GIVEN.items():
        rate(user.id, movie_id, value, at)
    return user.id


def linked(page: str) -> list[int]:
    """Return the ids of all cards, in order."""
    return [int(each) for each in re.findall(r'class="card-link" href="/movies/(\d+)/"', page)]


@pytest.mark.both_databases
def test_no_movie_stands_twice_on_the_home_page(sample: int) -> None:
    home = suggestions.home_of(sample)

    shown = [item.movie_id for items in (home.first, *(shelf.items for shelf in home.shelves)) for item in items]
    assert len(shown) == len(set(shown)) > FIRST_SHELF_MOVIES + 2 * MIN_SHELF_MOVIES
    assert not set(shown) & set(GIVEN)


def test_the_rows_say_why_they_are_there(sample: int) -> None:
    titles = [shelf.title for shelf in suggestions.home_of(sample).shelves]

    assert titles[0] in ("Because you rated Pulp Fiction 5", "Because you rated The Godfather 4.5")
    assert any(title.startswith("New to you in ") for title in titles)
    assert titles[-1] == "Popular now"


def test_every_movie_of_a_row_has_its_reason(sample: int) -> None:
    shelves = suggestions.home_of(sample).shelves

    for shelf in shelves:
        if shelf.title.startswith("Because"):
            assert {item.reason for item in shelf.items} == {shelf.title}
        if shelf.title.startswith("New to you in "):
            genre = shelf.title.removeprefix("New to you in ")
            assert all(genre in item.movie.genre_names for item in shelf.items)


def test_a_visitors_ratings_make_the_list_that_an_account_with_them_has(sample: int) -> None:
    mine, visitors = suggestions.home_of(sample), suggestions.home_of_visitor(GIVEN)

    assert [(item.movie_id, item.value) for item in visitors.first] == [
        (item.movie_id, item.value) for item in mine.first
    ]
    assert [item.reason for item in visitors.first] == [item.reason for item in mine.first]
    assert visitors.source == "fold-in"


def test_a_visitor_without_ratings_sees_what_everybody_likes(client: Client, world: World) -> None:
    movies.refresh_all_averages()
    page = client.get("/").text

    assert linked(page)[:3] == [680, 550, 949]
    assert "Rate five to get yours" in page


def test_a_visitors_home_page_follows_each_rating(client: Client, trained: TrainedWorld) -> None:
    client.post("/movies/550/rate", data={"value": "5.0"})
    page = client.get("/").text

    assert 550 not in linked(page)
    assert "Your suggestions" in page
    assert "You rated 1 of the first five" in page


def test_a_home_page_without_movies_says_so(client: Client, app: Flask) -> None:
    assert "There are no movies here yet." in client.get("/").text


def test_few_movies_make_no_row() -> None:
    assert arrange(SuggestionList("popular", None, list[Suggested]())).shelves == []


def test_questions_leave_out_what_was_rated_or_skipped(sample: int) -> None:
    first = [movie.id for movie in suggestions.questions_for(None, 12)]

    left = [movie.id for movie in suggestions.questions_for(None, 12, answered=first[:2], left_out=first[2:4])]

    assert len(left) == 12
    assert not set(left) & set(first[:4])
    assert not set(GIVEN) & {movie.id for movie in suggestions.questions_for(sample, 12)}


@pytest.mark.both_databases
def test_without_a_model_the_most_rated_movies_are_asked_about(world: World) -> None:
    movies.refresh_all_averages()

    assert [movie.id for movie in suggestions.questions_for(None, 2, answered=[278])] == [680, 550]


def test_hidden_movies_are_not_asked_about(world: World) -> None:
    movies.hide(680)

    assert 680 not in [movie.id for movie in suggestions.questions_for(None, 12)]


def test_the_questions_say_how_many_are_answered(client: Client, trained: TrainedWorld) -> None:
    client.post("/movies/550/rate", data={"value": "5.0"})

    assert "1 of 5 rated" in client.get("/start/").text
    assert "<html" not in client.get("/start/", headers=HTMX).text


def test_other_questions_come_in_the_place_of_those_without_an_answer(client: Client, trained: TrainedWorld) -> None:
    shown = [550, 278, 949]
    client.post("/movies/550/rate", data={"value": "5.0"})

    answer = client.post("/start/others", data={"movie_id": shown})

    assert answer.location == "/start/"
    page = client.get("/start/").text
    assert [f'id="rating-{movie.id}"' in page for movie in db.session.query(Movie).order_by(Movie.id)] == [
        movie_id not in shown for movie_id in (13, 278, 550, 680, 862, 949)
    ]
    with client.session_transaction() as session:
        assert session["skipped"] == [278, 949]


@pytest.mark.parametrize("movie_id", ("x", "0", "99999999999"))
def test_a_bad_movie_among_the_questions_is_a_400(client: Client, world: World, movie_id: str) -> None:
    assert client.post("/start/others", data={"movie_id": movie_id}).status_code == 400


def test_when_all_was_asked_the_questions_say_so(client: Client, world: World) -> None:
    client.post("/start/others", data={"movie_id": [550, 278, 949, 862, 680, 13]})

    assert "You have been asked about all of them." in client.get("/start/").text
