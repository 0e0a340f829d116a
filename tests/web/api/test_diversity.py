"""`diversity` of a list: how the option is read, and that it keeps the movies and changes their order."""

import numpy as np
import pytest

from recsite.ml.diversity import diversify
from recsite.versions.active import recommender
from tests.conftest import TrainedWorld
from tests.web.clients import Client, ids

OF_BOB = "/api/suggestions?user_id=2"
LIKES = [{"movie_id": 680, "value": 5}, {"movie_id": 278, "value": 3}]


@pytest.mark.both_databases
def test_no_diversity_is_the_order_of_the_ranks(client: Client, scored: TrainedWorld) -> None:
    assert ids(client.get(f"{OF_BOB}&diversity=0")) == ids(client.get(OF_BOB))


@pytest.mark.both_databases
@pytest.mark.parametrize("diversity", (0.3, 1))
def test_diversity_takes_the_order_of_the_rankers_similarities(
    client: Client, scored: TrainedWorld, diversity: float
) -> None:
    ranked = ids(client.get(OF_BOB))
    loaded = recommender.current()
    assert loaded is not None
    order = diversify(loaded.opened.ranker.similarities(np.array(ranked)), diversity)
    expected = [ranked[i] for i in order]

    assert ids(client.get(f"{OF_BOB}&diversity={diversity}")) == expected
    assert ids(client.get(f"{OF_BOB}&diversity={diversity}&limit=2&offset=1")) == expected[1:3]
    assert set(ids(client.post("/api/suggestions", json={"ratings": LIKES, "diversity": diversity}))) == set(ranked)


def test_a_diversity_that_makes_no_sense_is_refused(
    client: Client, scored: TrainedWorld, subtests: pytest.Subtests
) -> None:
    for sent in ("nan", "inf", "1.1", "-0.1", "", "0,3", "1e400", " 0.3", "٠"):
        with subtests.test(sent=sent):
            response = client.get("/api/suggestions", query_string={"user_id": "2", "diversity": sent})

            assert (response.status_code, response.json["error"]) == (400, "diversity must be a number from 0 to 1.")


@pytest.mark.parametrize("sent", ("0.3", "1", "3e-1", "0.0"))
def test_a_diversity_is_any_number_of_json(client: Client, scored: TrainedWorld, sent: str) -> None:
    assert client.get(f"{OF_BOB}&diversity={sent}").status_code == 200
