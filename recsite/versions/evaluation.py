"""The set-ups that are measured on a site's ratings: the configured one beside the baselines that it has to beat.

How one of them is measured stands in `ml/experiments.py` (lists) and `ml/fit.py` (predicted ratings).
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recsite.errors import NotEnoughRatings, TrainingDiverged
from recsite.ml.descent import NotFinite, Parameters
from recsite.ml.diversity import DiversityQuality, measure_diversity
from recsite.ml.ease import fit_ranker
from recsite.ml.experiments import (
    LIST_LENGTH,
    RankingQuality,
    Scorer,
    ease_scorer,
    last_fifth,
    measure_ranking,
    popularity_scorer,
    value_scorer,
)
from recsite.ml.fit import HeldOutErrors, cross_validate
from recsite.ml.progress import Progress, ignore
from recsite.ml.ranker import RankerParameters
from recsite.ml.ratings import Ratings
from recsite.ml.vocabulary import BoolArray, Vocabulary

FEWEST_RATINGS = 100
"With fewer ratings a ranking figure is noise."
SURPRISE_DEFAULTS: dict[str, Any] = {
    "factors": 100,
    "epochs": 20,
    "learning_rate": 0.005,
    "final_learning_rate": 0.005,
    "regularization": 0.02,
    "movie_regularization": 0.02,
}

DIVERSITIES = (0.0, 0.3)
SPLITS = ("time", "random")

MakeScorer = Callable[[Ratings, Vocabulary], Scorer]
"From training ratings, and the movies that a list may show, to a fitted scorer."


@dataclass(frozen=True)
class RankingResult:
    """One order of lists, measured on one split."""

    split: str
    "time: each user's latest fifth is held out; random: a random fifth."
    setup: str
    "Name of the order: popularity, value or ease."
    quality: RankingQuality
    seconds: float
    "Time of the fit and of all lists."


@dataclass(frozen=True)
class RatingResult:
    """One rating model, measured on folds."""

    setup: str
    errors: HeldOutErrors
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """All figures that `flask evaluate` shows."""

    diversity: tuple[DiversityQuality, ...]
    "The ranker's lists without and with diversity, on the split by time."

    ranking: tuple[RankingResult, ...]
    "Every order on every split."
    rating: tuple[RatingResult, ...]
    "The configured parameters and Surprise's defaults."


@contextlib.contextmanager
def divergence_named(parameters: Parameters) -> Iterator[None]:
    """Raise TrainingDiverged, which names the parameters, if a fit in the block diverges."""
    try:
        yield
    except NotFinite as error:
        raise TrainingDiverged(parameters.learning_rate, parameters.regularization) from error


def evaluate(
    ratings: Ratings,
    parameters: Parameters,
    ranker_parameters: RankerParameters,
    folds: int,
    on_progress: Progress = ignore,
) -> Evaluation:
    """Measure lists on a split by time and a random one, what diversity costs them, and predicted ratings on folds.

    `ratings` are sorted by user.

    Raises:
        NotEnoughRatings: there are fewer than `FEWEST_RATINGS` ratings.
        TrainingDiverged: a fit gave numbers that are not finite.
    """
    if len(ratings) < FEWEST_RATINGS:
        raise NotEnoughRatings(
            f"There are {len(ratings)} ratings; evaluating lists of {LIST_LENGTH} takes at least {FEWEST_RATINGS}."
        )
    splits = make_splits(ratings, parameters.seed)
    scorers = make_scorers(parameters, ranker_parameters)
    models = {"configured": parameters, "Surprise defaults": Parameters(**SURPRISE_DEFAULTS, seed=parameters.seed)}
    total = len(splits) * len(scorers) + len(models) + 1
    ranking: list[RankingResult] = []
    rating: list[RatingResult] = []
    with divergence_named(parameters):
        for split, held_out in splits.items():
            for setup, make_scorer in scorers.items():
                on_progress(len(ranking), total)
                ranking.append(evaluate_ranking(ratings, held_out, split, setup, make_scorer))
        for setup, chosen in models.items():
            on_progress(len(ranking) + len(rating), total)
            started = time.perf_counter()
            errors = cross_validate(ratings, chosen, folds, ignore)
            rating.append(RatingResult(setup, errors, time.perf_counter() - started))
        on_progress(total - 1, total)
        diversity = evaluate_diversity(ratings, splits["time"], ranker_parameters)
    on_progress(total, total)
    return Evaluation(tuple(diversity), tuple(ranking), tuple(rating))


def split_figures(
    ratings: Ratings,
    split: str,
    ranking: str,
    parameters: Parameters,
    ranker_parameters: RankerParameters,
    threads: int | None = None,
) -> dict[str, Any]:
    """Return the ranking quality on one of SPLITS that is stored with a version: of its own order and of popularity.

    `ranking` is the setting RANKING, 'ease' or 'value'; `threads` (None: one a core) are those of the fits. Empty with
    fewer than `FEWEST_RATINGS` ratings.
    """
    if len(ratings) < FEWEST_RATINGS:
        return {}
    scorers = make_scorers(parameters, ranker_parameters, threads)
    held_out = hold_out(ratings, split, parameters.seed)
    return {
        name: asdict(evaluate_ranking(ratings, held_out, split, setup, scorers[setup]).quality)
        for name, setup in (("version", ranking), ("popularity", "popularity"))
    }


def missing_reason(metrics: Mapping[str, Any]) -> str | None:
    """Return why a version has no NDCG@10 by time in its recorded metrics; None where it has one."""
    quality = metrics.get("ranking", {}).get("time", {}).get("version")
    if quality is None:
        return f"there are fewer than {FEWEST_RATINGS} ratings"
    reason: str | None = quality.get("reasons", {}).get("ndcg_at_10")
    return reason


def make_splits(ratings: Ratings, seed: int) -> dict[str, BoolArray]:
    """Return which ratings are held out, by the name of the split."""
    return {split: hold_out(ratings, split, seed) for split in SPLITS}


def hold_out(ratings: Ratings, split: str, seed: int) -> BoolArray:
    """Return the ratings that one of SPLITS holds out: each user's latest fifth, or a random one."""
    if split == "time":
        return last_fifth(ratings.user_ids, ratings.timestamps)
    return last_fifth(ratings.user_ids, np.random.default_rng(seed).integers(0, 2**32, len(ratings)))


def make_scorers(
    parameters: Parameters, ranker_parameters: RankerParameters, threads: int | None = None
) -> Mapping[str, MakeScorer]:
    """Return the orders by name; 'ease' and 'value' are the values of the setting RANKING."""
    return {
        "popularity": popularity_scorer,
        "value": lambda train, movies: value_scorer(train, movies, parameters, threads),
        "ease": lambda train, movies: ease_scorer(train, movies, ranker_parameters, threads),
    }


def evaluate_ranking(
    ratings: Ratings, held_out: BoolArray, split: str, setup: str, make_scorer: MakeScorer
) -> RankingResult:
    """Fit on the ratings that are not held out and measure the lists on those that are."""
    started = time.perf_counter()
    train, movies = ratings.select(~held_out), Vocabulary(np.unique(ratings.movie_ids))
    quality = measure_ranking(train, ratings.select(held_out), movies, make_scorer(train, movies))
    return RankingResult(split, setup, quality, time.perf_counter() - started)


def evaluate_diversity(
    ratings: Ratings, held_out: BoolArray, ranker_parameters: RankerParameters
) -> list[DiversityQuality]:
    """Fit the ranker on the ratings that are not held out, and measure its lists with each of DIVERSITIES."""
    train, movies = ratings.select(~held_out), Vocabulary(np.unique(ratings.movie_ids))
    ranker = fit_ranker(train, ranker_parameters)
    return measure_diversity(train, ratings.select(held_out), movies, ranker, DIVERSITIES)
