"""Catalogue reach: which movies stand in lists, and in how many."""

import pytest
import sqlalchemy as sa

from recsite import jobs, movies
from recsite.extensions import db
from recsite.jobs import tasks
from recsite.storage.queue import queueing
from recsite.storage.tables import MovieReach, Suggestion
from recsite.suggestions.quality import coverage
from tests.conftest import World
from tests.processes.servers import RedisServer
from tests.web.clients import Client

pytestmark = pytest.mark.both_databases

LISTS = {
    # user: movies, the best first; of the world's six
    1: (550, 278),
    2: (550, 949),
    3: (550,),
    4: (278,),
}


@pytest.fixture
def listed(world: World) -> World:
    """Insert the lists above. Their ranks start at 10, so that only the first movie of each is in the first ten."""
    for user_id, movie_ids in LISTS.items():
        for place, movie_id in enumerate(movie_ids):
            db.session.add(Suggestion(user_id=user_id, movie_id=movie_id, value=4.0, rank=10 + place))
    db.session.commit()
    return world


def change(movie_id: int, **columns: object) -> None:
    db.session.execute(sa.update(Suggestion).where(Suggestion.movie_id == movie_id).values(columns))
    db.session.commit()


def test_a_measurement_counts_users_movies_and_places_in_lists(listed: World) -> None:
    found = coverage.measure()

    assert (found.users, found.places, found.movies) == (4, 6, 6)
    assert (found.suggested, found.first_ten) == (3, 2)


def test_a_movie_in_over_thirty_per_cent_of_the_lists_is_widespread(listed: World) -> None:
    # Of four lists three have 550, two have 278, and one, which is 25 %, has 949.
    assert coverage.measure().widespread == 2


def test_the_movies_of_most_lists_come_first(listed: World) -> None:
    coverage.measure()

    assert [(each.movie_id, each.lists, each.first_ten) for each in coverage.most_suggested(10)] == [
        (550, 3, 3),
        (278, 2, 1),
        (949, 1, 0),
    ]


def test_the_movies_of_no_list_are_those_never_suggested(listed: World) -> None:
    coverage.measure()
    movies.hide(13)

    found = coverage.never_suggested(1, 10)

    assert (found.total, {movie.id for movie in found.items}) == (2, {862, 680})


@pytest.mark.parametrize("columns", ({"active": False}, {"did_rate": True, "rating_value": 4.0}))
def test_inactive_rows_are_not_counted(listed: World, columns: dict[str, object]) -> None:
    change(949, **columns)

    assert coverage.measure().suggested == 2


def test_hidden_movies_are_not_counted(listed: World) -> None:
    movies.hide(550)

    found = coverage.measure()

    assert (found.movies, found.suggested, found.places) == (5, 2, 3)


def test_measuring_again_replaces_the_movies_and_keeps_the_measurements(listed: World) -> None:
    coverage.measure()
    change(949, active=False)

    coverage.measure()

    assert [each.suggested for each in coverage.measures()] == [2, 3]
    assert db.session.query(MovieReach).count() == 2


def test_without_lists_everything_is_zero(world: World) -> None:
    found = coverage.measure()

    assert (found.users, found.places, found.suggested, found.widespread) == (0, 0, 0, 0)


def test_the_page_says_that_nothing_was_measured_yet(admin: Client) -> None:
    assert "Not measured yet" in admin.get("/admin/reach/").text


def test_the_page_shows_coverage_and_both_lists_of_movies(admin: Client, listed: World) -> None:
    coverage.measure()
    coverage.measure()

    page = admin.get("/admin/reach/").text

    for shown in ("50.0%", "3 of 6 movies are in lists", "75%", "over 30%", "Toy Story", "<svg"):
        assert shown in page


def test_measuring_runs_on_a_worker(admin: Client, listed: World) -> None:
    response = admin.post("/admin/reach/measure")

    (run,) = jobs.list_latest(10)
    assert (response.status_code, response.location) == (303, "/admin/reach/")
    assert (run.kind, run.asked_by) == ("reach", "alice")
    tasks.do_next("a-job")
    assert jobs.find(run.id).outcome == "3 movies stand in lists"
    assert queueing.queue.count == 1


def test_without_redis_the_page_says_that_nothing_was_queued(admin: Client, own_redis: RedisServer) -> None:
    own_redis.stop()

    response = admin.post("/admin/reach/measure")

    assert response.status_code == 503
    assert "nothing was queued" in response.text
