"""The pages of movies: search and orders, one movie, rating it, and one card after another."""

import pytest
from flask import Flask

from recsite import movies, ratings, suggestions
from recsite.errors import MovieNotFound
from recsite.extensions import db
from recsite.movies import searching
from recsite.storage.tables import Movie, User
from recsite.web.site.response_headers import general_headers
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client, log_in

HTMX = {"HX-Request": "true"}


@pytest.fixture
def carol(app: Flask, world: World) -> Client:
    """Carol's browser, logged in."""
    return log_in(app, world.carol)


def found(sort: str, query: str | None = None, genre: str | None = None) -> list[int]:
    """Return the ids that the search finds, in its order."""
    only = movies.MovieFilter(genres=(genre,) if genre else ())
    return [movie.id for movie in movies.search(query, sort, page=1, per_page=50, only=only).items]


def change_movie(movie_id: int, **columns: object) -> None:
    movie = db.session.get_one(Movie, movie_id)
    for name, value in columns.items():
        setattr(movie, name, value)
    db.session.commit()


@pytest.mark.both_databases
def test_movies_come_in_the_order_asked_for(world: World, subtests: pytest.Subtests) -> None:
    for sort, expected in (
        ("popular", [278, 680, 550, 862, 949, 13]),
        ("unpopular", [13, 550, 862, 949, 278, 680]),
        ("top-rated", [680, 550, 949, 278, 862, 13]),
        ("low-rated", [862, 278, 949, 550, 680, 13]),
        ("recent", [550, 949, 862, 278, 680, 13]),
        ("old", [13, 680, 278, 862, 949, 550]),
    ):
        with subtests.test(sort=sort):
            movies.refresh_averages()

            assert found(sort) == expected


@pytest.mark.both_databases
def test_a_movie_without_the_figure_comes_last_either_way(world: World, subtests: pytest.Subtests) -> None:
    for sort in ("recent", "old", "top-rated", "low-rated"):
        with subtests.test(sort=sort):
            movies.refresh_averages()
            change_movie(13, release_date=None)

            assert found(sort)[-1] == 13


def test_every_order_has_a_label(world: World) -> None:
    assert set(movies.SORTS) == set(searching.ORDERS)


@pytest.mark.both_databases
def test_a_search_finds_any_part_of_a_title_in_any_case(world: World, subtests: pytest.Subtests) -> None:
    for query, expected in (
        ("FICTION", [680]),
        ("club", [550]),
        ("y s", [862]),
        ("%", []),
        ("_", []),
        ("", 6),
        (None, 6),
    ):
        with subtests.test(query=query):
            movie_ids = found("popular", query)

            assert movie_ids == expected if isinstance(expected, list) else len(movie_ids) == expected


@pytest.mark.both_databases
def test_a_percent_sign_in_a_search_stands_for_itself(world: World) -> None:
    change_movie(13, title="100% Wolf_")

    assert found("popular", "0% w") == [13]
    assert found("popular", "f_") == [13]


@pytest.mark.both_databases
def test_a_genre_is_matched_as_a_whole(world: World, subtests: pytest.Subtests) -> None:
    for genre, expected in (("Comedy", [13, 862]), ("comedy", [13, 862]), ("Com", []), ("War", [])):
        with subtests.test(genre=genre):
            assert sorted(found("popular", genre=genre)) == expected


@pytest.mark.both_databases
def test_a_hidden_movie_is_shown_nowhere(client: Client, world: World) -> None:
    change_movie(862, is_hidden=True)

    assert 862 not in found("popular")
    assert "Animation" not in movies.genres()
    assert client.get("/movies/862/").status_code == 404
    with pytest.raises(MovieNotFound, match="Movie not found"):
        movies.get_visible(862)


@pytest.mark.both_databases
def test_genres_are_listed_once_and_in_order(world: World) -> None:
    names = movies.genres()

    assert names == ["Action", "Animation", "Comedy", "Crime", "Drama", "Family", "Romance", "Thriller"]


def test_a_page_knows_where_it_stands(world: World) -> None:
    second = movies.search(None, "old", page=2, per_page=4)

    assert (len(second.items), second.total, second.pages) == (2, 6, 2)
    assert (second.has_previous, second.has_next) == (True, False)


def test_the_list_page_finds_movies(client: Client, world: World) -> None:
    page = client.get("/movies/?q=pulp&genre=Crime&sort=old").text

    assert "Pulp Fiction" in page
    assert "Fight Club" not in page
    assert 'value="pulp"' in page


def test_a_page_that_finds_nothing_says_so(client: Client, world: World) -> None:
    response = client.get("/movies/?q=no+such+movie")

    assert response.status_code == 200
    assert "No movie fits" in response.text


@pytest.mark.parametrize("query", ("sort=best", "page=0", "page=x", "q=%00", "q=a&q=b", "q=" + "x" * 201))
def test_a_bad_option_of_the_list_page_is_named(client: Client, world: World, query: str) -> None:
    response = client.get(f"/movies/?{query}")

    assert response.status_code == 400
    assert f"{query.partition('=')[0]} " in response.text


def test_titles_are_escaped(client: Client, world: World) -> None:
    change_movie(550, title="<script>alert(1)</script>", overview='"><b>bold', genres='"><i>|Drama')

    for path in ("/movies/", "/movies/550/", "/"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert '"><b>bold' not in page
        assert '"><i>' not in page


def test_the_page_of_a_movie_shows_it(client: Client, world: World) -> None:
    page = client.get("/movies/550/").text

    assert "Fight Club" in page
    assert "1999" in page
    assert "An insomniac and a soap maker found a club." in page


def test_the_page_of_a_movie_shows_my_rating(app: Flask, world: World) -> None:
    alice = app.test_client(user=db.session.get_one(User, world.alice))

    assert "You gave it 1.5" in alice.get("/movies/862/").text


def test_the_page_of_a_movie_leads_to_similar_ones(client: Client, trained: TrainedWorld) -> None:
    similar = suggestions.similar_to(550, 6)

    page = client.get("/movies/550/").text

    assert similar
    assert all(f'href="/movies/{movie.id}/"' in page for movie in similar)


def test_without_a_model_the_page_of_a_movie_has_no_similar_ones(client: Client, world: World) -> None:
    assert "also like" not in client.get("/movies/550/").text


@pytest.mark.parametrize("movie_id", ("551", "0", "-1", "2147483648", "9" * 5000, "x"))
def test_a_movie_that_does_not_exist_is_a_404(client: Client, world: World, movie_id: str) -> None:
    assert client.get(f"/movies/{movie_id}/").status_code == 404


def test_rating_without_javascript_leads_back_to_the_page(carol: Client, world: World) -> None:
    response = carol.post("/movies/550/rate", data={"value": "4.5", "next": "/movies/?page=1"})

    assert (response.status_code, response.location) == (303, "/movies/?page=1")
    assert ratings.rating_of(world.carol, 550) == 4.5


@pytest.mark.parametrize(
    "next_path", ("//evil.example", "https://evil.example/", "/\\evil.example", "/\t/evil.example", "x")
)
def test_rating_never_leads_to_another_site(carol: Client, world: World, next_path: str) -> None:
    response = carol.post("/movies/550/rate", data={"value": "4.5", "next": next_path})

    assert response.location == "/movies/550/"


def test_rating_under_htmx_answers_the_stars_and_tells_the_page(carol: Client, world: World) -> None:
    response = carol.post("/movies/550/rate", data={"value": "4.5"}, headers=HTMX)

    assert response.headers["HX-Trigger"] == "rated"
    assert response.text.lstrip().startswith("<form")
    assert "You gave it 4.5" in response.text


def test_a_rating_counts_at_once_on_the_home_page(app: Flask, trained: TrainedWorld) -> None:
    dave = app.test_client(user=db.session.get_one(User, trained.dave))

    dave.post("/movies/550/rate", data={"value": "5.0"})

    listed = dave.get("/", headers=HTMX).text
    assert "Personal" in listed
    assert 'href="/movies/13/"' in listed
    assert 'href="/movies/550/"' not in listed


def test_taking_a_rating_back_a_second_time_is_no_error(app: Flask, world: World) -> None:
    alice = app.test_client(user=db.session.get_one(User, world.alice))

    statuses = [alice.post("/movies/550/unrate").status_code for _ in range(2)]

    assert statuses == [303, 303]
    assert ratings.rating_of(world.alice, 550) is None


def test_a_bad_value_in_the_form_is_a_400_that_names_it(carol: Client, world: World, subtests: pytest.Subtests) -> None:
    for value in ("", "x", "NaN", "1e400", "4.7", "４", "9" * 5000, "\0"):
        with subtests.test(value=value):
            response = carol.post("/movies/550/rate", data={"value": value})

            assert response.status_code == 400
            assert "value " in response.text


@pytest.mark.parametrize("path", ("/movies/550/rate", "/movies/550/unrate", "/movies/550/skip", "/accounts/logout/"))
def test_no_get_changes_anything(carol: Client, world: World, path: str) -> None:
    assert carol.get(path).status_code == 405


def test_every_answer_keeps_scripts_and_frames_of_others_out(client: Client, world: World) -> None:
    headers = client.get("/movies/").headers

    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    "path", ("/", "/movies/", "/movies/550/", "/movies/popular/", "/accounts/login/", "/accounts/signup/")
)
def test_pages_need_nothing_that_the_security_policy_forbids(client: Client, world: World, path: str) -> None:
    page = client.get(path).text

    for forbidden in ("<style", " style=", "javascript:", " onclick=", "<script>", 'src="http', 'href="http'):
        assert forbidden not in page


def test_posters_are_drawn_unless_the_site_says_where_pictures_are(app: Flask, client: Client, world: World) -> None:
    change_movie(550, poster_path="/pB8BM7pdSp6B6Ih7QZ4DrQ3PmJK.jpg")
    drawn = client.get("/movies/550/").text

    app.config["TMDB_IMAGES"] = "https://image.tmdb.org/t/p/w342"
    fetched = client.get("/movies/550/").text

    assert "<img" not in drawn
    assert 'src="https://image.tmdb.org/t/p/w342/pB8BM7pdSp6B6Ih7QZ4DrQ3PmJK.jpg"' in fetched


@pytest.mark.parametrize(
    ("posters", "policy"),
    (("", "img-src 'self';"), ("https://image.tmdb.org/t/p/w342", "img-src 'self' https://image.tmdb.org;")),
)
def test_pictures_come_from_where_posters_are_and_from_nowhere_else(posters: str, policy: str) -> None:
    assert policy in dict(general_headers(posters))["Content-Security-Policy"]


def test_a_movie_without_a_poster_is_drawn_where_others_have_pictures(app: Flask, client: Client, world: World) -> None:
    app.config["TMDB_IMAGES"] = "https://image.tmdb.org/t/p/w342"

    assert "<img" not in client.get("/movies/550/").text
