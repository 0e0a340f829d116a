"""Measuring set-ups on the site's own ratings, the one that is configured beside the baselines that it has to beat."""

import importlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsite.errors import NotEnoughRatings
from recsite.ml.experiments import (
    LIST_LENGTH,
    RankingQuality,
    Scorer,
    ease_scorer,
    part,
    popularity_scorer,
    ranking_quality,
    split_at_random,
    split_by_time,
    value_scorer,
)
from recsite.ml.fit import HeldOutErrors, Parameters, Ratings, measure
from recsite.ml.progress import Progress, ignore
from recsite.ml.ranker import RankerParameters
from recsite.ml.rating import BoolArray, FloatArray, IntArray, rows_of

FEWEST_RATINGS = 100
"Below this no ranking figure means anything."
SURPRISE_DEFAULTS: dict[str, Any] = {
    "factors": 100,
    "epochs": 20,
    "learning_rate": 0.005,
    "regularization": 0.02,
    "movie_regularization": 0.02,
}
ALS_FACTORS = 64
LIKED_FROM = 3.5
"Stars that count as a liking for implicit's ALS, which takes likings only."


@dataclass(frozen=True)
class RankingResult:
    """One way to order lists, measured on one split."""

    split: str
    "time: each user's last fifth is held out; random: a random fifth."
    setup: str
    quality: RankingQuality
    seconds: float
    "Of fitting and of making all lists."


@dataclass(frozen=True)
class RatingResult:
    """One rating model, measured on folds."""

    setup: str
    errors: HeldOutErrors
    seconds: float
    "Of all folds."


@dataclass(frozen=True)
class Evaluation:
    """Everything that `flask evaluate` shows."""

    ranking: tuple[RankingResult, ...]
    rating: tuple[RatingResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they are written as JSON."""
        return asdict(self)


def evaluate(
    ratings: Ratings,
    timestamps: FloatArray,
    parameters: Parameters,
    ranker_parameters: RankerParameters,
    folds: int,
    on_progress: Progress = ignore,
) -> Evaluation:
    """Ranking quality by time and at random, and rating errors on folds; `on_progress` counts set-ups.

    Raises NotEnoughRatings.
    """
    check_enough(ratings)
    splits = splits_of(ratings, timestamps, parameters.seed)
    setups = setups_for(parameters, ranker_parameters)
    total = len(splits) * len(setups) + 2
    ranking: list[RankingResult] = []
    for split, held_out in splits.items():
        for name, make_scorer in setups.items():
            on_progress(len(ranking), total)
            ranking.append(rank_result(ratings, held_out, split, name, make_scorer))
    rating: list[RatingResult] = []
    for name, chosen in (
        ("configured", parameters),
        ("Surprise defaults", Parameters(**SURPRISE_DEFAULTS, seed=parameters.seed)),
    ):
        on_progress(len(ranking) + len(rating), total)
        started = time.perf_counter()
        errors = measure(ratings, chosen, folds, ignore)
        rating.append(RatingResult(name, errors, time.perf_counter() - started))
    on_progress(total, total)
    return Evaluation(tuple(ranking), tuple(rating))


def figures_of_version(
    ratings: Ratings, timestamps: FloatArray, ranking: str, parameters: Parameters, ranker_parameters: RankerParameters
) -> dict[str, Any]:
    """The ranking quality that is stored with a version, by split, of lists in its own order and of popularity.

    Nothing where there are too few ratings to say.
    """
    if len(ratings) < FEWEST_RATINGS:
        return {}
    setups = setups_for(parameters, ranker_parameters)
    return {
        split: {
            name: asdict(rank_result(ratings, held_out, split, name, setups[setup]).quality)
            for name, setup in (("version", ranking), ("popularity", "popularity"))
        }
        for split, held_out in splits_of(ratings, timestamps, parameters.seed).items()
    }


def splits_of(ratings: Ratings, timestamps: FloatArray, seed: int) -> dict[str, BoolArray]:
    """Which ratings are held out, by the name of the split."""
    return {"time": split_by_time(ratings, timestamps), "random": split_at_random(ratings, seed)}


def setups_for(
    parameters: Parameters, ranker_parameters: RankerParameters
) -> dict[str, Callable[[Ratings, IntArray], Scorer]]:
    """What can be fitted here, by name; 'ease' and 'value' are those of the setting RANKING."""
    setups: dict[str, Callable[[Ratings, IntArray], Scorer]] = {
        "popularity": popularity_scorer,
        "value": lambda train, movie_ids: value_scorer(train, movie_ids, parameters),
        "ease": lambda train, movie_ids: ease_scorer(train, movie_ids, ranker_parameters),
    }
    if importlib.util.find_spec("implicit"):
        setups["implicit ALS"] = lambda train, movie_ids: als_scorer(train, movie_ids, parameters.seed)
    return setups


def rank_result(
    ratings: Ratings, held_out: BoolArray, split: str, name: str, make_scorer: Callable[[Ratings, IntArray], Scorer]
) -> RankingResult:
    """Fit on what is not held out and measure the lists on what is."""
    started = time.perf_counter()
    train, movie_ids = part(ratings, ~held_out), np.unique(ratings.movie_ids)
    quality = ranking_quality(train, part(ratings, held_out), movie_ids, make_scorer(train, movie_ids))
    return RankingResult(split, name, quality, time.perf_counter() - started)


def als_scorer(train: Ratings, movie_ids: IntArray, seed: int) -> Scorer:
    """The order of implicit's ALS on likings, for comparison where that library is installed."""
    als = importlib.import_module("implicit.als")
    users, row = np.unique(train.user_ids, return_inverse=True)
    liked = train.values >= LIKED_FROM
    pairs = (row[liked], rows_of(train.movie_ids[liked], movie_ids))
    likings = sparse.csr_matrix((np.ones(int(liked.sum()), np.float32), pairs), shape=(len(users), len(movie_ids)))
    model = als.AlternatingLeastSquares(factors=ALS_FACTORS, random_state=seed)
    model.fit(likings, show_progress=False)

    def score(rated: Sequence[IntArray], values: Sequence[FloatArray], user_ids: IntArray) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = model.user_factors[rows_of(user_ids, users)] @ model.item_factors.T
        return scores

    return score


def check_enough(ratings: Ratings) -> None:
    """Raise NotEnoughRatings where figures would be noise."""
    if len(ratings) < FEWEST_RATINGS:
        raise NotEnoughRatings(
            f"There are {len(ratings)} ratings; evaluating lists of {LIST_LENGTH} takes at least {FEWEST_RATINGS}."
        )
