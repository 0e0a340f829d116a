"""My ratings: orders, a filter, and taking one back with an undo."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import ratings
from recsite.extensions import db
from recsite.storage.tables import Movie, Rating, Suggestion, User
from tests.conftest import World
from tests.ratings.changes import rate
from tests.web.clients import Client

HTMX = {"HX-Request": "true"}


def note_in(page: str) -> str:
    found = re.search(r'name="note" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def rating_of(user_id: int, movie_id: int) -> tuple[float, datetime] | None:
    row = db.session.execute(
        sa.select(Rating.value, Rating.timestamp).where(Rating.user_id == user_id, Rating.movie_id == movie_id)
    ).first()
    return (row.value, row.timestamp) if row else None


@pytest.mark.both_databases
def test_my_ratings_come_in_five_orders(world: World, subtests: pytest.Subtests) -> None:
    for sort, movie_ids in (
        ("newest", [680, 862, 949, 278, 550]),
        ("oldest", [550, 278, 949, 862, 680]),
        ("highest", [680, 550, 278, 949, 862]),
        ("lowest", [862, 949, 278, 680, 550]),
        ("title", [550, 949, 680, 278, 862]),
    ):
        with subtests.test(sort=sort):
            found = ratings.ratings_of(world.alice, 1, 10, sort)

            assert [rated.movie.id for rated in found.items] == movie_ids


def test_an_order_that_does_not_exist_is_refused_by_name(alice: Client) -> None:
    response = alice.get("/accounts/ratings/?sort=random")

    assert response.status_code == 400
    assert "sort must be one of: newest, oldest, highest, lowest, title." in response.text


@pytest.mark.both_databases
def test_my_ratings_are_found_by_a_part_of_the_title(world: World) -> None:
    found = ratings.ratings_of(world.alice, 1, 10, title="HEA")

    assert [(rated.movie.title, rated.value) for rated in found.items] == [("Heat", 4.0)]
    assert found.total == 1


@pytest.mark.both_databases
def test_a_title_is_no_pattern(world: World) -> None:
    assert ratings.ratings_of(world.alice, 1, 10, title="%").total == 0


def test_the_next_page_keeps_the_order_and_the_title(alice: Client, world: World) -> None:
    for number in range(30):
        db.session.add(Movie(id=1000 + number, title=f"Sequel {number:02}"))
        db.session.flush()
        db.session.add(Rating(user_id=world.alice, movie_id=1000 + number, value=3.0))
    db.session.commit()

    page = alice.get("/accounts/ratings/?sort=title&q=sequel").text

    assert "30 movies with “sequel” in the title" in page
    assert "Sequel 23" in page
    assert "Sequel 24" not in page
    assert "page=2&amp;q=sequel&amp;sort=title" in page


def test_a_page_of_many_ratings_takes_as_many_statements_as_one_of_few(alice: Client, world: World) -> None:
    statements: list[str] = []
    engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *event: statements.append(event[2]))

    alice.get("/accounts/ratings/")
    few, statements[:] = len(statements), []
    for number in range(24):
        db.session.add(Movie(id=1000 + number, title=f"Sequel {number:02}"))
        db.session.add(Rating(user_id=world.alice, movie_id=1000 + number, value=3.0))
    db.session.commit()
    statements.clear()
    alice.get("/accounts/ratings/")

    assert len(statements) <= few <= 5


def test_a_rating_is_taken_back_and_put_back_without_javascript(alice: Client, world: World) -> None:
    before = rating_of(world.alice, 949)

    removed = alice.post("/accounts/ratings/949/remove", data={"next": "/accounts/ratings/?sort=title"})
    between = rating_of(world.alice, 949)
    page = alice.get(removed.location).text
    undone = alice.post("/accounts/ratings/undo", data={"note": note_in(page), "next": "/accounts/ratings/?sort=title"})

    assert "Removed your 4.0 stars for <strong>Heat</strong>" in page
    assert (removed.location, undone.location) == ("/accounts/ratings/?sort=title",) * 2
    assert between is None
    assert rating_of(world.alice, 949) == before


def test_under_htmx_the_row_itself_offers_the_undo(alice: Client, world: World) -> None:
    removed = alice.post("/accounts/ratings/949/remove", headers=HTMX).text
    row = alice.post("/accounts/ratings/undo", data={"note": note_in(removed)}, headers=HTMX).text

    assert removed.strip().startswith('<li id="rated-949" class="removed">')
    assert row.strip().startswith('<li id="rated-949">')
    assert "You gave it 4" in row


@pytest.mark.both_databases
def test_an_undo_leaves_a_rating_that_is_newer(alice: Client, world: World) -> None:
    removed = alice.post("/accounts/ratings/949/remove", headers=HTMX).text
    rate(world.alice, 949, 0.5)

    alice.post("/accounts/ratings/undo", data={"note": note_in(removed)})

    assert ratings.rating_of(world.alice, 949) == 0.5
    assert "You have rated Heat again since; that rating stays." in alice.get("/accounts/ratings/").text


@pytest.mark.both_databases
def test_an_undo_puts_back_what_was_noted_on_the_suggestion(alice: Client, world: World) -> None:
    at = datetime(2024, 5, 1, tzinfo=UTC)
    db.session.add(Suggestion(user_id=world.alice, movie_id=949, value=4.2, rank=1))
    db.session.commit()
    rate(world.alice, 949, 4.0, at)

    removed = alice.post("/accounts/ratings/949/remove", headers=HTMX).text
    alice.post("/accounts/ratings/undo", data={"note": note_in(removed)})

    suggestion = db.session.get_one(Suggestion, (world.alice, 949))
    assert (suggestion.did_rate, suggestion.rating_value, suggestion.did_rate_timestamp) == (True, 4.0, at)


def test_nobody_puts_back_what_somebody_else_took_away(app: Flask, alice: Client, world: World) -> None:
    removed = alice.post("/accounts/ratings/949/remove", headers=HTMX).text
    bob = app.test_client(user=db.session.get_one(User, world.bob))

    response = bob.post("/accounts/ratings/undo", data={"note": note_in(removed)})

    assert response.status_code == 400
    assert ratings.rating_of(world.bob, 949) is None


@pytest.mark.parametrize("note", ("", "nonsense", "WzEsOTQ5LDQuMF0.AAAA", "é"))
def test_a_note_that_this_site_did_not_write_undoes_nothing(alice: Client, note: str) -> None:
    response = alice.post("/accounts/ratings/undo", data={"note": note})

    assert response.status_code == 400
    assert "There is nothing to undo" in response.text


def test_taking_a_rating_back_twice_is_taking_it_back(alice: Client, world: World) -> None:
    answers = [alice.post("/accounts/ratings/949/remove") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert ratings.rating_of(world.alice, 949) is None


def test_a_rating_of_a_movie_that_is_gone_cannot_be_put_back(alice: Client, world: World) -> None:
    removed = alice.post("/accounts/ratings/949/remove")
    db.session.execute(sa.delete(Movie).where(Movie.id == 949))
    db.session.commit()

    page = alice.get(removed.location)

    assert page.status_code == 200
    assert "Undo" not in page.text
