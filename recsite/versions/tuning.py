"""Parameters of the ranker, tried on splits by time within a budget of time; the latest ratings judge the choice."""

import contextlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recsite.errors import NotEnoughRatings
from recsite.ml.experiments import RankingQuality, ease_scorer, last_fifth, measure_ranking, popularity_scorer
from recsite.ml.ranker import RankerParameters
from recsite.ml.ratings import Ratings
from recsite.ml.vocabulary import Vocabulary
from recsite.versions.evaluation import FEWEST_RATINGS, MakeScorer, evaluate_ranking, make_splits

if TYPE_CHECKING:
    import optuna

INNER_SPLITS = 2
TUNED = (
    "regularization",
    "popularity_damping",
    "rating_centre",
    "lowest_weight",
    "recency_exponent",
    "diagonal",
)
"The fields of RankerParameters that are tried; the others decide about memory, not about the order."

Split = tuple[Ratings, Ratings]
"Ratings to fit on, and held-out ratings to judge by."
OnTrial = Callable[[int, float], None]
"Takes the number of set-ups tried so far, and the best mean NDCG@10."


@dataclass(frozen=True)
class Tuned:
    """The result of a tuning."""

    tried: int
    "Number of set-ups, the configured one included."
    best: RankerParameters
    inner: dict[str, float]
    "Mean NDCG@10 of the set-ups `now` and `best` on the inner splits, by which the choice is made."
    outer: dict[str, dict[str, RankingQuality]]
    "Figures by split (time, random) and set-up (popularity, now, best); no set-up was chosen by the split by time."


def tune(
    ratings: Ratings, configured: RankerParameters, seed: int, seconds: float, on_trial: OnTrial = lambda *_: None
) -> Tuned:
    """Return the best parameters of the ranker that are found in about this time; Ctrl-C ends the search early.

    1. Hold out each user's latest fifth, and of the rest again the latest fifth, twice: the inner splits.
    2. Try the configured parameters, then others by NDCG@10 on the inner splits, as the tree-structured Parzen
       estimator proposes them (J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011).
    3. Measure popularity, the configured parameters and the best on the latest fifth and on a random one.

    The time is that of step 2; the set-up that is being tried at its end is finished.

    Raises:
        NotEnoughRatings: there are too few ratings, or they have no times, or no held-out one is a liking.
    """
    inner = make_inner_splits(ratings)
    best, found = configured, [mean_ndcg(inner, configured)]
    on_trial(1, found[0])

    def measure(trial: "optuna.Trial") -> float:
        nonlocal best
        parameters = propose(trial, configured)
        ndcg = mean_ndcg(inner, parameters)
        if ndcg > max(found):
            best = parameters
        found.append(ndcg)
        on_trial(len(found), max(found))
        return ndcg

    # Optuna takes half a second and 30 MB to import, which no other command needs.
    optuna = importlib.import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    with contextlib.suppress(KeyboardInterrupt):
        study.optimize(measure, timeout=seconds)
    scorers: dict[str, MakeScorer] = {
        "popularity": popularity_scorer,
        "now": lambda train, movies: ease_scorer(train, movies, configured),
        "best": lambda train, movies: ease_scorer(train, movies, best),
    }
    outer = {
        split: {
            name: evaluate_ranking(ratings, held_out, split, name, make_scorer).quality
            for name, make_scorer in scorers.items()
        }
        for split, held_out in make_splits(ratings, seed).items()
    }
    return Tuned(len(found), best, {"now": found[0], "best": max(found)}, outer)


def make_inner_splits(ratings: Ratings) -> list[Split]:
    """Return the splits by time that the choice is made on, the later one first."""
    if len(ratings) < FEWEST_RATINGS:
        raise NotEnoughRatings(f"There are {len(ratings)} ratings; tuning takes at least {FEWEST_RATINGS}.")
    if not np.ptp(ratings.timestamps):
        raise NotEnoughRatings("All ratings have the same time, so that lists cannot be judged by later ratings.")
    train = ratings.select(~last_fifth(ratings.user_ids, ratings.timestamps))
    splits = []
    for _ in range(INNER_SPLITS):
        held_out = last_fifth(train.user_ids, train.timestamps)
        splits.append((train.select(~held_out), train.select(held_out)))
        train = splits[-1][0]
    return splits


def mean_ndcg(splits: Sequence[Split], parameters: RankerParameters) -> float:
    """Return the mean NDCG@10 of these parameters over the splits; raise NotEnoughRatings if one cannot be judged."""
    figures = []
    for train, held_out in splits:
        movies = Vocabulary(np.unique(np.concatenate((train.movie_ids, held_out.movie_ids))))
        quality = measure_ranking(train, held_out, movies, ease_scorer(train, movies, parameters))
        if quality.ndcg_at_10 is None:
            raise NotEnoughRatings(f"The lists cannot be judged: {quality.reasons['ndcg_at_10']}.")
        figures.append(quality.ndcg_at_10)
    return float(np.mean(figures))


def propose(trial: "optuna.Trial", configured: RankerParameters) -> RankerParameters:
    """Return the configured parameters with other values of TUNED; finer steps than these are noise."""
    return replace(
        configured,
        regularization=float(f"{trial.suggest_float('regularization', 5, 5000, log=True):.2g}"),
        popularity_damping=trial.suggest_float("popularity_damping", 0, 0.4, step=0.05),
        rating_centre=trial.suggest_float("rating_centre", 1.5, 3.5, step=0.25),
        lowest_weight=trial.suggest_float("lowest_weight", -0.6, 0.1, step=0.1),
        recency_exponent=trial.suggest_float("recency_exponent", 0, 0.5, step=0.05),
        diagonal=trial.suggest_float("diagonal", 0, 1, step=0.25),
    )
