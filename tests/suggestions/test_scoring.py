"""Scoring users: what is written, what is left alone, and that values are Surprise's own."""

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import ml, movies, suggestions, versions
from recsite.errors import MovieNotFound, NoActiveModel, UserNotFound
from recsite.extensions import db
from recsite.storage.tables import Movie, Suggestion, User, now
from recsite.versions import training
from recsite.versions.active import recommender
from tests.conftest import MOVIES, TrainedWorld, World
from tests.ratings.changes import rate, unrate

pytestmark = pytest.mark.both_databases


def stored(user_id: int) -> list[tuple[int, int, float, bool]]:
    """(rank, movie, value, active) of a user's rows, as the database has them."""
    db.session.expire_all()
    rows = db.session.scalars(sa.select(Suggestion).filter_by(user_id=user_id).order_by(Suggestion.rank)).all()
    return [(row.rank, row.movie_id, row.value, row.active) for row in rows]


def test_scoring_writes_every_unrated_movie_in_rank_order(trained: TrainedWorld) -> None:
    written = suggestions.rescore([trained.bob])

    rows = stored(trained.bob)
    assert written == 4
    assert [rank for rank, *_ in rows] == [1, 2, 3, 4]
    assert {movie_id for _, movie_id, *_ in rows} == {550, 949, 862, 13}


def test_ranking_by_value_orders_by_predicted_rating(app: Flask, trained: TrainedWorld) -> None:
    app.config["RANKING"] = "value"

    suggestions.rescore([trained.bob])

    values = [value for _, _, value, _ in stored(trained.bob)]
    assert values == sorted(values, reverse=True)


def test_the_ranker_orders_what_it_covers(app: Flask, trained: TrainedWorld) -> None:
    app.config["RANKER_FLOOR"] = 0
    loaded = recommender.current()
    assert loaded is not None
    ranker = loaded.opened.ranker
    (scores,) = ranker.scores([np.array([278, 680])], [np.array([3.0, 4.0])], [np.array([1, 0])])

    suggestions.rescore([trained.bob])

    by_movie = dict(zip(ranker.movies.ids.tolist(), scores.tolist(), strict=True))
    listed = [by_movie[movie_id] for _, movie_id, *_ in stored(trained.bob)]
    assert listed == sorted(listed, reverse=True)


def test_a_movie_that_the_ranker_does_not_cover_fills_the_list_behind_those_it_does(
    app: Flask, trained: TrainedWorld
) -> None:
    app.config["RANKER_FLOOR"] = 0
    db.session.add(Movie(id=1, title="New"))
    movies.bump_catalog()
    db.session.commit()

    suggestions.rescore([trained.bob])

    assert [movie_id for _, movie_id, *_ in stored(trained.bob)][-1] == 1


def test_already_rated_movies_are_not_suggested_again(trained: TrainedWorld) -> None:
    suggestions.rescore(suggestions.all_user_ids())

    rated = {movie[0] for movie in MOVIES} - {13}
    assert not rated & {movie_id for _, movie_id, *_ in stored(trained.alice)}


def test_a_stored_value_is_what_latest_pkl_predicts(trained: TrainedWorld) -> None:
    suggestions.rescore(suggestions.all_user_ids())

    algo = ml.load_model(model_type="surprise", model_ext="pkl")
    rows = db.session.scalars(sa.select(Suggestion)).all()
    assert len(rows) == 1 + 4 + 8
    for row in rows:
        assert row.value == pytest.approx(algo.predict(uid=row.user_id, iid=row.movie_id).est, abs=1e-12)


def test_rescoring_twice_leaves_the_same_rows(trained: TrainedWorld) -> None:
    suggestions.rescore(suggestions.all_user_ids())
    before = {user_id: stored(user_id) for user_id in range(1, 13)}

    suggestions.rescore(suggestions.all_user_ids())

    assert {user_id: stored(user_id) for user_id in range(1, 13)} == before


def test_blocks_of_one_user_write_what_one_large_block_writes(app: Flask, trained: TrainedWorld) -> None:
    suggestions.rescore(suggestions.all_user_ids())
    before = {user_id: stored(user_id) for user_id in range(1, 13)}
    app.config["SCORE_BLOCK_USERS"] = 1

    suggestions.rescore(suggestions.all_user_ids())

    assert {user_id: stored(user_id) for user_id in range(1, 13)} == before


def test_a_movie_that_falls_out_of_the_list_becomes_inactive(trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])

    suggestions.rescore([trained.bob], top=2)

    assert [active for *_, active in stored(trained.bob)] == [True, True, False, False]


def test_scoring_never_changes_the_columns_of_ratings(trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])
    at = now()
    db.session.execute(
        sa.update(Suggestion)
        .where(Suggestion.movie_id == 862)
        .values(did_rate=True, rating_value=4.5, did_rate_timestamp=at)
    )
    db.session.commit()

    suggestions.rescore([trained.bob])

    row = db.session.get_one(Suggestion, (trained.bob, 862))
    assert (row.did_rate, row.rating_value, row.did_rate_timestamp) == (True, 4.5, at)


def test_batch_scoring_remembers_every_user_it_was_given(app: Flask, trained: TrainedWorld) -> None:
    """The old design's batches called themselves without their users, and scored everybody or nobody."""
    app.config["SCORE_BLOCK_USERS"] = 2

    suggestions.rescore([trained.alice, trained.bob, 5, 6, 7])

    scored = set(db.session.scalars(sa.select(Suggestion.user_id)))
    assert scored == {trained.alice, trained.bob, 5, 6, 7}


def test_progress_counts_users(app: Flask, trained: TrainedWorld) -> None:
    app.config["SCORE_BLOCK_USERS"] = 2
    seen: list[tuple[int, int]] = []

    suggestions.rescore([1, 2, 5], on_progress=lambda done, total: seen.append((done, total)))

    assert seen == [(0, 3), (2, 3), (3, 3)]


def test_a_stopped_run_keeps_the_blocks_that_it_finished(app: Flask, trained: TrainedWorld) -> None:
    app.config["SCORE_BLOCK_USERS"] = 1

    def stop_after_one(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt("after one")

    with pytest.raises(KeyboardInterrupt, match="after one"):
        suggestions.rescore([1, 2], on_progress=stop_after_one)

    db.session.rollback()
    assert len(stored(1)) == 1
    assert stored(2) == []


def test_a_user_without_ratings_gets_no_rows(trained: TrainedWorld) -> None:
    assert suggestions.rescore([trained.carol]) == 0
    assert stored(trained.carol) == []


def test_withdrawing_the_last_rating_empties_the_stored_list(trained: TrainedWorld) -> None:
    rate(trained.carol, 550, 4.0)
    suggestions.rescore([trained.carol])
    unrate(trained.carol, 550)

    suggestions.rescore(suggestions.all_user_ids())

    assert {active for *_, active in stored(trained.carol)} == {False}


def test_a_user_unknown_to_the_model_is_folded_in(trained: TrainedWorld) -> None:
    rate(trained.dave, 550, 5.0)

    suggestions.refresh(trained.dave)

    assert {movie_id for _, movie_id, *_ in stored(trained.dave)} == {278, 949, 862, 680, 13}


def test_a_new_rating_changes_the_values_of_a_known_user(trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])
    before = {movie_id: value for _, movie_id, value, _ in stored(trained.bob)}
    rate(trained.bob, 862, 0.5)

    suggestions.refresh(trained.bob)

    after = {movie_id: value for _, movie_id, value, active in stored(trained.bob) if active}
    assert after.keys() == {550, 949, 13}
    assert all(after[movie_id] != before[movie_id] for movie_id in after)


def test_a_hidden_movie_is_in_no_list(trained: TrainedWorld) -> None:
    db.session.get_one(Movie, 13).is_hidden = True
    db.session.commit()

    suggestions.rescore(suggestions.all_user_ids())

    assert 13 not in set(db.session.scalars(sa.select(Suggestion.movie_id)))


def test_without_a_visible_movie_every_list_is_empty(trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])
    db.session.execute(sa.update(Movie).values(is_hidden=True))
    movies.bump_catalog()
    db.session.commit()

    assert suggestions.rescore(suggestions.all_user_ids()) == 0
    assert {active for *_, active in stored(trained.bob)} == {False}


def test_an_unknown_user_among_others_stops_the_scoring_before_it_writes(trained: TrainedWorld) -> None:
    with pytest.raises(UserNotFound, match="User not found"):
        suggestions.rescore([trained.bob, 99])

    assert stored(trained.bob) == []


def test_scoring_without_an_active_version_says_what_to_do(world: World) -> None:
    with pytest.raises(NoActiveModel, match="flask train"):
        suggestions.rescore([world.bob])


def test_one_prediction_is_the_number_of_surprise(trained: TrainedWorld) -> None:
    prediction = suggestions.predict_one(trained.bob, 862)

    algo = ml.load_model()
    assert prediction.value == pytest.approx(algo.predict(uid=trained.bob, iid=862).est, abs=1e-12)
    assert (prediction.knows_user, prediction.knows_movie) == (True, True)


def test_a_prediction_for_an_unknown_movie_is_marked_as_an_average(trained: TrainedWorld) -> None:
    db.session.add(Movie(id=1, title="New"))
    db.session.commit()

    assert not suggestions.predict_one(trained.bob, 1).knows_movie
    with pytest.raises(MovieNotFound, match="Movie not found"):
        suggestions.predict_one(trained.bob, 2)


def test_a_plan_writes_nothing(trained: TrainedWorld) -> None:
    plan = suggestions.plan_scoring(suggestions.all_user_ids())

    assert (plan.users, plan.rows) == (10, 40)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Suggestion)) == 0


def test_recent_users_are_those_who_rated_or_were_seen(trained: TrainedWorld) -> None:
    rate(trained.dave, 550, 5.0)
    db.session.get_one(User, trained.carol).last_seen_at = now()
    db.session.commit()

    assert suggestions.recent_user_ids(days=1) == [trained.carol, trained.dave]


def test_the_active_version_answers_after_a_switch(trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])

    versions.activate(training_again(), "the tests")

    found = suggestions.best_for(trained.bob)
    assert found.version_name == versions.find_active().version_name  # type: ignore[union-attr]
    assert found.version_name != trained.version_name
    assert len(found.items) == 4


def training_again() -> str:
    """Train a second version and return its name."""
    return training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=5)).version_name
