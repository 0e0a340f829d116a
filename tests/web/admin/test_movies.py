"""What admins do to movies, and the log of it."""

from datetime import date

import pytest
import sqlalchemy as sa

from recsite import movies
from recsite.extensions import db
from recsite.movies import editing
from recsite.storage import audit
from recsite.storage.tables import Movie
from tests.conftest import World
from tests.web.clients import Client

HEAT = {"title": "Heat", "overview": "Coffee.", "release_date": "1995-12-15", "genres": "Crime, Drama"}


def heat() -> Movie:
    return db.session.get_one(Movie, 949)


def catalog_counter() -> int:
    return db.session.scalar(sa.text("SELECT value FROM counters WHERE name = 'catalog'")) or 0


@pytest.mark.both_databases
def test_movies_are_found_by_title_and_id_hidden_ones_too(
    admin: Client, world: World, subtests: pytest.Subtests
) -> None:
    for query, titles in (
        ("?q=heat", ["Heat"]),
        ("?q=949", ["Heat"]),
        ("?q=no+such", []),
        ("?q=100%25", []),
        ("?state=hidden", ["Toy Story"]),
        ("?state=hidden&q=heat", []),
    ):
        with subtests.test(query=query):
            movies.hide(862)

            page = admin.get(f"/admin/movies/{query}")

            assert page.status_code == 200
            assert [title for title in ("Heat", "Toy Story") if f">{title}</a>" in page.text] == titles


@pytest.mark.both_databases
def test_an_edited_movie_reads_like_that_in_every_list(admin: Client, world: World) -> None:
    before = catalog_counter()

    response = admin.post("/admin/movies/949/edit", data=HEAT | {"title": " Heat (1995) ", "release_date": ""})

    movie = heat()
    assert (response.status_code, response.location) == (303, "/admin/movies/949/")
    assert (movie.title, movie.overview, movie.release_date) == ("Heat (1995)", "Coffee.", None)
    assert movie.genre_names == ["Crime", "Drama"]
    assert catalog_counter() != before


def test_an_edit_is_logged_with_what_it_changed_and_nothing_else(admin: Client, world: World) -> None:
    same = {"overview": heat().overview, "genres": "Action, Crime, Drama"}

    admin.post("/admin/movies/949/edit", data=HEAT | same | {"release_date": "1996-01-01"})

    (entry,) = audit.entries(1, 10).items
    assert (entry.by, entry.action, entry.subject, entry.label) == ("alice", "edit movie", "949", "Heat")
    assert (entry.before, entry.after) == ({"release_date": "1995-12-15"}, {"release_date": "1996-01-01"})


def test_an_edit_that_changes_nothing_is_not_logged(admin: Client, world: World) -> None:
    same = HEAT | {"overview": heat().overview, "genres": "Action,Crime,Drama,Crime"}

    page = admin.post("/admin/movies/949/edit", data=same, follow_redirects=True)

    assert "nothing changed" in page.text
    assert audit.entries(1, 10).total == 0


def test_an_edit_that_cannot_be_is_refused_and_the_field_is_named(
    admin: Client, world: World, subtests: pytest.Subtests
) -> None:
    for field, value, says in (
        ("title", "", "title must have 1 to 500"),
        ("title", "x" * 501, "title must have 1 to 500"),
        ("overview", "x" * 5001, "overview must have at most 5,000"),
        ("release_date", "1995-02-30", "release_date must be a date"),
        ("release_date", "1995-W01-1", "release_date must be a date"),
        ("genres", "Crime|Drama", "genres must be names"),
        ("genres", ",".join(["x" * 100, "y" * 400]), "genres must have at most"),
        ("title", "a\0b", "NUL"),
    ):
        with subtests.test(field=field):
            response = admin.post("/admin/movies/949/edit", data=HEAT | {field: value})

            assert response.status_code == 400
            assert says in response.text
            assert heat().title == "Heat"
            assert heat().overview == "A thief and a detective over coffee."


@pytest.mark.both_databases
def test_hiding_and_showing_are_logged_with_a_reason_and_stand_in_the_movies_history(
    admin: Client, world: World
) -> None:
    here = {"movie_id": "949", "next": "/admin/movies/949/"}

    hidden = admin.post("/admin/movies/hide", data=here | {"reason": "the wrong film"})
    admin.post("/admin/movies/show", data=here)

    shown, first = audit.entries(1, 10, kind="movie", subject="949").items
    assert hidden.location == "/admin/movies/949/"
    assert (first.action, first.after, first.reason) == ("hide movie", {"hidden": True}, "the wrong film")
    assert (shown.action, shown.after) == ("show movie", {"hidden": False})
    assert "the wrong film" in admin.get("/admin/movies/949/").text


def test_hiding_a_hidden_movie_changes_and_logs_nothing(world: World) -> None:
    assert editing.set_hidden(949, True, "alice")
    counter = catalog_counter()

    assert not editing.set_hidden(949, True, "alice")

    assert audit.entries(1, 10).total == 1
    assert catalog_counter() == counter


@pytest.mark.parametrize("path", ("/admin/movies/551/", "/admin/movies/0/", "/admin/movies/x/"))
def test_a_movie_that_does_not_exist_has_no_page(admin: Client, path: str) -> None:
    assert admin.get(path).status_code == 404


@pytest.mark.both_databases
def test_the_log_is_read_by_person_and_by_kind(admin: Client, world: World) -> None:
    editing.edit(949, "alice", title="Heat!", overview="", release_date=date(1995, 1, 1), genres=[])
    editing.set_hidden(13, True, "root (command line)")

    everything = admin.get("/admin/audit/").text
    hers = admin.get("/admin/audit/?by=alice&kind=movie").text

    assert "Heat!" in everything
    assert "Forrest Gump" in everything
    assert "Forrest Gump" not in hers
    assert "Heat!" in hers
    assert "see all changes" in admin.get("/admin/audit/?kind=user").text
