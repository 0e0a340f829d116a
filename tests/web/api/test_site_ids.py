"""Users and movies by the site's own ids."""

import pytest
from flask import Flask

from recsite import movies
from recsite.accounts import site_ids
from recsite.extensions import db
from recsite.storage.tables import SITE_ID_IN_WORDS, Movie, User
from tests.conftest import TrainedWorld
from tests.web.clients import Client, log_in, new_client


def test_include_ids_names_the_movie_as_others_do(client: Client, scored: TrainedWorld) -> None:
    movie = db.session.get_one(Movie, 13)
    movie.imdb_id, movie.site_id = "tt0109830", "SKU-13"
    movies.bump_catalog()
    db.session.commit()

    (item,) = client.get("/api/suggestions/?user_id=1&include=ids").json["suggestions"]

    assert item["ids"] == {"tmdb": 13, "imdb": "tt0109830", "movielens": None, "site": "SKU-13"}


@pytest.fixture
def customer(trained: TrainedWorld) -> int:
    """The id of a user whom the site calls cust-42."""
    db.session.get_one(User, trained.bob).site_id = "cust-42"
    db.session.commit()
    return trained.bob


@pytest.mark.both_databases
@pytest.mark.parametrize("path", ("/api/suggestions?", "/api/ratings?", "/api/explain?movie_id=949&"))
def test_a_user_is_read_by_the_sites_id_as_by_the_number(program: Client, customer: int, path: str) -> None:
    by_number = program.get(f"{path}user_id={customer}")
    by_name = program.get(f"{path}user=cust-42")

    assert (by_number.status_code, by_name.status_code) == (200, 200)
    assert by_name.json == by_number.json


def test_a_user_who_is_not_stored_yet_reads_popular_movies(program: Client, customer: int) -> None:
    response = program.get("/api/suggestions?user=cust-43")

    assert (response.status_code, response.headers["X-Suggestion-Source"]) == (200, "popular")
    assert response.json == program.get("/api/suggestions?user_id=3").json
    assert program.get("/api/suggestions?user_id=99").status_code == 404


def test_a_user_who_is_not_stored_yet_has_rated_nothing(program: Client, customer: int) -> None:
    assert program.get("/api/ratings?user=cust-43").json == {
        "user_id": None,
        "ratings": [],
        "page": 1,
        "per_page": 20,
        "total": 0,
    }
    explanation = program.get("/api/explain?user=cust-43&movie_id=949").json
    assert explanation["kept_out_by"] == "the user has rated nothing, so no list is personal"


def test_reading_creates_nobody(program: Client, customer: int) -> None:
    for path in ("/api/suggestions?", "/api/ratings?", "/api/explain?movie_id=949&"):
        program.get(f"{path}user=cust-43")

    assert site_ids.find_user_id("cust-43") is None


@pytest.mark.parametrize("path", ("/api/suggestions?", "/api/ratings?", "/api/explain?movie_id=949&"))
def test_a_user_is_named_once(program: Client, customer: int, path: str) -> None:
    both = program.get(f"{path}user_id=1&user=cust-42")
    bad = program.get(f"{path}user=cust%2042")
    none = program.get(path)

    assert both.json == {"error": "user_id is given, and user as well; send one of them."}
    assert bad.json == {"error": f"user must be {SITE_ID_IN_WORDS}."}
    assert none.json["error"].startswith(
        "user_id is missing; it must be a whole number from 1 to 2147483647. Or send user"
    )
    assert {response.status_code for response in (both, bad, none)} == {400}


def test_a_login_reads_its_own_by_the_sites_id_and_no_others(app: Flask, customer: int) -> None:
    app.config["API_AUTH"] = "required"
    bob = log_in(app, customer)

    assert bob.get("/api/suggestions?user=cust-42").status_code == 200
    # The answer does not tell whether the site has such a user.
    assert bob.get("/api/suggestions?user=cust-43").status_code == 403
    assert new_client(app).get("/api/suggestions?user=cust-42").status_code == 401


@pytest.mark.parametrize("ref", ("site:SKU-12", "imdb:tt0113277", "tmdb:949", "movielens:6"))
def test_a_movie_is_named_by_any_of_its_ids(program: Client, customer: int, ref: str) -> None:
    heat = db.session.get_one(Movie, 949)
    heat.imdb_id, heat.movielens_id, heat.site_id = "tt0113277", 6, "SKU-12"
    db.session.commit()

    response = program.get("/api/explain", query_string={"user_id": customer, "movie": ref})

    assert response.json["title"] == "Heat"


@pytest.mark.parametrize(("ref", "status"), (("site:SKU-99", 404), ("SKU-99", 400), ("", 400)))
def test_a_movie_that_is_not_there_is_a_404_and_what_is_no_id_a_400(
    program: Client, customer: int, ref: str, status: int
) -> None:
    response = program.get("/api/explain", query_string={"user_id": customer, "movie": ref})

    assert response.status_code == status
