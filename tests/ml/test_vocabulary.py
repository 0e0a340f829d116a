"""The numbers of ids in a vocabulary, against a search through all of it."""

import numpy as np
import pytest

from recsite.ml.vocabulary import Vocabulary


@pytest.mark.parametrize(
    "ids",
    (
        [],
        [7],
        list(range(1, 2_000)),
        list(range(65_536, 65_536 * 500, 65_536)),
        [1_000_000_000 + each for each in range(300)] + list(range(300, 0, -1)),
    ),
    ids=("none", "one", "side by side", "far apart", "unsorted"),
)
def test_the_number_of_an_id_is_its_place_and_minus_one_without(ids: list[int]) -> None:
    vocabulary = Vocabulary(np.array(ids, dtype=np.int64))
    asked = np.array([*ids, 0, -1, 2**31 - 1, 65_537], dtype=np.int64)

    numbers = vocabulary.numbers(asked, missing="negative")

    expected = [ids.index(each) if each in ids else -1 for each in asked.tolist()]
    assert numbers.tolist() == expected
    assert vocabulary.contains(asked).tolist() == [number >= 0 for number in expected]
    assert len(vocabulary) == len(ids)


@pytest.mark.parametrize("ids", ([], [3, 5], [5, 3]))
def test_an_id_that_is_missing_is_an_error_unless_asked_otherwise(ids: list[int]) -> None:
    vocabulary = Vocabulary(np.array(ids, dtype=np.int64))

    with pytest.raises(KeyError, match="does not have the id 4"):
        vocabulary.numbers(np.array([*ids, 4]))


def test_the_numbers_of_no_ids_are_none() -> None:
    assert Vocabulary(np.array([3, 5])).numbers(np.array([], dtype=np.int64)).tolist() == []
