"""The bundled sample: true films, simulated ratings."""

import re
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest

from recsite.ratings.importers import sample

Rating = tuple[int, int, float, datetime]

# fmt: off
TMDB_GENRES = {
    "Action", "Adventure", "Animation", "Comedy", "Crime", "Documentary", "Drama", "Family", "Fantasy", "History",
    "Horror", "Music", "Mystery", "Romance", "Science Fiction", "Thriller", "War", "Western",
}
# fmt: on


@pytest.fixture(scope="module")
def movies() -> list[sample.SampleMovie]:
    return sample.sample_movies()


@pytest.fixture(scope="module")
def ratings() -> list[Rating]:
    return sample.simulated_ratings(seed=1)


def test_the_sample_holds_about_two_hundred_films(movies: list[sample.SampleMovie]) -> None:
    assert 200 <= len(movies) <= 220


def test_a_film_is_read_with_all_its_columns(movies: list[sample.SampleMovie]) -> None:
    fight_club = next(movie for movie in movies if movie.movie_id == 550)

    assert (fight_club.title, fight_club.release_date) == ("Fight Club", date(1999, 10, 15))
    assert (fight_club.genres, fight_club.movielens_id, fight_club.imdb_id) == (("Drama",), 2959, "tt0137523")


def test_a_film_unknown_to_movielens_has_no_movielens_id(movies: list[sample.SampleMovie]) -> None:
    parasite = next(movie for movie in movies if movie.movie_id == 496243)

    assert parasite.movielens_id is None


@pytest.mark.parametrize("column", ("movie_id", "movielens_id", "imdb_id", "overview"))
def test_no_two_films_share_a_value(movies: list[sample.SampleMovie], column: str) -> None:
    values = [getattr(movie, column) for movie in movies if getattr(movie, column) is not None]

    assert len(values) == len(set(values))


def test_every_decade_from_the_1920s_to_the_2020s_has_films_oldest_first(movies: list[sample.SampleMovie]) -> None:
    dates = [movie.release_date for movie in movies]

    assert dates == sorted(dates)
    assert {day.year // 10 * 10 for day in dates} == set(range(1920, 2030, 10))


def test_every_genre_is_one_of_tmdbs_and_has_films(movies: list[sample.SampleMovie]) -> None:
    assert {genre for movie in movies for genre in movie.genres} == TMDB_GENRES


def test_every_film_has_a_short_overview(movies: list[sample.SampleMovie]) -> None:
    assert [movie.title for movie in movies if not 120 <= len(movie.overview) <= 260] == []


def test_every_imdb_id_is_well_formed(movies: list[sample.SampleMovie]) -> None:
    assert [movie.title for movie in movies if not re.fullmatch(r"tt\d{7,8}", movie.imdb_id or "")] == []


def test_the_same_seed_gives_the_same_ratings() -> None:
    assert sample.simulated_ratings(seed=7, users=20) == sample.simulated_ratings(seed=7, users=20)


def test_another_seed_gives_other_ratings() -> None:
    assert sample.simulated_ratings(seed=7, users=20) != sample.simulated_ratings(seed=8, users=20)


def test_without_users_there_is_nothing_to_simulate() -> None:
    with pytest.raises(ValueError, match="by 0 users"):
        sample.simulated_ratings(seed=1, users=0)


def test_user_ids_run_from_one_to_users() -> None:
    assert {user_id for user_id, *_ in sample.simulated_ratings(seed=1, users=30)} == set(range(1, 31))


def test_ratings_are_half_stars_from_a_half_to_five(ratings: list[Rating]) -> None:
    assert {value for _, _, value, _ in ratings} == {half / 2 for half in range(1, 11)}


def test_nobody_rates_a_film_twice(ratings: list[Rating]) -> None:
    assert len({(user_id, movie_id) for user_id, movie_id, *_ in ratings}) == len(ratings)


def test_only_films_of_the_sample_are_rated(ratings: list[Rating], movies: list[sample.SampleMovie]) -> None:
    assert {movie_id for _, movie_id, *_ in ratings} <= {movie.movie_id for movie in movies}


def test_nobody_rates_a_film_before_its_release(ratings: list[Rating], movies: list[sample.SampleMovie]) -> None:
    released = {movie.movie_id: movie.release_date for movie in movies}

    assert all(released[movie_id] <= when.date() for _, movie_id, _, when in ratings)


def test_each_persons_ratings_follow_one_another_in_time(ratings: list[Rating]) -> None:
    assert all(one[3] < next_one[3] for one, next_one in pairwise(ratings) if one[0] == next_one[0])


def test_times_are_utc_and_end_before_the_fixed_last_moment(ratings: list[Rating]) -> None:
    assert {when.tzinfo for *_, when in ratings} == {UTC}
    assert max(when for *_, when in ratings) < sample.LAST_MOMENT


def test_most_people_rate_few_films_and_some_rate_many(ratings: list[Rating]) -> None:
    counts = sorted(Counter(user_id for user_id, *_ in ratings).values())

    assert sample.FEWEST_RATINGS <= counts[0] <= counts[-1] <= sample.MOST_RATINGS
    assert np.median(counts) < np.mean(counts) < counts[-1] / 2


def test_the_mean_is_about_three_and_a_half_and_the_deviation_about_one(ratings: list[Rating]) -> None:
    values = [value for _, _, value, _ in ratings]

    assert np.mean(values) == pytest.approx(3.5, abs=0.15)
    assert np.std(values) == pytest.approx(1.0, abs=0.1)


def test_a_tenth_of_the_films_draws_a_quarter_of_the_ratings(ratings: list[Rating]) -> None:
    counts = sorted(Counter(movie_id for _, movie_id, *_ in ratings).values(), reverse=True)

    assert sum(counts[: len(counts) // 10]) > len(ratings) / 4


def test_films_that_go_together_for_half_the_people_do_so_for_the_others(ratings: list[Rating]) -> None:
    movie_ids = sorted({movie_id for _, movie_id, *_ in ratings})
    stars = np.full((500, len(movie_ids)), np.nan)  # (users, movies), nan where not rated
    for user_id, movie_id, value, _ in ratings:
        stars[user_id - 1, movie_ids.index(movie_id)] = value
    # Without what a person gives on average and what a film gets, taste and noise are left.
    leaning = stars - np.nanmean(stars, axis=1, keepdims=True)
    leaning = np.nan_to_num(leaning - np.nanmean(leaning, axis=0))

    together = [half.T @ half for half in (leaning[::2], leaning[1::2])]
    pairs = np.triu_indices(len(movie_ids), k=1)
    agreement = np.corrcoef(together[0][pairs], together[1][pairs])[0, 1]

    assert agreement > 0.2
