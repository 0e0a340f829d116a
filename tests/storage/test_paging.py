"""Paging: one page of a query, and the numbers of the pages around it."""

from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite.storage.paging import paginate
from recsite.storage.tables import Movie, Rating
from tests.conftest import World

BY_ID = sa.select(Movie.id).order_by(Movie.id)
"13, 278, 550, 680, 862, 949."


@dataclass(frozen=True)
class Rated:
    """A row of two tables."""

    movie: Movie
    value: float


@pytest.mark.both_databases
def test_a_page_holds_its_items_and_the_size_of_the_list(app: Flask, world: World) -> None:
    found = paginate(BY_ID, 2, 4)

    assert (found.items, found.total, found.pages) == ([862, 949], 6, 2)
    assert (found.has_previous, found.has_next) == (True, False)


def test_several_pages_can_be_read_at_once(app: Flask, world: World) -> None:
    found = paginate(BY_ID, 1, 2, pages_shown=2)

    assert (found.items, found.next_page, found.has_next) == ([13, 278, 550, 680], 3, True)


def test_a_page_after_the_last_one_is_empty(app: Flask, world: World) -> None:
    found = paginate(BY_ID, 7, 4)

    assert (found.items, found.total, found.has_next) == ([], 6, False)


def test_an_empty_list_has_one_page(app: Flask) -> None:
    found = paginate(BY_ID, 1, 4)

    assert (found.items, found.total, found.pages, found.has_next) == ([], 0, 1, False)


@pytest.mark.both_databases
def test_rows_of_a_join_become_objects_and_are_counted_once(app: Flask, world: World) -> None:
    query = sa.select(Movie, Rating.value).join(Rating, Rating.movie_id == Movie.id).where(Rating.user_id == world.bob)

    found = paginate(query.order_by(Movie.id), 1, 1, make=Rated)

    assert [(item.movie.id, item.value) for item in found.items] == [(278, 3.0)]
    assert found.total == 2


def test_items_can_be_exchanged(app: Flask, world: World) -> None:
    found = paginate(BY_ID, 2, 4)

    assert found.with_items(["a", "b"]).items == ["a", "b"]
    assert found.with_items(["a", "b"]).total == 6
