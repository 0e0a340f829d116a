"""Fits that diverge, and equations without a single solution."""

from dataclasses import replace

import numpy as np
import pytest

from recsite.ml.descent import NotFinite
from recsite.ml.fit import cross_validate, fit
from recsite.ml.progress import ignore
from recsite.ml.rating import RatingModel
from recsite.ml.ratings import Ratings
from tests.ml.test_ml import PARAMETERS, algo, model, ratings

__all__ = ["algo", "model", "ratings"]


@pytest.mark.parametrize("movie_ids", ((9998, 9999), (1000, 1000 + 7, 9998, 9999)))
def test_a_fold_in_without_regularization_has_a_solution(model: RatingModel, movie_ids: tuple[int, ...]) -> None:
    # Two movies that the model does not know give the same equation twice.
    bu, pu = model.fold_in(np.array(movie_ids), np.full(len(movie_ids), 5.0), 0.0)

    assert np.isfinite([bu, *pu]).all()


@pytest.mark.parametrize("learning_rate", (0.5, 1.0))
def test_a_fit_that_diverges_is_an_error(ratings: Ratings, learning_rate: float) -> None:
    diverging = replace(PARAMETERS, learning_rate=learning_rate, epochs=60)

    with pytest.raises(NotFinite, match="not finite"):
        fit(ratings, diverging)
    with pytest.raises(NotFinite, match="not finite"):
        cross_validate(ratings, diverging, 2, ignore)
