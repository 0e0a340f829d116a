"""The rating model and its files: fast code against slow code, and both against Surprise."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from surprise import SVD

from recsite.config import ROOT
from recsite.ml.descent import Parameters
from recsite.ml.ease import fit_ranker
from recsite.ml.files import open_version, point_latest_at, write_version
from recsite.ml.fit import HeldOutErrors, cross_validate, fit
from recsite.ml.pickles import UntrustedFile, pickled, unpickle
from recsite.ml.progress import ignore
from recsite.ml.ranker import RankerParameters
from recsite.ml.rating import RatingModel
from recsite.ml.ratings import Ratings
from recsite.ml.topn import top_n

PARAMETERS = Parameters(
    factors=4,
    epochs=20,
    learning_rate=0.01,
    final_learning_rate=0.01,
    regularization=0.05,
    movie_regularization=0.05,
    seed=7,
)
NOTHING = Ratings.from_arrays(np.array([], dtype=np.int64), np.array([], dtype=np.int64), np.array([]))
NO_RANKER = fit_ranker(NOTHING, RankerParameters(50, 5, 100, 1000, 0))
NO_GENERATIONS = np.array([], dtype=np.int64)


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    """40 users (ids 10, 13, 16, …) and 30 movies (ids 1000, 1007, …); a user rates half of the movies."""
    rng = np.random.default_rng(3)
    user, movie = np.nonzero(rng.random((40, 30)) < 0.5)
    values = np.clip(np.round(2 * (3.5 + rng.standard_normal(len(user)))) / 2, 0.5, 5.0)
    return Ratings.from_arrays(10 + 3 * user, 1000 + 7 * movie, values)


@pytest.fixture(scope="module")
def algo(ratings: Ratings) -> SVD:
    return fit(ratings, PARAMETERS)


@pytest.fixture(scope="module")
def model(algo: SVD) -> RatingModel:
    return RatingModel.from_surprise(algo)


def write(root: Path, algo: SVD, taken: tuple[str, ...] = ()) -> tuple[str, str, str]:
    """Write a version of this model, named after an RMSE of 0.85; return its name and hashes."""
    written = write_version(root, "model-85", taken, algo, NO_RANKER, NO_GENERATIONS, {})
    return written.version_name, written.sha256, written.manifest_sha256


def test_scores_of_a_block_equal_what_surprise_predicts_one_by_one(algo: SVD, model: RatingModel) -> None:
    user_ids, movie_ids = model.users.ids[::-3], model.movies.ids[5:20]

    scores = model.score(user_ids, movie_ids)

    one_by_one = [[algo.predict(user, movie).est for movie in movie_ids.tolist()] for user in user_ids.tolist()]
    np.testing.assert_allclose(scores, one_by_one, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("user", "movie"), ((999_999, 1000), (10, 999_999), (999_999, 999_999)))
def test_an_unknown_user_or_movie_scores_as_in_surprise(algo: SVD, model: RatingModel, user: int, movie: int) -> None:
    score = model.score(np.array([user]), np.array([movie]))[0, 0]

    assert score == pytest.approx(algo.predict(user, movie).est, abs=1e-12)
    assert model.users.contains(np.array([user]))[0] == (user == 10)


def test_folding_in_solves_the_normal_equations(model: RatingModel) -> None:
    movie_ids, values = model.movies.ids[:3], np.array([5.0, 1.0, 4.0])

    bu, pu = model.fold_in(movie_ids, values, 0.1)

    bi, qi = model.movie_parameters(movie_ids)
    errors = values - model.mu - bi - bu - qi @ pu
    # At the minimum the gradient is zero: the errors balance the penalty.
    assert errors.sum() == pytest.approx(0.1 * 3 * bu)
    np.testing.assert_allclose(qi.T @ errors, 0.1 * 3 * pu, atol=1e-12)


def test_folding_in_many_ratings_and_few_solve_the_same_equations(model: RatingModel) -> None:
    movie_ids = model.movies.ids[:20]
    values = np.linspace(1, 5, 20)

    bu, pu = model.fold_in(movie_ids, values, 0.1)

    bi, qi = model.movie_parameters(movie_ids)
    errors = values - model.mu - bi - bu - qi @ pu
    np.testing.assert_allclose(qi.T @ errors, 0.1 * 20 * pu, atol=1e-12)


def test_folding_in_no_ratings_gives_the_average_user(model: RatingModel) -> None:
    bu, pu = model.fold_in(np.array([], dtype=np.int64), np.array([]), 0.1)

    assert bu == 0
    assert not pu.any()


@pytest.mark.parametrize(("shape", "n"), (((50, 300), 7), ((9, 10_007), 100), ((3, 5), 10), ((4, 64), 64), ((2, 9), 0)))
def test_the_top_n_are_those_of_a_stable_sort(shape: tuple[int, int], n: int) -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(-20, 20, shape).astype(np.float32)  # many ties
    scores[rng.random(shape) < 0.3] = -np.inf
    scores[0] = -np.inf

    found = top_n(scores, n)

    for row, columns in zip(scores, found, strict=True):
        best = [column for column in np.argsort(-row, kind="stable")[:n] if row[column] > -np.inf]
        assert columns.tolist() == best + [-1] * (n - len(best))


def test_errors_are_measured_on_ratings_that_were_held_out(ratings: Ratings, algo: SVD) -> None:
    errors = cross_validate(ratings, PARAMETERS, 3, ignore)

    columns = (ratings.user_ids.tolist(), ratings.movie_ids.tolist(), ratings.values.tolist())
    seen = [value - algo.predict(user, movie).est for user, movie, value in zip(*columns, strict=True)]
    rmse_on_training_data = float(np.sqrt(np.mean(np.square(seen))))
    assert isinstance(errors, HeldOutErrors)
    assert errors.rmse_heldout > 1.1 * rmse_on_training_data
    assert errors.mae_heldout < errors.rmse_heldout


def test_the_same_seed_fits_the_same_model(ratings: Ratings, model: RatingModel) -> None:
    again = RatingModel.from_surprise(fit(ratings, PARAMETERS))

    np.testing.assert_array_equal(again.pu, model.pu)


def test_nothing_to_fit_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="no ratings"):
        fit(NOTHING, PARAMETERS)


def test_the_pickle_opens_with_plain_pickle_and_predicts_the_same(tmp_path: Path, algo: SVD) -> None:
    name, _, _ = write(tmp_path, algo)

    loaded = pickle.loads((tmp_path / f"{name}.pkl").read_bytes())["model"]

    assert loaded.predict(uid=10, iid=1007).est == algo.predict(uid=10, iid=1007).est


def test_leftovers_of_a_killed_writer_are_removed_and_those_of_a_running_one_stay(tmp_path: Path, algo: SVD) -> None:
    for name in (".building-dead", ".building-alive"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.pkl.part").write_bytes(b"half")
    for path in tmp_path.glob(".building-dead*"):
        os.utime(path, (0, 0))

    write(tmp_path, algo)

    assert {path.name for path in tmp_path.glob(".building-*")} == {".building-alive", ".building-alive.pkl.part"}


def test_the_pickle_holds_no_training_rating(algo: SVD, ratings: Ratings) -> None:
    trainset = pickle.loads(pickled(algo))["model"].trainset

    assert set(trainset.ur.values()) == {()}
    assert set(trainset.ir.values()) == {()}
    assert trainset.n_ratings == algo.trainset.n_ratings == len(ratings)


def test_a_second_version_with_the_same_figure_is_numbered(tmp_path: Path, algo: SVD) -> None:
    assert [write(tmp_path, algo)[0] for _ in range(3)] == ["model-85", "model-85-2", "model-85-3"]


def test_a_name_that_the_database_has_is_not_given_again(tmp_path: Path, algo: SVD) -> None:
    assert write(tmp_path, algo, taken=("model-85",))[0] == "model-85-2"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, algo: SVD) -> None:
    with pytest.raises(TypeError, match="JSON"):
        write_version(tmp_path, "model-85", (), algo, NO_RANKER, NO_GENERATIONS, {"parameters": object()})

    assert list(tmp_path.iterdir()) == []


def test_an_opened_version_predicts_what_was_fitted(tmp_path: Path, algo: SVD, model: RatingModel) -> None:
    name, _, manifest_sha256 = write(tmp_path, algo)

    opened = open_version(tmp_path / name, manifest_sha256)

    assert isinstance(opened.model.qi, np.memmap)
    np.testing.assert_array_equal(
        opened.model.score(model.users.ids, model.movies.ids), model.score(model.users.ids, model.movies.ids)
    )


@pytest.mark.parametrize("damage", ("flip", "cut", "remove", "manifest"))
def test_a_damaged_array_or_manifest_is_refused_by_name(tmp_path: Path, algo: SVD, damage: str) -> None:
    name, _, manifest_sha256 = write(tmp_path, algo)
    path = tmp_path / name / ("manifest.json" if damage == "manifest" else "qi.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    if damage != "remove":
        path.write_bytes(content[:-10] if damage == "cut" else content)

    with pytest.raises(UntrustedFile, match=path.name):
        open_version(tmp_path / name, manifest_sha256)


def rewritten(folder: Path, **changed: object) -> str:
    """Change the manifest and return its new SHA-256, as the database would have recorded it."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("changed", "named"),
    (({"format": 3}, "format 3"), ({"id_type": "str"}, "str ids"), ({"arrays": {}}, "names no bi, bu, movie_ids")),
)
def test_a_version_of_the_future_or_of_another_program_is_refused(
    tmp_path: Path, algo: SVD, changed: dict[str, object], named: str
) -> None:
    name, _, _ = write(tmp_path, algo)

    with pytest.raises(UntrustedFile, match=named):
        open_version(tmp_path / name, rewritten(tmp_path / name, **changed))


def test_arrays_that_predict_otherwise_than_surprise_did_are_refused(tmp_path: Path, algo: SVD) -> None:
    name, _, _ = write(tmp_path, algo)
    golden = json.loads((tmp_path / name / "manifest.json").read_text())["golden"]
    golden[0][2] += 0.01

    with pytest.raises(UntrustedFile, match="predicts"):
        open_version(tmp_path / name, rewritten(tmp_path / name, golden=golden))


def test_a_pickle_is_not_opened_unless_its_hash_is_recorded(tmp_path: Path, algo: SVD) -> None:
    name, sha256, _ = write(tmp_path, algo)
    path = tmp_path / f"{name}.pkl"

    assert unpickle(path, {sha256}).predict(10, 1007).est == algo.predict(10, 1007).est
    with pytest.raises(UntrustedFile, match="no version in the database"):
        unpickle(path, {"0" * 64})


class Crafted:
    """A class whose pickle runs a shell command when it is opened by plain pickle."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.touched}",)


def test_a_crafted_pickle_runs_nothing_even_when_its_hash_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "model-1.pkl"
    path.write_bytes(pickle.dumps({"model": Crafted(tmp_path / "touched")}))

    with pytest.raises(UntrustedFile, match="system"):
        unpickle(path, {hashlib.sha256(path.read_bytes()).hexdigest()})

    assert not (tmp_path / "touched").exists()


REPLACE_LATEST = """
import sys
from pathlib import Path
from recsite.ml.files import point_latest_at
for number in range(300):
    point_latest_at(Path(sys.argv[1]), f"model-{1 + number % 2}")
"""


def test_latest_pkl_is_never_missing_while_it_is_replaced(tmp_path: Path) -> None:
    for name in ("model-1", "model-2"):
        (tmp_path / f"{name}.pkl").write_text(name)
    point_latest_at(tmp_path, "model-1")
    seen = set()

    with subprocess.Popen([sys.executable, "-c", REPLACE_LATEST, str(tmp_path)], cwd=ROOT) as process:
        while process.poll() is None:
            seen.add((tmp_path / "latest.pkl").read_text())  # Raises when it is missing.

    assert process.returncode == 0

    assert seen == {"model-1", "model-2"}
