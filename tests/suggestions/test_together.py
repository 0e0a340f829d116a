"""A list for several people."""

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import movies, suggestions, versions
from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.storage.tables import Movie, Rating, User
from recsite.suggestions import ListOptions, SuggestionList
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import rate
from tests.web.clients import Client, ids, log_in, token_headers

pytestmark = pytest.mark.both_databases
EVERYTHING = ListOptions(limit=100, with_reasons=False)


def together(*user_ids: int) -> SuggestionList:
    """Return the list of all these users."""
    return suggestions.best_for(user_ids[0], ListOptions(limit=100, together_with=user_ids[1:]))


def ids_of(found: SuggestionList) -> list[int]:
    """Return the ids of a list's movies, in its order."""
    return [item.movie_id for item in found.items]


def add_movies(number: int) -> None:
    """Insert movies that nobody has rated."""
    db.session.add_all(Movie(id=1000 + i, title=f"Film {i}") for i in range(number))
    db.session.flush()
    movies.bump_catalog()
    db.session.commit()


def test_no_movie_was_seen_or_dismissed_by_one_of_them(trained: TrainedWorld) -> None:
    rate(trained.dave, 550, 5.0)
    suggestions.dismiss(trained.carol, 862)

    # bob has rated 278 and 680
    assert set(ids_of(together(trained.bob, trained.dave, trained.carol))) == {949, 13}


def test_the_order_is_average_without_misery_and_the_value_that_of_the_least_pleased(trained: TrainedWorld) -> None:
    rate(trained.dave, 550, 5.0)
    add_movies(20)
    own = [suggestions.best_for(user_id, EVERYTHING) for user_id in (trained.bob, trained.dave)]
    values = [
        {item.movie_id: suggestions.predict_one(user_id, item.movie_id).value for item in each.items}
        for user_id, each in zip((trained.bob, trained.dave), own, strict=True)
    ]
    common = [movie_id for movie_id in values[0] if movie_id in values[1]]
    least = [np.mean(list(each.values())) for each in values]

    found = together(trained.bob, trained.dave)

    assert set(ids_of(found)) == set(common)
    for item in found.items:
        # Nobody rated the added movies, so that the version knows no value of theirs.
        value = pytest.approx(min(each[item.movie_id] for each in values)) if item.movie_id < 1000 else None
        assert item.value == value
    miserable = [
        any(each[movie_id] < low for each, low in zip(values, least, strict=True)) for movie_id in ids_of(found)
    ]
    assert miserable == sorted(miserable)
    assert len(set(miserable)) == 2
    shares = [
        np.mean([1 - ids_of(each).index(movie_id) / len(each.items) for each in own]) for movie_id in ids_of(found)
    ]
    liked = shares[: miserable.index(True)]
    assert liked == sorted(liked, reverse=True)


def test_people_without_ratings_have_no_say(trained: TrainedWorld) -> None:
    alone = suggestions.best_for(trained.bob, EVERYTHING)

    assert sorted(ids_of(together(trained.bob, trained.carol))) == sorted(ids_of(alone))
    assert together(trained.carol, trained.bob).source == "model"
    assert together(trained.carol, trained.dave).source == "popular"


def test_without_a_version_the_movies_are_popular_ones_that_nobody_saw(world: World) -> None:
    db.session.execute(sa.delete(Rating).where(Rating.user_id == 1, Rating.movie_id == 949))
    movies.refresh_averages()
    db.session.commit()

    assert versions.list_versions() == []
    assert set(ids_of(together(1, 2))) == {949, 13}


def test_a_user_who_does_not_exist_is_named(trained: TrainedWorld) -> None:
    with pytest.raises(UserNotFound, match="User 99 not found"):
        together(trained.bob, 99)


def test_the_api_lists_for_several_people_and_filters_as_usual(client: Client, trained: TrainedWorld) -> None:
    path = f"/api/suggestions?user_id={trained.bob}&together_with={trained.carol},{trained.bob}"

    assert set(ids(client.get(path))) == {550, 949, 862, 13}
    assert ids(client.get(f"{path}&genre=comedy&exclude=13&diversity=0.5")) == [862]
    refused = client.get(f"{path},4,5,6,7")
    assert refused.status_code == 400
    assert refused.json["error"].startswith("together_with must be a list of at most 5, joined by commas")


def test_people_are_named_by_the_sites_ids_where_the_first_one_is(client: Client, trained: TrainedWorld) -> None:
    for user_id, name in ((trained.alice, "cust-1"), (trained.bob, "7")):
        db.session.get_one(User, user_id).site_id = name
    db.session.commit()

    assert ids(client.get("/api/suggestions?user=7&together_with=cust-1,cust-99")) == [13]
    assert ids(client.get("/api/suggestions?user=cust-99&together_with=7")) == ids(
        client.get(f"/api/suggestions?user_id={trained.bob}")
    )
    assert client.get("/api/suggestions?user=cust-98&together_with=cust-99").headers["X-Suggestion-Source"] == "popular"
    for sent in ("cust-1", "0", "99"):
        refused = client.get(f"/api/suggestions?user_id=2&together_with={sent}")
        assert (refused.status_code, refused.json) == (404, {"error": f"User {sent} not found"})


def test_a_list_for_several_people_is_read_only_by_who_may_read_all_of_theirs(
    app: Flask, client: Client, trained: TrainedWorld
) -> None:
    app.config["API_AUTH"] = "required"
    path = f"/api/suggestions?user_id={trained.bob}&together_with={trained.carol}"

    assert client.get(path).status_code == 401
    assert log_in(app, trained.bob).get(path).status_code == 403
    assert client.get(path, headers=token_headers(trained.dave)).status_code == 200
