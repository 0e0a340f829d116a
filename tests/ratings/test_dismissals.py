"""Movies put aside: what nobody wants to see again is in no list and no review, until it is taken back."""

import pytest
from flask import Flask

from recsite import movies, suggestions
from recsite.errors import MovieNotFound, UserNotFound
from recsite.extensions import db
from recsite.ratings import dismissals
from recsite.storage.tables import Suggestion, User
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client

pytestmark = pytest.mark.both_databases


def listed(user_id: int) -> list[int]:
    """Return the ids of the user's list, best first."""
    return [item.movie_id for item in suggestions.best_for(user_id).items]


def answered(client: Client, user_id: int) -> list[int]:
    """Return the ids of the API's response, which may come from the cache."""
    return [each["id"] for each in client.get(f"/api/suggestions?user_id={user_id}").json["suggestions"]]


def test_a_movie_of_no_interest_leaves_the_next_answer(client: Client, trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])
    before = answered(client, trained.bob)

    dismissals.save_dismissal(trained.bob, before[0])
    db.session.commit()

    assert before[0] not in answered(client, trained.bob)
    assert sorted(answered(client, trained.bob)) == sorted(before[1:])


def test_what_is_taken_back_is_in_the_list_again(client: Client, trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])
    before = answered(client, trained.bob)
    suggestions.dismiss(trained.bob, before[0])
    without = answered(client, trained.bob)

    suggestions.restore(trained.bob, before[0])

    assert without == before[1:]
    assert answered(client, trained.bob) == before


def test_scoring_leaves_out_what_a_user_does_not_want(trained: TrainedWorld) -> None:
    suggestions.dismiss(trained.bob, 550)

    suggestions.rescore([trained.bob, trained.alice])

    rows = db.session.query(Suggestion).filter_by(movie_id=550, active=True).all()
    assert [row.user_id for row in rows] == []
    assert 550 not in listed(trained.bob)


def test_a_movie_of_no_interest_is_out_of_other_peoples_way(trained: TrainedWorld) -> None:
    suggestions.dismiss(trained.alice, 13)

    assert 13 in listed(trained.bob)


def test_it_is_out_of_a_list_of_popular_movies_as_well(world: World) -> None:
    suggestions.dismiss(world.carol, 550)

    assert 550 not in listed(world.carol)


def test_a_genre_does_not_bring_it_back(trained: TrainedWorld) -> None:
    suggestions.dismiss(trained.bob, 550)

    dramas = suggestions.best_for(trained.bob, suggestions.ListOptions(only=movies.MovieFilter(genres=("Drama",))))

    assert 550 not in [item.movie_id for item in dramas.items]


def test_the_explanation_names_it(trained: TrainedWorld) -> None:
    suggestions.dismiss(trained.bob, 550)

    assert suggestions.explain(trained.bob, 550).kept_out_by == "the user is not interested in it"


def test_a_skipped_movie_stays_in_the_list(trained: TrainedWorld) -> None:
    before = listed(trained.bob)

    dismissals.skip(trained.bob, before[0])

    assert listed(trained.bob) == before


def test_skipping_a_movie_of_no_interest_does_not_make_it_interesting(trained: TrainedWorld) -> None:
    suggestions.dismiss(trained.bob, 550)

    dismissals.skip(trained.bob, 550)

    assert dismissals.is_unwanted(trained.bob, 550)


def test_a_movie_of_no_interest_leaves_the_predictions_as_they_were_trained(trained: TrainedWorld) -> None:
    suggestions.rescore([trained.bob])

    suggestions.dismiss(trained.bob, 550)

    assert suggestions.best_for(trained.bob).source == "model"


def test_deleting_the_user_deletes_what_they_put_aside(world: World) -> None:
    suggestions.dismiss(world.carol, 550)

    db.session.delete(db.session.get_one(User, world.carol))
    db.session.commit()

    assert not dismissals.is_unwanted(world.carol, 550)


def test_only_what_exists_can_be_put_aside(app: Flask, world: World) -> None:
    with pytest.raises(MovieNotFound, match="Movie not found"):
        dismissals.skip(world.carol, 999)
    with pytest.raises(UserNotFound, match="User not found"):
        suggestions.dismiss(999, 550)
