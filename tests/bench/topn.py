"""Lists of 100 for all users, from arrays in memory to ids and values.

Peers: the bare matrix product, implicit's recommend, and a loop over Surprise's predict.
"""

import argparse
import importlib
import importlib.util
import time

import numpy as np
from scipy import sparse
from surprise import SVD
from threadpoolctl import threadpool_limits

from recsite.ml.candidates import Candidates
from recsite.ml.descent import Parameters
from recsite.ml.files import OpenedVersion
from recsite.ml.fit import fit
from recsite.ml.ranker import Ranker
from recsite.ml.rating import RatingModel
from recsite.ml.ratings import Ratings
from recsite.ml.vocabulary import Vocabulary
from recsite.suggestions.ranking import UserRatings, make_scored_lists
from recsite.versions.active import LoadedVersion
from tests.bench.timing import Work, in_turn, table

N = 100
RATED = 100
"Ratings of each user."
NEIGHBOURS = 200
FLOOR = 2.75
"In stars; 4 % of the first hundred movies are under it, as under 3 stars on ml-latest-small."
BLOCK_USERS = 2048
"As SCORE_BLOCK_USERS."
PRODUCT_USERS = 512
"Rows of the bare product at a time: with more it is slower."


def make_model(users: int, movies: int, factors: int) -> RatingModel:
    """Return a model of random factors."""
    rng = np.random.default_rng(1)
    return RatingModel(
        mu=3.5,
        scale=(0.5, 5.0),
        users=Vocabulary(np.arange(1, users + 1)),
        movies=Vocabulary(np.arange(1, movies + 1)),
        bu=rng.normal(0, 0.3, users),
        bi=rng.normal(0, 0.3, movies),
        pu=rng.normal(0, 0.1, (users, factors)),
        qi=rng.normal(0, 0.1, (movies, factors)),
    )


def make_ranker(movies: int, neighbours: int) -> Ranker:
    """Return a ranker of random weights, `neighbours` a movie."""
    rng = np.random.default_rng(2)
    targets = rng.integers(0, movies, movies * neighbours).astype(np.int32)
    weights = rng.normal(0, 0.02, len(targets)).astype(np.float32)
    starts = np.arange(0, len(targets) + 1, neighbours)
    return Ranker(Vocabulary(np.arange(1, movies + 1)), starts, targets, weights, *np.zeros((2, movies), np.float32))


def make_users(users: int, movies: int) -> list[UserRatings]:
    """Return users with `RATED` ratings each."""
    rng = np.random.default_rng(3)
    step = movies // RATED
    return [
        UserRatings(
            user_id=user + 1,
            rating_generation=0,
            movie_ids=1 + np.arange(RATED) * step + rng.integers(0, step),
            values=rng.integers(1, 11, RATED) / 2,
            newer=rng.permutation(RATED),
        )
        for user in range(users)
    ]


def make_candidates(model: RatingModel, ranked: int, floor: float = 0.0) -> Candidates:
    """Return all movies as candidates, in the order of their ids; the ranker orders the first `ranked` of them."""
    return Candidates.arrange(model, model.movies.ids[:ranked], model.movies.ids, floor)


def score_all(version: LoadedVersion, candidates: Candidates, people: list[UserRatings]) -> None:
    """Score everybody as the site does, block by block."""
    for start in range(0, len(people), BLOCK_USERS):
        make_scored_lists(version, candidates, people[start : start + BLOCK_USERS], N)


def bare_product(model: RatingModel) -> None:
    """Compute every score and nothing else, in float32 with all threads of the BLAS."""
    pu, qi = model.pu.astype(np.float32), np.ascontiguousarray(model.qi.T, dtype=np.float32)
    scores = np.empty((PRODUCT_USERS, qi.shape[1]), dtype=np.float32)
    for start in range(0, len(pu), PRODUCT_USERS):
        block = pu[start : start + PRODUCT_USERS]
        np.matmul(block, qi, out=scores[: len(block)])


def implicit_recommend(model: RatingModel, people: list[UserRatings]) -> Work | None:
    """Return implicit's recommend on the same factors; None where it is not installed.

    The BLAS runs on one thread, as implicit asks for.
    """
    if not importlib.util.find_spec("implicit"):
        return None
    als = importlib.import_module("implicit.cpu.als").AlternatingLeastSquares(factors=model.pu.shape[1])
    als.user_factors, als.item_factors = model.pu.astype(np.float32), model.qi.astype(np.float32)
    rated = np.concatenate([user.movie_ids - 1 for user in people])
    starts = np.arange(0, len(rated) + 1, RATED)
    shape = (len(people), len(model.movies))
    seen = sparse.csr_matrix((np.ones(len(rated), np.float32), rated, starts), shape=shape)

    def recommend() -> None:
        with threadpool_limits(1, "blas"):
            als.recommend(np.arange(len(people)), seen, N=N, filter_already_liked_items=True)

    return recommend


def predict_loop_seconds(users: int, movies: int) -> float:
    """Return the seconds of Surprise's predict for all pairs, extrapolated from a sample."""
    rng = np.random.default_rng(4)
    ratings = Ratings.from_arrays(rng.integers(0, 200, 5000), rng.integers(0, 200, 5000), rng.integers(1, 11, 5000) / 2)
    algo: SVD = fit(ratings, Parameters(100, 1, 0.01, 0.01, 0.1, 0.1, 1))
    started = time.perf_counter()
    for pair in range(20_000):
        algo.predict(pair % 200, pair // 200 % 200)
    return (time.perf_counter() - started) / 20_000 * users * movies


def compare(users: int, movies: int, runs: int) -> None:
    """Print the table for one shape."""
    model, people = make_model(users, movies, 100), make_users(users, movies)
    ranker = make_ranker(movies, NEIGHBOURS)
    version = LoadedVersion(1, "bench", OpenedVersion(model, ranker, np.zeros(users, np.int64), {}))
    by_value, by_ease = make_candidates(model, 0), make_candidates(model, movies)
    floored = make_candidates(model, movies, FLOOR)
    works: dict[str, Work] = {
        "bare product": lambda: bare_product(model),
        "ranking by value": lambda: score_all(version, by_value, people),
        "the ranker": lambda: score_all(version, by_ease, people),
        "the ranker with a floor": lambda: score_all(version, floored, people),
    }
    recommend = implicit_recommend(model, people)
    if recommend is not None:
        works["implicit's recommend"] = recommend
    print(f"{users:,} users × {movies:,} movies × 100 factors, top {N}, {RATED} ratings a user:")  # noqa: T201
    seconds = in_turn(works, runs)
    seconds["Surprise's predict (from a sample)"] = [predict_loop_seconds(users, movies)]
    print(table(seconds, "bare product"))  # noqa: T201
    if recommend is None:
        print("  implicit is not installed, so it is not compared.")  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--shape", action="append", default=[], help="USERSxMOVIES; may be repeated")
    chosen = parser.parse_args()
    for shape in chosen.shape or ["20000x10000", "50000x50000"]:
        n_users, n_movies = map(int, shape.split("x"))
        compare(n_users, n_movies, chosen.runs)
