"""Movies that are popular lately: newer ratings count more, and an answer is kept for a while."""

from datetime import datetime, timedelta

import pytest

from recsite import movies, ratings
from recsite.extensions import db
from recsite.ratings import trends
from recsite.storage.tables import Rating, User, now
from tests.conftest import World
from tests.web.clients import Client

pytestmark = pytest.mark.both_databases


def rate_often(movie_id: int, *ages_in_days: float) -> None:
    """Insert a rating of the movie for each age, by users of its own."""
    for age in ages_in_days:
        user = User(username=f"{movie_id} {age}")
        db.session.add(user)
        db.session.flush()
        db.session.add(
            Rating(user_id=user.id, movie_id=movie_id, value=3.0, timestamp=now() - timedelta(days=age, minutes=1))
        )
    db.session.commit()


def ids_of(days: int = 30, n: int = 10) -> list[int]:
    """Return the ids of the movies that are popular lately."""
    return [movie.id for movie in ratings.trending(days, n)]


def test_the_most_ratings_of_these_days_come_first(world: World) -> None:
    rate_often(550, 1, 1.1)
    rate_often(862, 1, 1.1, 1.2)
    rate_often(13, *(40 + i for i in range(9)))

    # The ratings of the world are years old.
    assert ids_of() == [862, 550]
    assert ids_of(n=1) == [862]
    assert ids_of(days=50) == [862, 550, 13]
    assert ids_of(days=365)[0] == 13


def test_a_rating_counts_half_after_a_quarter_of_the_days(world: World) -> None:
    rate_often(550, 0, 8)
    rate_often(862, 8, 8.1, 8.2)
    assert ids_of(days=32) == [550, 862]  # 1 + ½ and 3 · ½, equal: the lower id comes first

    rate_often(862, 8.3)
    assert ids_of(days=33)[0] == 862


def test_an_answer_is_kept_for_ten_minutes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    start = datetime.fromtimestamp(now().timestamp() // 600 * 600 + 1, now().tzinfo)
    monkeypatch.setattr(trends, "now", lambda: start)
    rate_often(550, 1)
    assert ids_of() == [550]

    rate_often(862, 1, 1.1)
    assert ids_of() == [550]
    monkeypatch.setattr(trends, "now", lambda: start + timedelta(minutes=10))
    assert ids_of() == [862, 550]


def test_a_hidden_movie_leaves_at_once(world: World) -> None:
    rate_often(550, 1)
    rate_often(862, 1, 2)
    assert ids_of() == [862, 550]

    movies.hide(862)

    assert ids_of() == [550]


def test_a_rating_of_a_time_to_come_counts_as_one_of_now(world: World) -> None:
    rate_often(550, -300)
    rate_often(862, 0, 0.1)

    assert ids_of() == [862, 550]


def test_without_ratings_nothing_is_popular_lately(client: Client, world: World) -> None:
    assert client.get("/api/movies/trending").json == {"movies": []}


def test_the_api_lists_them_as_movies(client: Client, world: World) -> None:
    rate_often(550, 1)
    rate_often(862, 1, 2)

    for path in ("/api/movies/trending?days=30&limit=1", "/api/movies/trending/?limit=1"):
        (movie,) = client.get(path).json["movies"]
        assert movie == client.get("/api/movies/862").json


def test_a_bad_option_is_named(client: Client, world: World, subtests: pytest.Subtests) -> None:
    for query in ("days=0", "days=366", "days=x", "limit=0", "limit=101"):
        with subtests.test(query=query):
            response = client.get(f"/api/movies/trending?{query}")

            assert response.status_code == 400
            assert response.json["error"].startswith(f"{query.partition('=')[0]} must be a whole number from 1 to ")


def test_the_newest_ratings_are_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rate_often(550, 1)
    rate_often(862, 2, 2.1, 2.2)
    monkeypatch.setattr(trends, "MOST_RATINGS", 2)

    assert ids_of() == [550, 862]
