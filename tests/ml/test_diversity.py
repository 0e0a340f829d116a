"""Diversity of lists against the formula of its paper, and the group's order against the example of its paper."""

import numpy as np
import pytest
from numpy.typing import NDArray

from recsite.ml.diversity import diversify, intra_list_similarity, measure_diversity
from recsite.ml.ease import fit_ranker
from recsite.ml.groups import average_without_misery
from recsite.ml.ranker import Ranker
from recsite.ml.ratings import Ratings
from recsite.ml.vocabulary import Vocabulary
from tests.ml.test_ranker import MOVIES, PARAMETERS, ratings_of

TWINS = np.array(
    [  # the second movie is nearly the first, the third is like neither
        [1.0, 0.9, 0.0],
        [0.9, 1.0, 0.0],
        [0.0, 0.0, 1.0],
    ]
)


def some_similarities(m: int, seed: int = 1) -> NDArray[np.float64]:
    """Return a symmetric matrix with ones on its diagonal."""
    drawn = np.random.default_rng(seed).random((m, m))
    found: NDArray[np.float64] = np.maximum(drawn, drawn.T)
    found[np.diag_indices(m)] = 1
    return found


def textbook(similarities: NDArray[np.float64], diversity: float) -> list[int]:
    """Return the order of Carbonell & Goldstein (1998), one movie after another."""
    m, order = len(similarities), [0]
    while len(order) < m:
        left = [i for i in range(m) if i not in order]
        marginal = {i: (1 - diversity) * (1 - i / m) - diversity * max(similarities[i, j] for j in order) for i in left}
        order.append(max(left, key=lambda i: (marginal[i], -i)))
    return order


def test_without_diversity_the_order_is_that_of_the_ranks() -> None:
    assert diversify(some_similarities(20), 0.0).tolist() == list(range(20))


def test_a_twin_of_a_movie_that_is_listed_moves_back() -> None:
    assert diversify(TWINS, 0.1).tolist() == [0, 1, 2]
    assert diversify(TWINS, 0.5).tolist() == [0, 2, 1]
    assert diversify(TWINS, 1.0, n=2).tolist() == [0, 2]


@pytest.mark.parametrize("diversity", (0.2, 0.5, 0.8, 1.0))
def test_the_order_is_that_of_the_formula(diversity: float) -> None:
    similarities = some_similarities(30)

    assert diversify(similarities, diversity).tolist() == textbook(similarities, diversity)


def test_nothing_is_diversified_to_nothing() -> None:
    assert diversify(np.empty((0, 0)), 0.5).tolist() == []


def test_the_similarity_within_a_list_is_the_mean_of_its_pairs() -> None:
    assert intra_list_similarity(TWINS) == pytest.approx(0.3)
    assert intra_list_similarity(TWINS[:1, :1]) is None


def test_the_similarity_of_two_movies_is_the_cosine_of_their_weights() -> None:
    ranker = fit_ranker(ratings_of(), PARAMETERS)
    for cut in (ranker, cut_to(ranker)):
        rows = np.zeros((len(MOVIES), len(MOVIES)))
        for i in range(len(MOVIES)):
            kept = slice(cut.starts[i], cut.starts[i + 1])
            rows[i, cut.targets[kept]] = cut.weights[kept]
        rows += cut.rest
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)

        found = cut.similarities(np.array([862, 4, 13, 278]))

        expected = rows[[4, 0, 1]] @ rows[[4, 0, 1]].T
        assert found[np.ix_([0, 2, 3], [0, 2, 3])] == pytest.approx(expected, abs=1e-6)
        assert not found[1].any()  # the ranker does not cover movie 4
        assert not found[:, 1].any()


def cut_to(ranker: Ranker) -> Ranker:
    """Return a ranker with two weights less in each row, and some rest in each column."""
    return Ranker(
        ranker.movies,
        np.arange(6) * 3,
        np.tile(np.arange(3, dtype=np.int32), 5),
        np.linspace(-0.2, 0.3, 15).astype(np.float32),
        np.linspace(-0.1, 0.1, 5).astype(np.float32),
        np.zeros(5, np.float32),
    )


def test_diversity_is_measured_in_quality_and_in_similarity() -> None:
    rng = np.random.default_rng(3)
    # Two tastes: even users like the first fifteen movies, odd ones the others.
    values = np.where(rng.random((60, 30)) < 0.6, 4.5, 0.0)
    values[::2, 15:] *= 2 / 4.5
    values[1::2, :15] *= 2 / 4.5
    u, i = np.nonzero(values)
    ratings = Ratings.from_arrays(u + 1, i + 1, values[u, i])
    held_out = rng.random(len(ratings)) < 0.2
    train = ratings.select(~held_out)

    plain, mixed = measure_diversity(
        train, ratings.select(held_out), Vocabulary(np.arange(1, 31)), fit_ranker(train, PARAMETERS), (0.0, 0.5)
    )

    assert plain.intra_list_similarity is not None
    assert mixed.intra_list_similarity is not None
    assert mixed.intra_list_similarity < plain.intra_list_similarity
    assert plain.ndcg_at_10 is not None
    assert (plain.diversity, mixed.diversity) == (0.0, 0.5)


MASTHOFF = np.array(
    [  # A  B  C  D  E   F  G  H  I   J
        [10, 4, 3, 6, 10, 9, 6, 8, 10, 8],  # Peter
        [1, 9, 8, 9, 7, 9, 6, 9, 3, 8],  # Jane
        [10, 5, 2, 7, 9, 8, 5, 6, 7, 6],  # Mary
    ],
    dtype=np.float64,
)


def test_the_order_of_a_group_is_that_of_the_papers_example() -> None:
    order = average_without_misery(MASTHOFF, MASTHOFF, np.full(3, 4.0))

    names = "".join("ABCDEFGHIJ"[i] for i in order)
    assert names[:7] == "EFHDJBG"
    # Behind them, what somebody would hate: I (at worst 3), C (2) and A (1).
    assert names[7:] == "ICA"


def test_a_movie_that_one_person_would_hate_stands_behind_all_others() -> None:
    pleasures = np.array([[0.9, 0.5], [0.8, 0.1]])
    stars = np.array([[5.0, 3.2], [2.0, 3.1]])

    assert average_without_misery(pleasures, stars, np.array([3.0, 3.0])).tolist() == [1, 0]
    assert average_without_misery(pleasures, stars, np.array([0.5, 0.5])).tolist() == [0, 1]
