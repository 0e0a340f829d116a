"""Quality of the orders of a list on held-out ratings: the site's own orders beside implicit's ALS.

python -m tests.bench.orders                        simulated ratings of the sample films
python -m tests.bench.orders --ratings ratings.csv  a MovieLens file: userId,movieId,rating,timestamp
"""

import argparse
import importlib
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsite.config import SETTINGS
from recsite.ml.descent import Parameters
from recsite.ml.experiments import Histories, Scorer
from recsite.ml.ranker import RankerParameters
from recsite.ml.ratings import Ratings
from recsite.ml.vocabulary import Vocabulary
from recsite.ratings.importers import sample
from recsite.versions import evaluation
from recsite.versions.evaluation import MakeScorer

ALS_FACTORS = 64
LIKED_FROM = 3.5
"Stars from which a rating is a liking; ALS is fitted on likings alone."
SEED = 1


def default_of(name: str) -> float:
    """Return the default of a numeric setting."""
    return next(float(setting.default) for setting in SETTINGS if setting.name == name)


def read_ratings(path: Path | None) -> Ratings:
    """Return the ratings of the file, or simulated ones, by user and movie."""
    if path is None:
        rows = np.array([(u, i, value, at.timestamp()) for u, i, value, at in sample.simulated_ratings(seed=SEED)])
    else:
        rows = np.loadtxt(path, delimiter=",", skiprows=1)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return Ratings.from_arrays(*rows.T)


def als_scorer(train: Ratings, movies: Vocabulary) -> Scorer:
    """Return a scorer by implicit's ALS, fitted on likings."""
    als = importlib.import_module("implicit.als")
    users = Vocabulary(np.unique(train.user_ids))
    likings = train.select(train.values >= LIKED_FROM)
    pairs = (users.numbers(likings.user_ids), movies.numbers(likings.movie_ids))
    matrix = sparse.csr_matrix((np.ones(len(likings), np.float32), pairs), shape=(len(users), len(movies)))
    model = als.AlternatingLeastSquares(factors=ALS_FACTORS, random_state=SEED)
    model.fit(matrix, show_progress=False)

    def score(some: Histories) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = model.user_factors[users.numbers(some.user_ids)] @ model.item_factors.T
        return scores

    return score


def find_scorers() -> dict[str, MakeScorer]:
    """Return the orders by name, with the default settings; implicit's only where it is installed."""
    parameters = Parameters(
        factors=int(default_of("TRAIN_FACTORS")),
        epochs=int(default_of("TRAIN_EPOCHS")),
        learning_rate=default_of("TRAIN_LEARNING_RATE"),
        final_learning_rate=default_of("TRAIN_FINAL_LEARNING_RATE"),
        regularization=default_of("TRAIN_REGULARIZATION"),
        movie_regularization=default_of("TRAIN_MOVIE_REGULARIZATION"),
        seed=SEED,
    )
    ranker = RankerParameters(
        regularization=default_of("RANKER_REGULARIZATION"),
        fewest_ratings=int(default_of("RANKER_FEWEST_RATINGS")),
        most_movies=int(default_of("RANKER_MOST_MOVIES")),
        weights=int(default_of("RANKER_WEIGHTS")),
        popularity_damping=default_of("RANKER_POPULARITY_DAMPING"),
        rating_centre=default_of("RANKER_RATING_CENTRE"),
        lowest_weight=default_of("RANKER_LOWEST_WEIGHT"),
        recency_exponent=default_of("RANKER_RECENCY_EXPONENT"),
        diagonal=default_of("RANKER_DIAGONAL"),
        newcomers=default_of("RANKER_NEWCOMERS"),
    )
    scorers = dict(evaluation.make_scorers(parameters, ranker))
    if importlib.util.find_spec("implicit"):
        scorers["implicit's ALS"] = als_scorer
    return scorers


def main(path: Path | None) -> None:
    """Print a line for each split and order."""
    ratings = read_ratings(path)
    print(f"{len(ratings):,} ratings of {path or 'simulated users'}:")  # noqa: T201  # A bench prints its table.
    for split, held_out in evaluation.make_splits(ratings, SEED).items():
        for name, make_scorer in find_scorers().items():
            found = evaluation.evaluate_ranking(ratings, held_out, split, name, make_scorer)
            quality = found.quality
            print(  # noqa: T201
                f"  {split:<7} {name:<15} NDCG@10 {quality.ndcg_at_10:.4f}  recall@10 {quality.recall_at_10:.4f}  "
                f"{quality.distinct_movies:>5} distinct  {found.seconds:>6.1f} s"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=Path)
    main(parser.parse_args().ratings)
