"""flask demo: an empty site becomes a full one, once, and says what data it used."""

import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts
from recsite.extensions import db
from recsite.jobs import demo
from recsite.storage.tables import Movie, Rating, Suggestion, User
from tests.web.clients import Client, Runner

NOBODY_LISTENS = "http://127.0.0.1:9/ml-latest-small.zip"


@pytest.fixture(autouse=True)
def own_folder(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logins are kept in a folder of the test's own, and GroupLens cannot be reached."""
    monkeypatch.setattr(app, "instance_path", str(tmp_path / "instance"))
    monkeypatch.setattr(demo, "MOVIELENS_URL", NOBODY_LISTENS)


@pytest.fixture
def grouplens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a server at the data set's address hands out."""
    folder = tmp_path / "grouplens"
    folder.mkdir()

    def handler(*args: object) -> http.server.SimpleHTTPRequestHandler:
        return http.server.SimpleHTTPRequestHandler(*args, directory=str(folder))  # type: ignore[arg-type]

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(demo, "MOVIELENS_URL", f"http://127.0.0.1:{server.server_port}/data.zip")
        yield folder
        server.shutdown()


def count(model: type) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


@pytest.mark.both_databases
def test_without_network_the_bundled_sample_fills_the_site(runner: Runner, client: Client) -> None:
    result = runner.invoke(args=["demo"])

    assert result.exit_code == 0, result.output
    assert "SIMULATED" in result.output
    assert count(Movie) == 220
    assert count(User) == 502
    assert count(Suggestion) > 10_000
    response = client.get("/api/suggestions/?user_id=123")
    assert response.headers["X-Suggestion-Source"] == "model"
    assert len(response.json["suggestions"]) == 50


def logins_in(output: str) -> list[str]:
    """Return what the demo says of its logins: name / password."""
    return [line.removeprefix("Login: ") for line in output.splitlines() if line.startswith("Login:")]


def test_both_logins_work_and_a_second_demo_changes_nothing_and_says_the_same(runner: Runner) -> None:
    first = runner.invoke(args=["demo"]).output
    before = count(Rating), count(Suggestion), count(User)

    second = runner.invoke(args=["demo"]).output

    assert (count(Rating), count(Suggestion), count(User)) == before
    assert logins_in(second) == logins_in(first)
    people = [accounts.authenticate(*login.split(" / ")) for login in logins_in(first)]
    assert [(person.username, person.is_admin) for person in people if person] == [("admin", True), ("visitor", False)]


def test_with_network_movielens_is_downloaded_and_its_licence_named(grouplens: Path, runner: Runner) -> None:
    with zipfile.ZipFile(grouplens / "data.zip", "w") as archive:
        archive.writestr(
            "ml/movies.csv", "movieId,title,genres\n" + "".join(f"{m},M{m} (1999),Drama\n" for m in (1, 2))
        )
        archive.writestr("ml/links.csv", "movieId,imdbId,tmdbId\n1,0000001,550\n2,0000002,680\n")
        rows = "".join(f"{user},{m},{3 + m / 2},1000000000\n" for user in range(1, 9) for m in (1, 2))
        archive.writestr("ml/ratings.csv", "userId,movieId,rating,timestamp\n" + rows)

    result = runner.invoke(args=["demo"])

    assert result.exit_code == 0, result.output
    assert "no commercial use" in result.output
    assert set(db.session.scalars(sa.select(Movie.id))) == {550, 680}


def test_a_page_that_is_no_archive_is_not_taken_for_the_data(grouplens: Path, runner: Runner) -> None:
    (grouplens / "data.zip").write_text("<html>Please log in to this network</html>")

    result = runner.invoke(args=["demo"])

    assert "SIMULATED" in result.output
    assert count(Movie) == 220
