"""What a rating counts in the ranker: by its stars, by its age, and as a version recorded it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from surprise import SVD

from recsite.ml.descent import Parameters
from recsite.ml.ease import fit_ranker
from recsite.ml.files import open_version, write_version
from recsite.ml.fit import fit
from recsite.ml.ranker import RankerParameters
from recsite.ml.rating_weights import RatingWeights, count_newer
from recsite.ml.ratings import Ratings

DISLIKES = RatingWeights(centre=2.5, lowest=-0.3, recency_exponent=0.25)
NO_GENERATIONS = np.array([], dtype=np.int64)
RATINGS = Ratings.from_arrays(np.array([1, 1, 2, 2]), np.array([7, 8, 7, 8]), np.array([5.0, 1.0, 4.0, 3.0]))


@pytest.fixture(scope="module")
def algo() -> SVD:
    """A model of two users and two movies."""
    return fit(RATINGS, Parameters(2, 2, 0.01, 0.01, 0.1, 0.1, 7))


@pytest.mark.parametrize(("stars", "weight"), ((5.0, 1.0), (4.0, 0.6), (3.0, 0.2), (2.5, 0.1), (0.5, 0.1)))
def test_a_rating_counts_by_its_stars_and_seen_counts_a_little(stars: float, weight: float) -> None:
    assert RatingWeights().of_stars(np.array([stars])) == pytest.approx([weight])


@pytest.mark.parametrize(
    ("stars", "weight"), ((5.0, 1.0), (3.5, 0.4), (2.5, 0.0), (2.0, -0.2), (1.5, -0.3), (0.5, -0.3))
)
def test_a_dislike_counts_against_down_to_the_lowest_weight(stars: float, weight: float) -> None:
    assert DISLIKES.of_stars(np.array([stars])) == pytest.approx([weight])


def test_a_rating_counts_less_the_more_of_the_users_ratings_are_newer() -> None:
    counts = RatingWeights(recency_exponent=0.5).of_query(np.full(3, 5.0), np.array([0, 3, 8]))

    assert counts == pytest.approx([1, 1 / 2, 1 / 3])


def test_ratings_of_one_moment_are_equally_old_and_users_are_counted_apart() -> None:
    user_ids, timestamps = np.array([2, 1, 1, 1, 1, 2]), np.array([50, 20, 0, 20, 30, 40])

    assert count_newer(user_ids, timestamps).tolist() == [0, 1, 3, 1, 0, 1]
    assert count_newer(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)).tolist() == []


def test_a_version_serves_with_its_own_rating_weights(tmp_path: Path, algo: SVD) -> None:
    ranker = fit_ranker(RATINGS, RankerParameters(50, 1, 100, 1000, 0, lowest_weight=-0.5, recency_exponent=0.3))

    written = write_version(tmp_path, "model-85", (), algo, ranker, NO_GENERATIONS, {})

    opened = open_version(tmp_path / written.version_name, written.manifest_sha256)
    assert opened.ranker.rating_weights == RatingWeights(centre=2.5, lowest=-0.5, recency_exponent=0.3)


def test_a_version_of_format_1_serves_with_the_weights_of_its_time(tmp_path: Path, algo: SVD) -> None:
    ranker = fit_ranker(RATINGS, RankerParameters(50, 1, 100, 1000, 0))
    written = write_version(tmp_path, "model-85", (), algo, ranker, NO_GENERATIONS, {})
    path = tmp_path / written.version_name / "manifest.json"
    manifest = json.loads(path.read_text()) | {"format": 1}
    del manifest["rating_weights"]
    path.write_text(json.dumps(manifest))

    opened = open_version(path.parent, hashlib.sha256(path.read_bytes()).hexdigest())

    stars, newer = np.array([5.0, 4.0, 0.5]), np.array([0, 5, 9])
    assert opened.ranker.rating_weights.of_query(stars, newer) == pytest.approx([1.0, 0.6, 0.1])
