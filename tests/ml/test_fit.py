"""Our fit of the rating model beside Surprise's own, and beside the same steps in plain Python."""

from dataclasses import replace

import numpy as np
import pytest
from surprise import SVD, Dataset, Reader
from surprise.model_selection import KFold

from recsite.ml.descent import Parameters, fit_model, start_model
from recsite.ml.fit import cross_validate, errors_on, find_epochs, fit, fold_mask
from recsite.ml.kernels import descend
from recsite.ml.progress import ignore
from recsite.ml.rating import RatingModel
from recsite.ml.ratings import NumberedRatings, Ratings

PARAMETERS = Parameters(
    factors=10,
    epochs=20,
    learning_rate=0.02,
    final_learning_rate=0.02,
    regularization=0.1,
    movie_regularization=0.4,
    seed=42,
)
FOLDS = 3


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    """Return 20,000 ratings of 400 users and 300 movies that follow two hidden tastes."""
    rng = np.random.default_rng(1)
    pairs = np.sort(rng.choice(400 * 300, 20_000, replace=False))
    u, i = pairs // 300, pairs % 300
    tastes, traits = rng.standard_normal((400, 2)), rng.standard_normal((300, 2))
    stars = 3.5 + 0.4 * rng.standard_normal(300)[i] + 0.5 * (tastes[u] * traits[i]).sum(axis=1)
    stars += 0.5 * rng.standard_normal(len(u))
    return Ratings.from_arrays(1 + 2 * u, 1000 + i, np.clip(np.round(2 * stars) / 2, 0.5, 5))


def surprise_dataset(ratings: Ratings) -> Dataset:
    dataset = Dataset(Reader(rating_scale=(0.5, 5.0)))
    columns = (ratings.user_ids.tolist(), ratings.movie_ids.tolist(), ratings.values.tolist())
    dataset.raw_ratings = [(*row, None) for row in zip(*columns, strict=True)]
    return dataset


def test_the_held_out_rmse_is_that_of_surprises_fit(ratings: Ratings) -> None:
    found = []
    for trainset, testset in KFold(FOLDS, random_state=PARAMETERS.seed).split(surprise_dataset(ratings)):
        algo = SVD(
            n_factors=10, n_epochs=60, lr_all=0.02, reg_all=0.1, reg_bi=0.4, init_std_dev=0.02, random_state=42
        ).fit(trainset)
        errors = np.array([value - algo.predict(user, movie).est for user, movie, value in testset])
        found.append(np.sqrt(np.mean(errors**2)))

    ours = cross_validate(ratings, replace(PARAMETERS, epochs=60), FOLDS, ignore)

    assert ours.rmse_heldout == pytest.approx(np.mean(found), abs=0.001)


def test_the_folds_are_surprises(ratings: Ratings) -> None:
    dataset = surprise_dataset(ratings)
    for fold, (_, testset) in enumerate(KFold(FOLDS, random_state=7).split(dataset)):
        held_out = ratings.select(fold_mask(len(ratings), FOLDS, fold, seed=7))
        pairs = zip(held_out.user_ids.tolist(), held_out.movie_ids.tolist(), strict=True)
        assert set(pairs) == {(user, movie) for user, movie, _ in testset}


def test_any_number_of_threads_gives_the_same_model(ratings: Ratings) -> None:
    numbered = NumberedRatings.of(ratings)
    first, *others = (fit_model(numbered, PARAMETERS, threads) for threads in (1, 2, 7))
    for other in others:
        assert (other.pu == first.pu).all()
        assert (other.qi == first.qi).all()
        assert (other.bu == first.bu).all()
    another = fit_model(numbered, replace(PARAMETERS, seed=43))
    assert (another.pu != first.pu).any()


def test_a_step_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(2)
    u, i = np.array([0, 1, 0], dtype=np.int32), np.array([1, 1, 0], dtype=np.int32)
    values = np.array([4, 2.5, 5], dtype=np.float32)
    bu, bi, pu, qi = (rng.standard_normal(shape).astype(np.float32) for shape in (2, 2, (2, 3), (2, 3)))
    expected = [array.astype(np.float64) for array in (bu, bi, pu, qi)]

    rate, penalty, movie_penalty = np.float32(0.1), np.float32(0.2), np.float32(0.3)
    descend(u, i, values, np.float32(3.5), bu, bi, pu, qi, rate, penalty, movie_penalty)

    b, c, p, q = expected
    for user, movie, value in zip(u, i, values, strict=True):
        error = value - 3.5 - b[user] - c[movie] - p[user] @ q[movie]
        b[user] += 0.1 * (error - 0.2 * b[user])
        c[movie] += 0.1 * (error - 0.3 * c[movie])
        p[user], q[movie] = (
            p[user] + 0.1 * (error * q[movie] - 0.2 * p[user]),
            q[movie] + 0.1 * (error * p[user] - 0.2 * q[movie]),
        )
    for found, wanted in zip((bu, bi, pu, qi), expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)


def test_the_step_falls_evenly_and_a_fit_ends_where_it_is_told(ratings: Ratings) -> None:
    falling = replace(PARAMETERS, epochs=5, learning_rate=0.05, final_learning_rate=0.01)
    assert falling.learning_rates() == pytest.approx([0.05, 0.04, 0.03, 0.02, 0.01])
    assert replace(falling, stop_after=2).learning_rates() == pytest.approx([0.05, 0.04])

    seen: list[int] = []

    def is_enough(epoch: int, model: RatingModel) -> bool:
        seen.append(epoch)
        return epoch == 3

    fit_model(NumberedRatings.of(ratings), falling, after_epoch=is_enough)
    assert seen == [1, 2, 3]


def test_the_number_of_epochs_is_the_best_one_on_held_out_ratings(ratings: Ratings) -> None:
    numbered = NumberedRatings.of(ratings)
    # Without any penalty, many factors fit the noise after a few epochs.
    overfitting = replace(PARAMETERS, factors=40, epochs=60, regularization=0.0001)

    epochs = find_epochs(numbered, overfitting)

    assert 10 < epochs < 25
    best, more = (
        cross_validate(ratings, replace(overfitting, stop_after=number), FOLDS, ignore).rmse_heldout
        for number in (epochs, 2 * epochs)
    )
    assert best < more
    assert find_epochs(numbered, PARAMETERS) == PARAMETERS.epochs


def test_with_few_ratings_all_epochs_are_taken(ratings: Ratings) -> None:
    few = NumberedRatings.of(ratings.select(np.arange(5000)))
    assert find_epochs(few, replace(PARAMETERS, factors=40, epochs=60, regularization=0.0001)) == 60


def test_users_and_movies_without_ratings_in_a_selection_have_zero_rows(ratings: Ratings) -> None:
    numbered = NumberedRatings.of(ratings)
    part = numbered.select((numbered.u > 5) & (numbered.i != 3))
    model = fit_model(part, PARAMETERS)
    assert not model.pu[:6].any()
    assert not model.qi[3].any()
    assert start_model(part, PARAMETERS).pu[6].any()


def test_surprise_predicts_from_the_fitted_arrays(ratings: Ratings) -> None:
    numbered = NumberedRatings.of(ratings)
    algo, model = fit(ratings, PARAMETERS), fit_model(numbered, PARAMETERS)
    pairs = list(zip(ratings.user_ids[:200].tolist(), ratings.movie_ids[:200].tolist(), strict=True))
    errors = np.array([algo.predict(*pair).est for pair in pairs]) - ratings.values[:200]
    rmse, mae = errors_on(model, numbered.select(np.arange(200)))
    assert rmse == pytest.approx(np.sqrt(np.mean(errors**2)), abs=1e-5)
    assert mae == pytest.approx(np.mean(np.abs(errors)), abs=1e-5)
    # A stranger and an unknown movie get the mean, as from a model that Surprise has fitted.
    assert algo.predict(-1, -1).est == pytest.approx(float(ratings.values.mean()), abs=1e-5)
