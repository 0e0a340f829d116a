"""Rating, taking it back, and what to rate next."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import movies, ratings, suggestions
from recsite.errors import InvalidInput, MovieNotFound, NotFound, UserNotFound
from recsite.extensions import db
from recsite.ratings.importers import movie_rows
from recsite.storage.tables import Movie, Rating, Suggestion, User
from tests.conftest import World
from tests.ratings.changes import rate, unrate

LAST_YEAR = datetime(2025, 6, 1, tzinfo=UTC)


def values_of(user_id: int, movie_id: int) -> list[float]:
    """Return the values of all rows of this pair."""
    query = sa.select(Rating.value).where(Rating.user_id == user_id, Rating.movie_id == movie_id)
    return list(db.session.scalars(query))


def generation_of(user_id: int) -> int | None:
    return db.session.scalar(sa.select(User.rating_generation).where(User.id == user_id))


def suggest(user_id: int, movie_id: int) -> None:
    db.session.add(Suggestion(user_id=user_id, movie_id=movie_id, value=4.4, rank=1))
    db.session.commit()


def read_suggestion(user_id: int, movie_id: int) -> Suggestion:
    db.session.expire_all()
    return db.session.get_one(Suggestion, (user_id, movie_id))


def hide(movie_id: int) -> None:
    db.session.get_one(Movie, movie_id).is_hidden = True
    db.session.commit()


def in_threads(app: Flask, calls: list[tuple[int, int, float]]) -> list[bool]:
    """Rate with these arguments at the same time and return the results."""

    def rate_in_thread(call: tuple[int, int, float]) -> bool:
        with app.app_context():
            return rate(*call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(rate_in_thread, calls))


@pytest.mark.both_databases
def test_rating_a_movie_says_that_it_is_the_first_rating(world: World) -> None:
    is_new = rate(world.carol, 550, 4.5)

    assert is_new
    assert values_of(world.carol, 550) == [4.5]


@pytest.mark.both_databases
def test_rating_a_movie_again_replaces_the_first_value(world: World) -> None:
    is_new = rate(world.alice, 550, 2.0)

    assert not is_new
    assert values_of(world.alice, 550) == [2.0]


@pytest.mark.both_databases
def test_half_stars_are_kept_as_they_are(world: World) -> None:
    rate(world.carol, 550, 3.5)

    assert values_of(world.carol, 550) == [3.5]


@pytest.mark.both_databases
def test_rating_again_moves_the_rating_to_the_time_of_the_last_word(world: World) -> None:
    rate(world.alice, 550, 2.0, at=LAST_YEAR)

    assert db.session.get_one(Rating, (world.alice, 550)).timestamp == LAST_YEAR


def test_a_value_that_is_not_half_to_five_stars_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for value in (0, 0.25, 0.4, 4.75, 5.5, -1, 10**400, float("nan"), float("inf"), True):
        with subtests.test(value=value):
            with pytest.raises(InvalidInput, match=r"value must be 0\.5 to 5\.0 stars"):
                rate(world.carol, 550, value)

            assert values_of(world.carol, 550) == []


@pytest.mark.both_databases
def test_rating_a_movie_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(MovieNotFound, match="Movie not found"):
        rate(world.carol, 551, 4.0)


@pytest.mark.both_databases
def test_rating_a_hidden_movie_is_refused(world: World) -> None:
    hide(550)

    with pytest.raises(MovieNotFound, match="Movie not found"):
        rate(world.carol, 550, 4.0)


@pytest.mark.both_databases
def test_a_rating_by_somebody_who_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(UserNotFound, match="User not found"):
        rate(99, 550, 4.0)


@pytest.mark.both_databases
def test_every_change_of_a_rating_counts_up_the_users_generation(world: World) -> None:
    rate(world.carol, 550, 4.0)
    rate(world.carol, 550, 4.5)
    unrate(world.carol, 550)

    assert generation_of(world.carol) == 3
    assert generation_of(world.bob) == 0


@pytest.mark.both_databases
def test_rating_a_suggested_movie_is_noted_on_the_suggestion(world: World) -> None:
    suggest(world.carol, 550)

    rate(world.carol, 550, 4.5, at=LAST_YEAR)

    row = read_suggestion(world.carol, 550)
    assert (row.did_rate, row.rating_value, row.did_rate_timestamp) == (True, 4.5, LAST_YEAR)
    assert (row.value, row.rank, row.active) == (4.4, 1, True)


@pytest.mark.both_databases
def test_the_suggestion_of_somebody_else_is_left_alone(world: World) -> None:
    suggest(world.bob, 550)

    rate(world.carol, 550, 4.5)

    assert not read_suggestion(world.bob, 550).did_rate


@pytest.mark.both_databases
def test_rating_refreshes_the_averages_of_the_movie(world: World) -> None:
    rate(world.carol, 278, 4.5)

    movie = db.session.get_one(Movie, 278)
    assert (movie.rating_count, movie.rating_avg) == (3, (4.5 + 3.0 + 4.5) / 3)


@pytest.mark.both_databases
def test_ratings_of_one_user_are_not_counted_twice_in_averages(world: World) -> None:
    rate(world.carol, 13, 1.0)
    rate(world.carol, 13, 5.0)

    movie = db.session.get_one(Movie, 13)
    assert (movie.rating_count, movie.rating_avg) == (1, 5.0)


@pytest.mark.both_databases
def test_unrating_undoes_all_that_rating_did(world: World) -> None:
    suggest(world.carol, 13)
    rate(world.carol, 13, 4.5)

    unrate(world.carol, 13)

    movie, row = db.session.get_one(Movie, 13), read_suggestion(world.carol, 13)
    assert values_of(world.carol, 13) == []
    assert (movie.rating_count, movie.rating_avg, movie.score) == (0, None, None)
    assert (row.did_rate, row.rating_value, row.did_rate_timestamp) == (False, None, None)


@pytest.mark.both_databases
def test_unrating_what_was_not_rated_is_refused_and_counts_no_change(world: World) -> None:
    with pytest.raises(NotFound, match="Rating not found"):
        suggestions.unrate(world.carol, 550)

    assert generation_of(world.carol) == 0


@pytest.mark.both_databases
@pytest.mark.both_databases
def test_all_that_follows_from_a_rating_follows_it_to_another_movie(world: World) -> None:
    suggest(world.alice, 13)

    movie_rows.move_movies({550: 13})
    db.session.commit()

    movie, row = db.session.get_one(Movie, 13), read_suggestion(world.alice, 13)
    assert db.session.get(Movie, 550) is None
    assert values_of(world.alice, 13) == [5.0]
    assert (movie.rating_count, movie.rating_avg) == (1, 5.0)
    assert (row.did_rate, row.rating_value) == (True, 5.0)
    assert (generation_of(world.alice), generation_of(world.bob)) == (1, 0)


@pytest.mark.both_databases
def test_the_score_of_one_movie_is_the_one_that_a_refresh_of_all_finds(world: World) -> None:
    movies.refresh_all_averages()
    before = {movie.id: movie.score for movie in db.session.query(Movie)}
    rate(world.alice, 278, 4.5)

    db.session.expire_all()
    assert db.session.get_one(Movie, 278).score == before[278]


def test_two_ratings_of_one_pair_at_the_same_time_leave_one_row(app: Flask, world: World) -> None:
    calls = [(world.carol, 550, stars / 2) for stars in range(1, 9)]

    were_new = in_threads(app, calls)

    db.session.expire_all()
    assert len(values_of(world.carol, 550)) == 1
    assert were_new.count(True) == 1
    assert generation_of(world.carol) == len(calls)


@pytest.mark.both_databases
def test_ratings_of_one_movie_at_the_same_time_all_count_in_its_average(app: Flask, world: World) -> None:
    people = (world.alice, world.bob, world.carol, world.dave)

    in_threads(app, [(user_id, 13, 4.0) for user_id in people])

    db.session.expire_all()
    assert db.session.get_one(Movie, 13).rating_count == 4


@pytest.mark.both_databases
def test_a_rating_while_all_movies_are_counted_is_not_overlooked(app: Flask, world: World) -> None:
    db.session.execute(sa.update(Movie).where(Movie.id == 13).values(rating_count=9))
    db.session.commit()

    def refresh_all() -> None:
        with app.app_context():
            movies.refresh_all_averages()

    counting = threading.Thread(target=refresh_all)
    with db.engine.connect() as rater:
        rater.execute(sa.insert(Rating).values(user_id=world.carol, movie_id=13, value=4.0, timestamp=LAST_YEAR))
        rater.execute(sa.update(Movie).where(Movie.id == 13).values(rating_count=1, rating_avg=4.0))
        counting.start()
        counting.join(0.5)
        rater.commit()
    counting.join(20)

    movie = db.session.get_one(Movie, 13)
    assert (movie.rating_count, movie.rating_avg) == (1, 4.0)


@pytest.mark.both_databases
def test_the_ratings_of_a_user_come_newest_first(world: World) -> None:
    found = ratings.ratings_of(world.alice, page=1, per_page=3)

    assert [(rated.movie.id, rated.value) for rated in found.items] == [(680, 5.0), (862, 1.5), (949, 4.0)]
    assert (found.total, found.pages, found.has_next) == (5, 2, True)


@pytest.mark.both_databases
def test_the_ratings_of_nobody_are_refused(world: World) -> None:
    with pytest.raises(UserNotFound, match="User not found"):
        ratings.ratings_of(99, page=1, per_page=3)


@pytest.mark.both_databases
def test_the_rating_of_a_movie_is_none_before_it_is_rated(world: World) -> None:
    assert ratings.rating_of(world.bob, 550) is None
    assert ratings.rating_of(world.bob, 278) == 3.0
    assert ratings.count_of(world.bob) == 2
