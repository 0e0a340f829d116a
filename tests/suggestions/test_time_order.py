"""The order of time of a user's ratings, in live lists and in batches."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import suggestions
from recsite.extensions import db
from recsite.ml.rating_weights import RatingWeights, count_newer
from recsite.storage.tables import Rating, Suggestion
from recsite.suggestions.ranking import read_user_ratings
from recsite.versions.active import recommender
from tests.conftest import FIRST_RATED_AT, TrainedWorld
from tests.ratings.changes import rate

pytestmark = pytest.mark.both_databases


def test_ratings_are_read_with_the_number_of_newer_ones(trained: TrainedWorld) -> None:
    rate(trained.alice, 862, 2.0, FIRST_RATED_AT + timedelta(days=99))
    rate(trained.alice, 949, 4.0, FIRST_RATED_AT + timedelta(days=99))

    alice, extra = read_user_ratings([trained.alice, 6])

    assert dict(zip(alice.movie_ids.tolist(), alice.newer.tolist(), strict=True)) == {
        862: 0,
        949: 0,
        680: 2,
        278: 3,
        550: 4,
    }
    assert extra.newer.tolist() == [0] * 5
    ratings = sa.select(Rating).filter_by(user_id=trained.alice).order_by(Rating.movie_id)
    seconds = [rating.timestamp.timestamp() for rating in db.session.scalars(ratings)]
    assert alice.newer.tolist() == count_newer(np.ones(5, dtype=np.int64), np.array(seconds)).tolist()


def test_a_movie_rated_again_is_the_newest_in_a_live_list_and_in_a_batch(app: Flask, trained: TrainedWorld) -> None:
    app.config["RANKER_FLOOR"] = 0
    loaded = recommender.current()
    assert loaded is not None
    ranker = replace(loaded.opened.ranker, rating_weights=RatingWeights(2.5, -0.3, 1.5))
    opened = replace(loaded.opened, ranker=ranker)
    app.extensions["recommender"].loaded = replace(loaded, opened=opened)
    rate(trained.bob, 278, 3.0, FIRST_RATED_AT + timedelta(days=99))

    live = suggestions.best_for(trained.bob).items
    suggestions.rescore([trained.bob])

    db.session.expire_all()
    rows = db.session.scalars(sa.select(Suggestion).filter_by(user_id=trained.bob).order_by(Suggestion.rank)).all()
    assert [(item.movie_id, item.value) for item in live] == [(row.movie_id, row.value) for row in rows]
    unrated = np.array([550, 949, 862, 13])
    shares = ranker.shares(np.array([278, 680]), np.array([3.0, 4.0]), np.array([0, 1]), unrated)
    assert [row.movie_id for row in rows] == unrated[np.argsort(-shares.sum(axis=0))].tolist()
