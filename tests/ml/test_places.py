"""Finding ids in an array, against looking through all of it."""

import numpy as np
import pytest

from recsite.ml.places import Places


@pytest.mark.parametrize(
    "ids",
    (
        [],
        [7],
        list(range(1, 2_000)),
        list(range(65_536, 65_536 * 500, 65_536)),
        [1_000_000_000 + each for each in range(300)] + list(range(300, 0, -1)),
    ),
    ids=("none", "one", "side by side", "far apart", "of two kinds, unsorted"),
)
def test_every_id_is_found_where_it_stands_and_no_other(ids: list[int]) -> None:
    places = Places.of(np.array(ids, dtype=np.int64))
    wanted = np.array([*ids, 0, -1, 2**31 - 1, 65_537], dtype=np.int64)

    found = places.find(wanted)

    assert found.tolist() == [ids.index(each) if each in ids else -1 for each in wanted.tolist()]
