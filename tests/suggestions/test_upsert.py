"""Writing lists: in small transactions, in one order, and never over what a newer list has said."""

import threading

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import suggestions
from recsite.extensions import db
from recsite.jobs.worker import AppWorker
from recsite.storage.tables import Suggestion, User
from recsite.suggestions import rows, scoring
from recsite.suggestions.ranking import ScoredList
from recsite.versions.active import recommender
from tests.conftest import TrainedWorld
from tests.ratings.changes import rate

pytestmark = pytest.mark.both_databases


def loaded_id() -> int:
    """Return the active version's id."""
    version = recommender.current()
    assert version is not None
    return version.version_id


def active_movies(user_id: int) -> list[int]:
    """Return the movies of the user's stored list by rank."""
    query = sa.select(Suggestion.movie_id).where(Suggestion.user_id == user_id, Suggestion.active)
    return list(db.session.scalars(query.order_by(Suggestion.rank)))


def make_list(user_id: int, *movie_ids: int) -> ScoredList:
    """Return a list of a user whose ratings have not changed since the import."""
    return ScoredList(user_id, 0, np.array(movie_ids, dtype=np.int64), np.linspace(5, 1, len(movie_ids)), True)


def test_a_list_from_older_ratings_does_not_replace_a_newer_one(trained: TrainedWorld) -> None:
    version = recommender.current()
    assert version is not None
    slow = scoring.score_users(version, [trained.bob])
    db.session.rollback()
    rate(trained.bob, 862, 4.0)
    suggestions.refresh(trained.bob)

    assert rows.upsert(slow, version.version_id) == 0

    assert 862 not in active_movies(trained.bob)
    bob = db.session.get_one(User, trained.bob)
    assert bob.list_rating_generation == bob.rating_generation


def test_a_worker_refreshes_lists_that_missed_their_refresh(app: Flask, trained: TrainedWorld) -> None:
    app.config["RANKER_FLOOR"] = 0
    suggestions.rescore([trained.bob, trained.carol])
    listed = active_movies(trained.bob)
    rate(trained.bob, listed[0], 4.0)
    # The first rating of somebody who never had a list.
    rate(trained.dave, 550, 5.0)
    db.session.rollback()

    AppWorker(app).run_maintenance_tasks()

    assert active_movies(trained.bob) == listed[1:]
    assert len(active_movies(trained.dave)) == 5
    assert suggestions.refresh_stale(10) == 0


def test_the_missing_list_of_a_user_who_was_never_scored_is_not_stale(app: Flask, trained: TrainedWorld) -> None:
    db.session.execute(sa.update(User).values(rating_generation=3))  # as an import leaves it
    db.session.commit()

    assert suggestions.refresh_stale(10) == 0


def test_the_list_of_a_deleted_user_is_not_written(trained: TrainedWorld) -> None:
    assert rows.upsert([make_list(99, 550), make_list(trained.carol, 278)], loaded_id()) == 1

    assert active_movies(trained.carol) == [278]


def test_transactions_have_few_rows_and_never_divide_a_list(
    trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "TRANSACTION_ROWS", 3)
    lists = [make_list(1, 13, 550), make_list(2, 13, 550), make_list(3, 13, 550, 278, 862), make_list(4, 13)]

    assert [[scored.user_id for scored in batch] for batch in rows.split_into_transactions(lists)] == [
        [1],
        [2],
        [3],
        [4],
    ]
    assert rows.upsert(lists, loaded_id()) == 9
    assert active_movies(3) == [13, 550, 278, 862]


def test_an_empty_list_makes_the_rows_of_the_old_one_inactive(trained: TrainedWorld) -> None:
    rows.upsert([make_list(trained.carol, 550, 278)], loaded_id())

    rows.upsert([make_list(trained.carol)], loaded_id())

    assert active_movies(trained.carol) == []


def test_two_writers_at_once_leave_one_row_a_pair_and_do_not_deadlock(app: Flask, trained: TrainedWorld) -> None:
    everybody = [make_list(user_id, 550, 278, 949) for user_id in range(1, 13)]
    version_id, errors = loaded_id(), []

    def write_again_and_again(lists: list[ScoredList]) -> None:
        with app.app_context():
            try:
                for _ in range(20):
                    rows.upsert(lists, version_id)
            except sa.exc.SQLAlchemyError as error:
                errors.append(error)

    writers = [threading.Thread(target=write_again_and_again, args=(each,)) for each in (everybody, everybody[::-1])]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert errors == []
    assert [active_movies(user_id) for user_id in range(1, 13)] == [[550, 278, 949]] * 12
