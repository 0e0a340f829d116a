"""Finding movies: by words and year, page after page, and what a movie's page says to whoever looks at it."""

import re
from datetime import date

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import movies, suggestions
from recsite.extensions import db
from recsite.storage.tables import Movie, Rating, User, now
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client

pytestmark = pytest.mark.both_databases


def found(query: str) -> list[int]:
    """Return the ids that the search finds."""
    return sorted(movie.id for movie in movies.search(query, "popular", page=1, per_page=50).items)


def add_movies(count: int) -> None:
    db.session.add_all(
        [Movie(id=1000 + each, title=f"Film {each}", rating_count=count - each) for each in range(count)]
    )
    db.session.commit()


def linked(page: str) -> list[int]:
    """Return the ids of all cards, in order."""
    return [int(each) for each in re.findall(r'class="card-link" href="/movies/(\d+)/"', page)]


def test_a_search_takes_words_in_any_order_and_a_year(world: World, subtests: pytest.Subtests) -> None:
    for query, expected in (
        ("heat 1995", [949]),
        ("1995 heat", [949]),
        ("Heat (1995)", [949]),
        ("heat 1994", []),
        ("1994", [13, 278, 680]),
        ("fiction pulp", [680]),
        ("  toy   story ", [862]),
        ("  ", [13, 278, 550, 680, 862, 949]),
        ("٢٠٢٠", []),
        ("0000", []),
        (" ".join("abcdefghijklmnop"), []),
    ):
        with subtests.test(query=query):
            assert found(query) == expected


def test_a_number_in_a_title_is_found_as_well(world: World) -> None:
    db.session.add(Movie(id=335984, title="Blade Runner 2049", release_date=date(2017, 10, 4)))
    db.session.commit()

    assert found("runner 2049") == found("runner 2017") == [335984]


def test_the_pages_that_were_scrolled_through_come_back_in_one(client: Client, app: Flask) -> None:
    add_movies(100)

    page = client.get("/movies/?page=1&through=3").text

    assert linked(page) == list(range(1000, 1072))
    assert 'rel="next" href="/movies/?page=4&amp;sort=popular"' in page
    assert 'hx-replace-url="/movies/?page=1&amp;through=4&amp;sort=popular"' in page


def test_the_address_never_asks_for_more_than_four_pages(client: Client, app: Flask) -> None:
    add_movies(200)

    assert len(linked(client.get("/movies/?page=1&through=9").text)) == 96
    assert 'hx-replace-url="/movies/?page=5&amp;through=5&amp;sort=popular"' in client.get("/movies/?page=4").text


def test_without_javascript_pages_lead_forward_and_back(client: Client, app: Flask) -> None:
    add_movies(50)

    middle, last = client.get("/movies/?page=2").text, client.get("/movies/?page=3").text

    assert 'rel="next" href="/movies/?page=3' in middle
    assert 'rel="prev" href="/movies/?page=1' in middle
    assert linked(last) == [1048, 1049]
    assert 'rel="next"' not in last


def test_an_outlook_is_the_prediction_and_its_reasons_with_their_parts(trained: TrainedWorld) -> None:
    outlook = suggestions.outlook_for(13, trained.alice, {})
    explained = suggestions.explain(trained.alice, 13)

    assert outlook is not None
    assert explained.prediction is not None
    assert outlook.value == explained.prediction.value
    shares = [each.share for each in explained.contributions if each.share > 0]
    assert [reason.contribution.share for reason in outlook.reasons] == shares[:4]
    assert [reason.part for reason in outlook.reasons] == pytest.approx([each / sum(shares) for each in shares[:4]])


def test_a_visitors_outlook_is_that_of_an_account_with_the_same_ratings(trained: TrainedWorld) -> None:
    # Nothing is known of the age of a visitor's ratings.
    db.session.execute(sa.update(Rating).where(Rating.user_id == trained.bob).values(timestamp=now()))
    db.session.commit()
    given = {680: 4.0, 278: 3.0}
    bobs, visitors = suggestions.outlook_for(13, trained.bob, {}), suggestions.outlook_for(13, None, given)

    assert bobs is not None
    assert visitors is not None
    assert [each.contribution for each in bobs.reasons] == [each.contribution for each in visitors.reasons]


def test_without_ratings_or_without_a_model_nothing_is_predicted(world: World) -> None:
    assert suggestions.outlook_for(13, world.alice, {}) is None
    assert suggestions.outlook_for(13, None, {}) is None


def test_the_page_says_what_i_would_give_until_i_gave_it(app: Flask, trained: TrainedWorld) -> None:
    alice = app.test_client(user=db.session.get_one(User, trained.alice))

    assert "You would give it" in alice.get("/movies/13/").text
    assert "You would give it" not in alice.get("/movies/550/").text


def test_the_shelf_below_a_movie_is_personal_to_a_visitor_too(client: Client, trained: TrainedWorld) -> None:
    popular = client.get("/for-you/").text
    client.post("/movies/550/rate", data={"value": "5.0"})
    mine = client.get("/for-you/").text

    assert "Popular now" in popular
    assert 550 in linked(popular)
    assert "Next for you" in mine
    assert 550 not in linked(mine)
