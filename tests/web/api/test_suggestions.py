"""GET /api/suggestions: its shape, its options, its errors, and that no answer is out of date."""

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, movies, suggestions, versions
from recsite.extensions import cache, db
from recsite.storage.tables import Movie, Suggestion
from recsite.versions import training
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import rate, unrate
from tests.web.clients import Client, ids


@pytest.mark.parametrize("path", ("/api/suggestions", "/api/suggestions/"))
def test_the_answer_has_exactly_these_keys_with_and_without_slash(
    client: Client, scored: TrainedWorld, path: str
) -> None:
    response = client.get(f"{path}?user_id=1")

    assert response.status_code == 200
    assert response.json == {
        "suggestions": [{"id": 13, "title": "Forrest Gump", "overview": "A man runs through history."}]
    }


@pytest.mark.both_databases
def test_the_best_comes_first(client: Client, scored: TrainedWorld) -> None:
    response = client.get("/api/suggestions/?user_id=2")

    rows = db.session.scalars(sa.select(Suggestion.movie_id).filter_by(user_id=2).order_by(Suggestion.rank)).all()
    assert ids(response) == list(rows)
    assert len(rows) == 4


def test_the_answer_names_its_version_and_source(client: Client, scored: TrainedWorld) -> None:
    response = client.get("/api/suggestions/?user_id=2")

    assert response.headers["X-Model-Version"] == scored.version_name
    assert response.headers["X-Suggestion-Source"] == "model"
    assert "private" in response.headers["Cache-Control"]


def test_popular_movies_answer_where_nothing_is_known(client: Client, scored: TrainedWorld) -> None:
    response = client.get("/api/suggestions/?user_id=3")

    best_liked = db.session.scalars(sa.select(Movie.id).order_by(Movie.score.desc(), Movie.id)).all()
    assert response.headers["X-Suggestion-Source"] == "popular"
    assert ids(response) == list(best_liked)


def test_no_model_yet_is_a_normal_state(client: Client, world: World) -> None:
    movies.refresh_averages()
    db.session.commit()

    response = client.get("/api/suggestions/?user_id=1")

    assert response.headers["X-Suggestion-Source"] == "popular"
    assert "X-Model-Version" not in response.headers
    assert ids(response) == [13]  # all that alice has not rated


@pytest.mark.both_databases
def test_rows_that_another_program_wrote_are_served(client: Client, world: World) -> None:
    for rank, movie_id in enumerate((862, 13), start=1):
        db.session.add(Suggestion(user_id=2, movie_id=movie_id, value=4.0, rank=rank))
    db.session.commit()

    assert ids(client.get("/api/suggestions/?user_id=2")) == [862, 13]


@pytest.mark.both_databases
def test_inactive_and_rated_rows_are_not_served(client: Client, scored: TrainedWorld) -> None:
    first, second, *rest = ids(client.get("/api/suggestions/?user_id=2"))
    db.session.execute(sa.update(Suggestion).where(Suggestion.movie_id == first).values(active=False))
    db.session.execute(sa.update(Suggestion).where(Suggestion.movie_id == second).values(did_rate=True))
    db.session.commit()
    cache.clear()

    assert ids(client.get("/api/suggestions/?user_id=2")) == rest


def test_htmx_gets_the_snippet_of_the_same_list(client: Client, scored: TrainedWorld) -> None:
    response = client.get("/api/suggestions/?user_id=1", headers={"HX-Request": "true"})

    assert response.mimetype == "text/html"
    assert "HX-Request" in response.headers["Vary"]
    assert "Forrest Gump" in response.text
    assert "<html" not in response.text


def test_both_representations_are_cached_apart(client: Client, scored: TrainedWorld) -> None:
    client.get("/api/suggestions/?user_id=1")

    assert client.get("/api/suggestions/?user_id=1", headers={"HX-Request": "true"}).mimetype == "text/html"
    assert client.get("/api/suggestions/?user_id=1").mimetype == "application/json"


def test_a_second_answer_comes_from_the_cache(client: Client, scored: TrainedWorld) -> None:
    before = ids(client.get("/api/suggestions/?user_id=2"))
    # Behind recsite's back: no generation goes up, so only an answer from the database would notice.
    db.session.execute(sa.update(Suggestion).values(active=False))
    db.session.commit()

    assert ids(client.get("/api/suggestions/?user_id=2")) == before


@pytest.mark.both_databases
def test_a_rating_leaves_the_movie_out_of_the_next_answer(client: Client, scored: TrainedWorld) -> None:
    first = ids(client.get("/api/suggestions/?user_id=2"))[0]

    rate(2, first, 4.0)

    response = client.get("/api/suggestions/?user_id=2")
    assert first not in ids(response)
    assert response.headers["X-Suggestion-Source"] == "fold-in"


@pytest.mark.both_databases
def test_a_rating_taken_back_brings_the_movie_back(client: Client, scored: TrainedWorld) -> None:
    first = ids(client.get("/api/suggestions/?user_id=2"))[0]
    rate(2, first, 4.0)
    ids(client.get("/api/suggestions/?user_id=2"))

    unrate(2, first)

    assert first in ids(client.get("/api/suggestions/?user_id=2"))


@pytest.mark.both_databases
def test_a_new_users_first_rating_makes_the_list_personal(client: Client, scored: TrainedWorld) -> None:
    assert client.get("/api/suggestions/?user_id=4").headers["X-Suggestion-Source"] == "popular"

    rate(4, 550, 5.0)

    response = client.get("/api/suggestions/?user_id=4&include=value")
    assert response.headers["X-Suggestion-Source"] == "fold-in"
    values = [item["value"] for item in response.json["suggestions"]]
    assert values == sorted(values, reverse=True)


def test_an_activation_shows_in_the_next_answer(client: Client, scored: TrainedWorld) -> None:
    client.get("/api/suggestions/?user_id=2")
    name = training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=5)).version_name

    versions.activate(name, "the tests")

    assert client.get("/api/suggestions/?user_id=2").headers["X-Model-Version"] == name


def test_a_score_run_shows_in_the_next_answer(client: Client, scored: TrainedWorld) -> None:
    client.get("/api/suggestions/?user_id=2")

    suggestions.rescore([2], top=1)

    assert len(ids(client.get("/api/suggestions/?user_id=2"))) == 1


def test_a_hidden_movie_leaves_every_list_at_once(client: Client, scored: TrainedWorld) -> None:
    assert ids(client.get("/api/suggestions/?user_id=1")) == [13]
    db.session.get_one(Movie, 13).is_hidden = True
    movies.bump_catalog()
    db.session.commit()

    assert ids(client.get("/api/suggestions/?user_id=1")) == []


def test_include_adds_keys(client: Client, scored: TrainedWorld) -> None:
    response = client.get("/api/suggestions/?user_id=1&include=value,genres,release_date,poster,reason")

    (item,) = response.json["suggestions"]
    assert item.keys() == {"id", "title", "overview", "value", "genres", "release_date", "poster", "reason"}
    assert (item["release_date"], item["genres"]) == ("1994-07-06", ["Comedy", "Drama", "Romance"])
    assert 0.5 <= item["value"] <= 5.0


def test_limit_and_offset_cut_the_list(client: Client, scored: TrainedWorld) -> None:
    everything = ids(client.get("/api/suggestions/?user_id=2"))

    assert ids(client.get("/api/suggestions/?user_id=2&limit=2&offset=1")) == everything[1:3]
    assert ids(client.get("/api/suggestions/?user_id=2&offset=9")) == []


@pytest.mark.both_databases
def test_genre_and_exclude_leave_movies_out(client: Client, scored: TrainedWorld) -> None:
    assert set(ids(client.get("/api/suggestions/?user_id=2&genre=Comedy"))) == {862, 13}
    assert set(ids(client.get("/api/suggestions/?user_id=2&genre=Comedy&exclude=13,550"))) == {862}
    assert ids(client.get("/api/suggestions/?user_id=2&genre=Com")) == []


@pytest.mark.both_databases
def test_a_short_stored_list_is_filled_where_a_genre_is_asked_for(client: Client, scored: TrainedWorld) -> None:
    suggestions.rescore([2], top=1)

    assert set(ids(client.get("/api/suggestions/?user_id=2&genre=Comedy"))) == {862, 13}


@pytest.mark.both_databases
def test_the_personal_order_is_kept_unless_another_is_asked_for(client: Client, scored: TrainedWorld) -> None:
    db.session.execute(sa.update(Suggestion).where(Suggestion.user_id == 2).values(rank=10 - Suggestion.rank))
    db.session.commit()

    by_rank = ids(client.get("/api/suggestions/?user_id=2"))
    by_value = client.get("/api/suggestions/?user_id=2&include=value&sort=value").json["suggestions"]
    by_score = ids(client.get("/api/suggestions/?user_id=2&sort=score"))

    stored = sa.select(Suggestion.movie_id).filter_by(user_id=2).order_by(Suggestion.rank)
    assert by_rank == list(db.session.scalars(stored))
    values = [item["value"] for item in by_value]
    assert values == sorted(values, reverse=True)
    scores = [db.session.get_one(Movie, movie_id).score or 0 for movie_id in by_score]
    assert scores == sorted(scores, reverse=True)


BAD = (
    ("", 400, "user_id is missing"),
    ("user_id=", 400, "user_id"),
    ("user_id=abc", 400, "user_id"),
    ("user_id=1&user_id=2", 400, "user_id is given more than once"),
    ("user_id=0", 400, "user_id"),
    ("user_id=-1", 400, "user_id"),
    ("user_id=1.5", 400, "user_id"),
    ("user_id=%EF%BC%91", 400, "user_id"),  # a full-width digit one
    ("user_id=2147483648", 400, "user_id"),
    ("user_id=99999999999999999999999", 400, "user_id"),
    ("user_id=1%00", 400, "user_id"),
    ("user_id=99", 404, "User not found"),
    ("user_id=1&limit=0", 400, "limit"),
    ("user_id=1&limit=101", 400, "limit"),
    ("user_id=1&offset=-1", 400, "offset"),
    ("user_id=1&include=overview", 400, "include"),
    ("user_id=1&exclude=1,x", 400, "exclude"),
    ("user_id=1&exclude=" + "1," * 3000 + "1", 400, "exclude"),
    ("user_id=1&sort=rank", 400, "sort"),
    ("user_id=1&genre=%00", 400, "genre"),
    ("user_id=1&limt=5", 400, "limt"),
)


def test_a_bad_request_is_told_which_option_is_bad(client: Client, world: World, subtests: pytest.Subtests) -> None:
    for query, status, named in BAD:
        with subtests.test(query=query):
            response = client.get(f"/api/suggestions/?{query}")

            assert response.status_code == status
            assert response.json.keys() == {"error"}
            assert named in response.json["error"]


def test_changing_methods_are_refused(client: Client, world: World) -> None:
    response = client.put("/api/suggestions/?user_id=1")

    assert response.status_code == 405
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))
    assert response.json.keys() == {"error"}


def test_a_client_that_has_the_answer_gets_a_304_until_it_changes(client: Client, scored: TrainedWorld) -> None:
    etag = client.get("/api/suggestions/?user_id=2").headers["ETag"]

    assert client.get("/api/suggestions/?user_id=2", headers={"If-None-Match": etag}).status_code == 304

    rate(2, 862, 3.0)
    assert client.get("/api/suggestions/?user_id=2", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(("asks", "status"), (("nobody", 401), ("bob", 403), ("alice", 200), ("admin", 200)))
def test_a_list_belongs_to_its_user_where_a_login_is_required(
    app: Flask, scored: TrainedWorld, asks: str, status: int
) -> None:
    app.config["API_AUTH"] = "required"
    people = {
        "nobody": None,
        "alice": accounts.find_user("alice"),
        "bob": accounts.find_user("bob"),
        "admin": accounts.create_user("root", password="long enough 1", is_admin=True),
    }
    client = app.test_client(user=people[asks])

    assert client.get("/api/suggestions/?user_id=1").status_code == status


def test_a_token_reads_every_list(app: Flask, client: Client, scored: TrainedWorld) -> None:
    app.config["API_AUTH"] = "required"
    token = accounts.create_token(accounts.find_user("bob"))

    response = client.get("/api/suggestions/?user_id=1", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 200
