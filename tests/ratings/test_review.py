"""The next movie of a review."""

from typing import Any

import pytest

from recsite import movies, ratings
from recsite.extensions import db
from recsite.storage.tables import Movie
from tests.conftest import World


@pytest.mark.both_databases
def test_the_next_popular_movie_is_the_best_one_neither_rated_nor_skipped(world: World) -> None:
    movies.refresh_averages()
    db.session.commit()

    order: list[Any] = []
    while (movie := ratings.next_popular(world.bob, order)) is not None:
        order.append(movie.id)

    assert order == [550, 949, 862, 13]


@pytest.mark.both_databases
def test_a_visitor_is_shown_every_movie_one_after_another(world: World) -> None:
    shown: list[Any] = []
    while (movie := ratings.next_shuffled(None, shown)) is not None:
        shown.append(movie.id)

    assert sorted(shown) == [13, 278, 550, 680, 862, 949]


@pytest.mark.both_databases
def test_people_are_shown_the_movies_in_orders_of_their_own(world: World) -> None:
    for number in range(1, 60):
        db.session.add(Movie(id=10_000 + number, title=f"Movie {number}"))
    db.session.commit()

    first_shown = {ratings.next_shuffled(user_id).id for user_id in range(100, 120)}  # type: ignore[union-attr]

    assert len(first_shown) > 10
    assert ratings.next_shuffled(100) == ratings.next_shuffled(100)


@pytest.mark.both_databases
@pytest.mark.parametrize("find", (ratings.next_popular, ratings.next_shuffled))
def test_a_hidden_movie_is_never_the_next_one(world: World, find: Any) -> None:
    movies.hide(13)

    assert find(world.alice) is None
