"""The filters of lists, which are the same for suggestions and for movies."""

from datetime import date

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import movies, suggestions
from recsite.extensions import db
from recsite.storage.tables import Movie
from tests.conftest import TrainedWorld
from tests.web.clients import Client, ids

LISTS = ("/api/suggestions?user_id=2", "/api/suggestions?user_id=3", "/api/movies?sort=old")
"A personal list, one of popular movies, and a search. Bob, user 2, has rated 278 and 680."
FILTERS: tuple[tuple[str, set[int]], ...] = (
    ("years=1995-1999", {550, 949, 862}),
    ("years=1999-1995", {550, 949, 862}),
    ("years=1995", {949, 862}),
    ("genre=Comedy,Action", {949, 862, 13}),
    ("genre=comedy", {862, 13}),
    ("without_genre=Crime,family", {550, 13}),
    ("genre=Drama&without_genre=Crime", {550, 13}),
    ("exclude=550,13", {278, 680, 949, 862}),
    ("years=1994&genre=Comedy&exclude=278", {13}),
    ("genre=Com", set()),
    ("years=2001", set()),
    ("fewest_ratings=0", {550, 278, 949, 862, 680, 13}),
)
OF_BOB = {278, 680}


@pytest.mark.both_databases
def test_a_filter_keeps_the_movies_that_it_describes(
    app: Flask, client: Client, scored: TrainedWorld, subtests: pytest.Subtests
) -> None:
    for path in LISTS:
        with subtests.test(path=path):
            app.config["SEARCHES_PER_MINUTE"] = 0
            for query, expected in FILTERS:
                found = ids(client.get(f"{path}&{query}"))
                assert (query, set(found)) == (query, expected - OF_BOB if "user_id=2" in path else expected)


@pytest.mark.both_databases
@pytest.mark.parametrize("path", LISTS)
def test_movies_with_few_ratings_are_left_out_on_request(client: Client, scored: TrainedWorld, path: str) -> None:
    counts = {movie.id: movie.rating_count for movie in db.session.scalars(sa.select(Movie))}
    most = max(counts.values())

    found = ids(client.get(f"{path}&fewest_ratings={most}"))

    expected = {movie_id for movie_id, count in counts.items() if count >= most}
    assert set(found) == (expected - OF_BOB if "user_id=2" in path else expected)


@pytest.mark.both_databases
def test_a_filter_reaches_beyond_the_stored_list(client: Client, scored: TrainedWorld) -> None:
    suggestions.rescore([2], top=1)
    (stored,) = ids(client.get(LISTS[0]))

    assert len(ids(client.get(f"{LISTS[0]}&exclude={stored}&limit=3"))) == 3


@pytest.mark.both_databases
def test_a_filter_holds_for_stored_rows_where_no_version_is_loaded(client: Client, scored: TrainedWorld) -> None:
    db.session.execute(sa.text("UPDATE model_versions SET is_active = false"))
    db.session.commit()
    suggestions.warm_up()

    assert set(ids(client.get(f"{LISTS[0]}&genre=Comedy&exclude=13"))) == {862}


BAD = {
    "years=95": "years must be a year or two years, such as 1990-1999.",
    "years=1995-": "years must be a year or two years, such as 1990-1999.",
    "years=1995-1996-1997": "years must be a year or two years, such as 1990-1999.",
    "years=١٩٩٥": "years must be a year or two years, such as 1990-1999.",
    "genre=Drama,": "genre must be a list of at most 10, joined by commas, each a name of 1 to 100 characters",
    "genre=" + ",".join("abcdefghijk"): "genre must be a list of at most 10, joined by commas, each a name of 1 to 100",
    "without_genre=%00": "without_genre must be a list of at most 10, joined by commas, each a name of 1 to 100",
    "fewest_ratings=-1": "fewest_ratings must be a whole number from 0 to 1000000000.",
    "fewest_ratings=1.5": "fewest_ratings must be a whole number from 0 to 1000000000.",
}


@pytest.mark.parametrize("path", (LISTS[0], LISTS[2]))
def test_a_filter_that_makes_no_sense_is_named(client: Client, scored: TrainedWorld, path: str) -> None:
    for query, expected in BAD.items():
        response = client.get(f"{path}&{query}")
        assert response.status_code == 400
        assert expected in response.json["error"]


@pytest.mark.both_databases
def test_the_page_of_movies_offers_the_decades_of_its_movies(client: Client, scored: TrainedWorld) -> None:
    db.session.get_one(Movie, 13).release_date = None
    db.session.get_one(Movie, 862).release_date = date(2011, 6, 18)
    db.session.commit()

    assert movies.decades() == [(2010, 2019), (2000, 2009), (1990, 1999)]
    page = client.get("/movies/?years=2010-2019").text
    assert '<option value="2010-2019" selected>2010s</option>' in page
    assert "Toy Story" in page
    assert "Fight Club" not in page


def test_a_site_without_movies_has_no_decades(app: Flask) -> None:
    assert movies.decades() == []
