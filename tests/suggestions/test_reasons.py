"""Why a movie stands where it stands: on cards, in /api/explain and by flask why."""

import numpy as np
import pytest
from flask import Flask

from recsite import accounts, movies, ratings, suggestions
from recsite.errors import MovieNotFound, UserNotFound
from recsite.extensions import db
from recsite.storage.tables import Movie
from recsite.suggestions.ranking import read_user_ratings
from recsite.versions.active import recommender
from tests.conftest import MOVIES, TrainedWorld, World
from tests.ratings.changes import rate
from tests.web.clients import Client, Runner


def add_movie(movie_id: int) -> None:
    db.session.add(Movie(id=movie_id, title="New"))
    movies.bump_catalog()
    db.session.commit()


def why_not(user_id: int, movie_id: int) -> str | None:
    return suggestions.explain(user_id, movie_id).kept_out_by


def supported(user_id: int) -> set[int]:
    """Return the unrated movies that one of the user's ratings speaks for."""
    loaded = recommender.current()
    assert loaded is not None
    (user,) = read_user_ratings([user_id])
    movie_ids = np.array([movie[0] for movie in MOVIES if movie[0] not in user.movie_ids])
    shares = loaded.opened.ranker.own_shares(user.movie_ids, user.values, user.newer, movie_ids)
    return set(movie_ids[(shares > 0).any(axis=0)].tolist())


@pytest.mark.parametrize("user_id", (1, 2, 5, 12))
def test_the_contributions_sum_to_the_ranking_score(trained: TrainedWorld, user_id: int) -> None:
    loaded = recommender.current()
    assert loaded is not None
    ranker = loaded.opened.ranker
    given = [(movie[0], ratings.rating_of(user_id, movie[0])) for movie in MOVIES]
    rated = [(movie_id, value) for movie_id, value in given if value is not None]
    # The world's ratings are a day apart, in the order of MOVIES; all others are of one moment.
    newer = np.arange(len(rated))[::-1] if user_id in (trained.alice, trained.bob) else np.zeros(len(rated), np.int64)
    (scores,) = ranker.scores([np.array([i for i, _ in rated])], [np.array([value for _, value in rated])], [newer])

    for movie_id, score in zip(ranker.movies.ids.tolist(), scores.tolist(), strict=True):
        explanation = suggestions.explain(user_id, movie_id)

        assert explanation.score == pytest.approx(score, abs=1e-6)
        assert sum(each.share for each in explanation.contributions) == explanation.score


def test_the_strongest_contribution_comes_first(trained: TrainedWorld) -> None:
    shares = [each.share for each in suggestions.explain(trained.alice, 13).contributions]

    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)


def test_a_contribution_is_an_own_rating(trained: TrainedWorld) -> None:
    found = suggestions.explain(trained.bob, 949).contributions

    assert {(each.title, each.rating) for each in found} == {("Pulp Fiction", 4.0), ("The Shawshank Redemption", 3.0)}


@pytest.mark.both_databases
def test_a_movie_in_the_list_has_its_rank_and_its_value(trained: TrainedWorld) -> None:
    for rank, item in enumerate(suggestions.best_for(trained.bob).items, start=1):
        explanation = suggestions.explain(trained.bob, item.movie_id)

        assert (explanation.rank, explanation.kept_out_by) == (rank, None)
        assert explanation.prediction is not None
        assert explanation.prediction.value == pytest.approx(item.value, abs=1e-12)


@pytest.mark.both_databases
def test_a_rated_movie_is_kept_out_by_its_rating(trained: TrainedWorld) -> None:
    explanation = suggestions.explain(trained.alice, 278)

    assert (explanation.rank, explanation.kept_out_by) == (None, "the user rated it 4.5")


@pytest.mark.both_databases
@pytest.mark.parametrize("movie_id", (278, 13))
def test_a_hidden_movie_is_kept_out_as_hidden_even_if_it_is_rated(trained: TrainedWorld, movie_id: int) -> None:
    movies.hide(movie_id)

    assert why_not(trained.alice, movie_id) == "the movie is hidden"


def test_a_movie_can_be_kept_out_because_the_ranker_does_not_cover_it(app: Flask, trained: TrainedWorld) -> None:
    app.config.update(SUGGESTIONS_PER_USER=4, RANKER_FLOOR=0)
    add_movie(1)

    explanation = suggestions.explain(trained.bob, 1)

    assert explanation.kept_out_by is not None
    assert "the ranker does not cover it, which takes 5 ratings" in explanation.kept_out_by
    assert (explanation.rank, explanation.score, explanation.contributions) == (5, None, ())


def test_a_movie_that_the_ranker_does_not_cover_may_still_be_in_the_list(trained: TrainedWorld) -> None:
    add_movie(1)

    assert why_not(trained.bob, 1) is None


def test_a_movie_behind_the_end_of_the_list_is_kept_out_by_its_rank(app: Flask, trained: TrainedWorld) -> None:
    app.config["RANKER_FLOOR"] = 0
    third = suggestions.best_for(trained.bob).items[2].movie_id
    app.config["SUGGESTIONS_PER_USER"] = 2

    assert why_not(trained.bob, third) == "it is at rank 3, and a list holds 2"


def test_a_movie_newer_than_the_catalogue_generation_is_kept_out(trained: TrainedWorld) -> None:
    suggestions.best_for(trained.alice)
    db.session.add(Movie(id=1, title="New"))
    db.session.commit()

    assert "added after the catalogue was last read" in (why_not(trained.bob, 1) or "")


def test_a_user_without_ratings_has_no_personal_list(trained: TrainedWorld) -> None:
    assert why_not(trained.carol, 550) == "the user has rated nothing, so no list is personal"


def test_without_a_model_nothing_is_personal(world: World) -> None:
    explanation = suggestions.explain(world.bob, 550)

    assert explanation.kept_out_by == "no model version is active"
    assert (explanation.rank, explanation.prediction, explanation.score) == (None, None, None)


def test_unknown_users_and_movies_cannot_be_explained(trained: TrainedWorld) -> None:
    with pytest.raises(UserNotFound, match="User not found"):
        suggestions.explain(99, 550)
    with pytest.raises(MovieNotFound, match="Movie not found"):
        suggestions.explain(trained.bob, 1)


def test_a_card_names_the_strongest_rating_behind_the_movie(app: Flask, trained: TrainedWorld) -> None:
    rate(trained.dave, 680, 5.0)

    page = app.test_client(user=accounts.find_user("dave")).get("/").text

    assert page.count("Because you rated Pulp Fiction 5<") == len(supported(trained.dave)) >= 4


@pytest.mark.both_databases
def test_the_response_includes_the_reason_on_request(client: Client, trained: TrainedWorld) -> None:
    rate(trained.dave, 680, 5.0)

    items = client.get(f"/api/suggestions?user_id={trained.dave}&include=reason").json["suggestions"]

    reasons = {item["id"]: item["reason"] for item in items}
    wanted = supported(trained.dave)
    assert reasons == {i: "Because you rated Pulp Fiction 5" if i in wanted else None for i in reasons}


def test_a_dislike_that_speaks_for_a_movie_is_named_as_one(app: Flask, trained: TrainedWorld) -> None:
    app.config["RANKER_FLOOR"] = 0
    rate(trained.dave, 680, 0.5)

    reasons = {item.movie_id: item.reason for item in suggestions.best_for(trained.dave).items}

    wanted = supported(trained.dave)
    assert wanted
    assert {reasons[movie_id] for movie_id in wanted} == {"Because you rated Pulp Fiction only 0.5"}
    assert {reasons[movie_id] for movie_id in reasons.keys() - wanted} == {None}


def test_the_reason_on_a_card_is_the_first_one_of_the_explanation(trained: TrainedWorld) -> None:
    (item,) = suggestions.best_for(trained.alice).items

    strongest = suggestions.explain(trained.alice, item.movie_id).contributions[0]
    assert item.reason == f"Because you rated {strongest.title} {strongest.rating:g}"


def test_lists_in_the_order_of_values_have_no_reasons(app: Flask, client: Client, trained: TrainedWorld) -> None:
    app.config["RANKING"] = "value"

    items = client.get("/api/suggestions?user_id=2&include=reason").json["suggestions"]
    explanation = suggestions.explain(trained.bob, 949)

    assert [item["reason"] for item in items] == [None] * 4
    assert (explanation.score, explanation.contributions) == (None, ())
    assert explanation.rank is not None


def test_popular_movies_have_no_reasons(client: Client, trained: TrainedWorld) -> None:
    items = client.get("/api/suggestions?user_id=3&include=reason").json["suggestions"]

    assert [item["reason"] for item in items] == [None] * 6


@pytest.mark.parametrize("path", ("/api/explain", "/api/explain/"))
def test_the_endpoint_returns_the_explanation(program: Client, trained: TrainedWorld, path: str) -> None:
    response = program.get(f"{path}?user_id=2&movie_id=949")

    answer = response.json
    assert response.status_code == 200
    assert "private" in response.headers["Cache-Control"]
    assert [*answer] == ["movie_id", "title", "rank", "prediction", "score", "contributions", "kept_out_by"]
    assert (answer["movie_id"], answer["title"], answer["kept_out_by"]) == (949, "Heat", None)
    assert [*answer["prediction"]] == ["value", "knows_user", "knows_movie"]
    assert [*answer["contributions"][0]] == ["movie_id", "title", "rating", "share"]


def test_the_api_does_not_tell_the_title_of_a_hidden_movie(trained: TrainedWorld, program: Client) -> None:
    movies.hide(949)

    response = program.get("/api/explain?user_id=2&movie_id=949")

    assert (response.status_code, response.json) == (404, {"error": "Movie not found"})


def test_a_bad_request_names_the_bad_option(program: Client, world: World, subtests: pytest.Subtests) -> None:
    for query, status, named in (
        ("movie_id=550", 400, "user_id is missing"),
        ("user_id=1", 400, "movie_id is missing"),
        ("user_id=abc&movie_id=550", 400, "user_id"),
        ("user_id=1&movie_id=0", 400, "movie_id"),
        ("user_id=1&movie_id=2147483648", 400, "movie_id"),
        ("user_id=1&movie_id=550&movie_id=13", 400, "movie_id is given more than once"),
        ("user_id=1&movie_id=550&limit=3", 400, "Unknown option 'limit'"),
        ("user_id=99&movie_id=550", 404, "User not found"),
        ("user_id=1&movie_id=551", 404, "Movie not found"),
    ):
        with subtests.test(query=query):
            response = program.get(f"/api/explain?{query}")

            assert response.status_code == status
            assert [*response.json] == ["error"]
            assert named in response.json["error"]


@pytest.mark.parametrize(("asks", "status"), ((None, 401), ("bob", 403), ("alice", 200)))
def test_reasons_belong_to_their_user_where_a_login_is_required(
    app: Flask, trained: TrainedWorld, asks: str | None, status: int
) -> None:
    app.config["API_AUTH"] = "required"
    client = app.test_client(user=accounts.find_user(asks) if asks else None)

    assert client.get("/api/explain?user_id=1&movie_id=13").status_code == status


def test_why_prints_the_rank_the_prediction_and_each_share(runner: Runner, trained: TrainedWorld) -> None:
    explanation = suggestions.explain(trained.bob, 949)
    assert explanation.prediction is not None

    result = runner.invoke(args=["why", "2", "949"])

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"Heat is at rank {explanation.rank}.",
        f"Predicted rating: {explanation.prediction.value:.2f} stars",
        f"Ranking score: {explanation.score:.4f}, of which",
        *(f"  {each.share:+.4f}  {each.title} (rated {each.rating:g})" for each in explanation.contributions),
    ]


def test_why_prints_the_rule_that_keeps_a_movie_out(runner: Runner, trained: TrainedWorld) -> None:
    first_line = runner.invoke(args=["why", "1", "550"]).output.splitlines()[0]

    assert first_line == "Fight Club is not in the list: the user rated it 5."


@pytest.mark.parametrize(
    ("args", "message"), ((("99", "550"), "User not found"), (("1", "551"), "Movie not found"), (("1", "0"), "range"))
)
def test_why_refuses_unknown_users_and_movies(
    runner: Runner, trained: TrainedWorld, args: tuple[str, str], message: str
) -> None:
    result = runner.invoke(args=["why", *args])

    assert result.exit_code != 0
    assert message in result.output
