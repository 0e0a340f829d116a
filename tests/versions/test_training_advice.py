"""The advice when to train again: new ratings, and what the active version does not know."""

import pytest
from flask import Flask

from recsite import movies
from recsite.extensions import db
from recsite.storage.tables import Movie, Rating, now
from recsite.versions import training
from tests.conftest import FIRST_RATED_AT, TrainedWorld, World
from tests.ratings.changes import rate


@pytest.mark.both_databases
def test_right_after_a_training_nothing_is_new(trained: TrainedWorld) -> None:
    advice = training.advise()

    assert (advice.new_ratings, advice.reasons, advice.is_due) == (0, (), False)


@pytest.mark.both_databases
def test_changes_since_the_training_are_counted_and_described(app: Flask, trained: TrainedWorld) -> None:
    app.config["RETRAIN_NEW_RATINGS"] = 2
    db.session.add(Movie(id=1, title="New"))
    db.session.commit()
    rate(trained.dave, 1, 4.0)
    rate(trained.bob, 13, 4.0)

    advice = training.advise()

    assert (advice.new_ratings, advice.is_due) == (2, True)
    assert advice.reasons == (
        f"2 ratings are new since {trained.version_name} was trained.",
        "The active version does not know 1 of the users with ratings.",
        "The active version does not know 1 of the rated movies.",
        "18% of the users with ratings have ratings that it was not trained on.",
    )


@pytest.mark.both_databases
def test_imported_ratings_of_long_ago_are_new_too(trained: TrainedWorld) -> None:
    db.session.add(Rating(user_id=trained.carol, movie_id=550, value=4.0, timestamp=FIRST_RATED_AT))
    movies.refresh_all_averages()

    assert training.advise().new_ratings == 1


@pytest.mark.both_databases
def test_a_site_without_a_version_is_due_once_it_has_the_ratings(app: Flask, world: World) -> None:
    app.config["RETRAIN_NEW_RATINGS"] = 10
    movies.refresh_all_averages()
    assert not training.advise().is_due
    db.session.add_all(
        Rating(user_id=world.carol, movie_id=movie, value=4.0, timestamp=now()) for movie in (550, 278, 949)
    )

    movies.refresh_all_averages()

    assert training.advise().is_due


@pytest.mark.both_databases
def test_with_a_threshold_of_zero_no_training_is_due(app: Flask, trained: TrainedWorld) -> None:
    app.config["RETRAIN_NEW_RATINGS"] = 0
    rate(trained.dave, 550, 4.0)

    assert not training.advise().is_due
