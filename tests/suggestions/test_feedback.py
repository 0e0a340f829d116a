"""What a user says is saved together with the list that follows from it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, ratings, suggestions
from recsite.errors import InvalidInput, MovieNotFound, NotFound, UserNotFound
from recsite.extensions import db
from recsite.ratings import history
from recsite.storage.tables import Movie, Rating, Suggestion, User
from tests.conftest import TrainedWorld, World

LAST_YEAR = datetime(2025, 6, 1, tzinfo=UTC)


@contextmanager
def recorded_statements() -> Iterator[list[str]]:
    """Collect the statements and commits of the block."""
    statements: list[str] = []

    def record_statement(*event: Any) -> None:
        statements.append(event[2])

    def record_commit(_connection: Any) -> None:
        statements.append("COMMIT")

    listeners = (("before_cursor_execute", record_statement), ("commit", record_commit))
    for name, listener in listeners:
        sa.event.listen(db.engine, name, listener)
    yield statements
    for name, listener in listeners:
        sa.event.remove(db.engine, name, listener)


def active_list(user_id: int) -> list[int]:
    """Return the movies of the stored list, best first."""
    db.session.rollback()
    query = sa.select(Suggestion.movie_id).where(Suggestion.user_id == user_id, Suggestion.active, ~Suggestion.did_rate)
    return list(db.session.scalars(query.order_by(Suggestion.rank)))


def generations(user_id: int) -> tuple[int, int | None]:
    """Return the generation of the user's ratings and the one that the stored list is made from."""
    db.session.rollback()
    user = db.session.get_one(User, user_id, populate_existing=True)
    return user.rating_generation, user.list_rating_generation


def fail(*_: Any, **__: Any) -> None:
    raise FloatingPointError("no list today")


def test_a_rating_and_the_list_that_follows_are_saved_together(trained: TrainedWorld) -> None:
    with recorded_statements() as statements:
        is_new = suggestions.rate(trained.bob, 550, 4.5)

    assert is_new
    assert statements.count("COMMIT") == 1
    assert ratings.rating_of(trained.bob, 550) == 4.5
    assert sorted(active_list(trained.bob)) == [13, 862, 949]
    assert generations(trained.bob) == (1, 1)


@pytest.mark.both_databases
def test_a_rating_sent_to_the_api_takes_few_statements_in_one_transaction(app: Flask, trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])
    token = accounts.create_token(db.session.get_one(User, trained.bob))
    sent: dict[str, Any] = {"json": {"movie_id": 13, "value": 4.0}, "headers": {"Authorization": f"Bearer {token}"}}
    client = app.test_client()
    client.post("/api/ratings", **sent)

    with recorded_statements() as statements:
        response = client.post("/api/ratings", **sent)

    assert response.status_code == 200
    assert statements.count("COMMIT") == 1
    # PostgreSQL locks the movie with a statement of its own.
    assert len(statements) - 1 <= (14 if db.engine.dialect.name == "postgresql" else 13), statements


@pytest.mark.both_databases
def test_a_rating_is_saved_although_scoring_fails_and_a_worker_repairs_the_list(
    trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    suggestions.rescore([trained.bob])
    with monkeypatch.context() as patched:
        patched.setattr("recsite.suggestions.scoring.make_scored_lists", fail)
        suggestions.rate(trained.bob, 550, 4.5)

    heat = db.session.get_one(Movie, 550, populate_existing=True)
    assert ratings.rating_of(trained.bob, 550) == 4.5
    assert heat.rating_count == len(db.session.scalars(sa.select(Rating).filter_by(movie_id=550)).all())
    assert generations(trained.bob) == (1, 0)
    assert "the list of user 2 is left to a worker: scoring failed" in caplog.text

    assert suggestions.refresh_stale(10) == 1
    assert generations(trained.bob) == (1, 1)
    assert sorted(active_list(trained.bob)) == [13, 862, 949]


@pytest.mark.both_databases
def test_a_rating_is_saved_although_the_database_refuses_the_list(
    trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_in_database(*_: Any) -> None:
        db.session.execute(sa.text("SELECT * FROM no_such_table"))

    monkeypatch.setattr("recsite.suggestions.rows.write_rows", fail_in_database)

    suggestions.rate(trained.bob, 550, 4.5)

    assert ratings.rating_of(trained.bob, 550) == 4.5
    assert generations(trained.bob) == (1, 0)


def test_a_rating_is_saved_although_the_candidates_cannot_be_read(
    trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("recsite.suggestions.feedback.find_candidates", fail)

    suggestions.rate(trained.bob, 550, 4.5)

    assert ratings.rating_of(trained.bob, 550) == 4.5
    assert generations(trained.bob) == (1, 0)
    assert "the list of user 2 is left to a worker: version or movies cannot be loaded" in caplog.text


def test_a_rating_without_a_model_is_saved(world: World) -> None:
    suggestions.rate(world.carol, 550, 4.5)

    assert ratings.rating_of(world.carol, 550) == 4.5
    assert active_list(world.carol) == []


def test_what_cannot_be_saved_changes_nothing(trained: TrainedWorld) -> None:
    with pytest.raises(MovieNotFound, match="Movie not found"):
        suggestions.rate(trained.bob, 999, 4.5)
    with pytest.raises(InvalidInput, match=r"value must be 0\.5 to 5\.0 stars"):
        suggestions.rate(trained.bob, 550, 4.7)
    with pytest.raises(NotFound, match="Rating not found"):
        suggestions.unrate(trained.bob, 550)
    with pytest.raises(UserNotFound, match="User not found"):
        suggestions.dismiss(999, 550)

    assert generations(trained.bob) == (0, None)


def test_a_withdrawn_rating_brings_the_movie_back_into_the_list(trained: TrainedWorld) -> None:
    suggestions.rate(trained.bob, 550, 4.5)

    value, _ = suggestions.unrate(trained.bob, 550)

    assert value == 4.5
    assert 550 in active_list(trained.bob)
    assert generations(trained.bob) == (2, 2)


def test_a_rating_is_put_back_with_its_time_unless_there_is_a_newer_one(trained: TrainedWorld) -> None:
    assert suggestions.put_back(trained.bob, 550, 4.5, LAST_YEAR)
    assert not suggestions.put_back(trained.bob, 550, 1.0, LAST_YEAR)

    rated = ratings.find_rated(trained.bob, 550)
    assert rated is not None
    assert (rated.value, rated.timestamp) == (4.5, LAST_YEAR)
    assert 550 not in active_list(trained.bob)


def test_a_dismissed_movie_leaves_the_stored_list_and_comes_back(trained: TrainedWorld) -> None:
    suggestions.dismiss(trained.bob, 550)
    without = active_list(trained.bob)

    suggestions.restore(trained.bob, 550)

    assert 550 not in without
    assert 550 in active_list(trained.bob)


def test_an_import_is_saved_and_undone_with_one_list_each(trained: TrainedWorld) -> None:
    import_id = history.propose(trained.bob, "mine.csv", b"tmdbId,rating\n862,4\n949,4.5\n")

    with recorded_statements() as statements:
        suggestions.save_import(trained.bob, import_id, replace=False)
    with_file = active_list(trained.bob)
    suggestions.undo_import(trained.bob, import_id)

    assert statements.count("COMMIT") == 1
    assert sorted(with_file) == [13, 550]
    assert sorted(active_list(trained.bob)) == [13, 550, 862, 949]
    assert generations(trained.bob) == (2, 2)


def test_fifty_ratings_of_a_visitor_take_no_more_statements_than_two(trained: TrainedWorld) -> None:
    db.session.add_all([Movie(id=number, title=f"Film {number}") for number in range(1001, 1051)])
    db.session.commit()

    with recorded_statements() as two:
        added_first = suggestions.add_missing(trained.bob, {1001: 4.0, 278: 5.0, 1002: 3.5, 999: 2.0})
    with recorded_statements() as many:
        added = suggestions.add_missing(trained.bob, dict.fromkeys(range(1001, 1051), 4.0))

    assert (added_first, added) == (2, 48)
    assert ratings.rating_of(trained.bob, 278) == 3.0
    assert len(many) <= len(two) < 16


def test_ratings_that_are_all_there_already_leave_the_trained_list_as_it_is(trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])

    assert suggestions.add_missing(trained.bob, {278: 5.0}) == 0

    assert generations(trained.bob) == (0, 0)
    assert suggestions.best_for(trained.bob).source == "model"


@pytest.mark.both_databases
def test_users_who_rate_the_same_movies_in_opposite_orders_do_not_block_each_other(
    app: Flask, trained: TrainedWorld
) -> None:
    errors: list[BaseException] = []

    def rate_all(user_id: int, movie_ids: list[int]) -> None:
        with app.app_context():
            try:
                for movie_id in movie_ids * 3:
                    suggestions.rate(user_id, movie_id, 4.0)
            except Exception as error:
                errors.append(error)

    orders = {trained.bob: [550, 278, 13], trained.carol: [13, 278, 550], trained.dave: [278, 550, 13]}
    threads = [threading.Thread(target=rate_all, args=call) for call in orders.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
    counted = db.session.scalars(sa.select(Movie.rating_count).where(Movie.id.in_([550, 278, 13]))).all()
    stored = sa.select(sa.func.count()).where(Rating.movie_id.in_([550, 278, 13])).scalar_subquery()
    assert sum(counted) == db.session.scalar(sa.select(stored))
