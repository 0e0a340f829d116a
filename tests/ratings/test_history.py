"""Bringing ratings along: shown first, then saved all at once, and undone all at once."""

import io
import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import suggestions
from recsite.errors import NotFound
from recsite.extensions import db
from recsite.ratings import history
from recsite.storage.tables import HistoryImport, HistoryRow, Movie, Rating, User
from tests.conftest import TrainedWorld, World
from tests.ratings.changes import everything, rate, unrate
from tests.web.clients import Client, log_in

pytestmark = pytest.mark.both_databases

FILE = """Date,Name,Year,Letterboxd URI,Rating
2020-01-02,Heat,1995,https://boxd.it/1,4.5
2020-01-03,Toy Story,1995,https://boxd.it/2,3
2020-01-04,The Shawshank Redemption,1994,https://boxd.it/3,3
2020-01-05,Pulp Fiction,1994,https://boxd.it/4,1
2020-01-06,Jaws,1975,https://boxd.it/5,5
2020-01-07,Forrest Gump,1994,https://boxd.it/6,six
"""
"For Bob, who gave The Shawshank Redemption 3 and Pulp Fiction 4: two new, one the same, one other, two misses."
JANUARY_2 = datetime(2020, 1, 2, tzinfo=UTC)


@pytest.fixture
def bob(app: Flask, world: World) -> Client:
    """A browser in which Bob is logged in."""
    return log_in(app, world.bob)


def proposed(user_id: int = 2, text: str = FILE) -> int:
    """Propose an import and return its id."""
    return history.propose(user_id, "ratings.csv", text.encode(errors="surrogatepass"))


def ratings_of(user_id: int) -> dict[int, float]:
    db.session.expire_all()
    rows = db.session.execute(sa.select(Rating.movie_id, Rating.value).where(Rating.user_id == user_id))
    return {row.movie_id: row.value for row in rows}


def send(client: Client, content: bytes = FILE.encode(), name: str = "ratings.csv"):  # type: ignore[no-untyped-def]
    return client.post("/accounts/import/", data={"file": (io.BytesIO(content), name)})


def test_a_proposal_says_what_it_would_do_and_changes_nothing(world: World) -> None:
    before = everything()

    batch = history.find_import(2, proposed())

    assert history.compare_with_ratings(batch) == history.Comparison(new=2, same=1, other=1)
    assert (batch.report["matched"], batch.report["not_found_count"], batch.report["refused_count"]) == (4, 1, 1)
    assert [each["label"] for each in batch.report["not_found"]] == ["Jaws (1975)"]
    assert batch.report["refused"] == [
        {"line": 7, "reason": "rating is not from 0.5 to 5.0 in halves", "given": "six"},
    ]
    assert everything() == before


def test_saving_adds_what_is_new_and_leaves_what_was_rated_here(world: World) -> None:
    suggestions.save_import(2, proposed(), replace=False)

    assert ratings_of(2) == {278: 3.0, 680: 4.0, 862: 3.0, 949: 4.5}
    assert db.session.get_one(Rating, (2, 949)).timestamp == JANUARY_2


def test_saving_replaces_what_was_rated_here_when_told_to(world: World) -> None:
    suggestions.save_import(2, proposed(), replace=True)

    assert ratings_of(2) == {278: 3.0, 680: 1.0, 862: 3.0, 949: 4.5}


def test_saving_counts_the_generation_up_once_and_refreshes_the_averages(world: World) -> None:
    before = db.session.get_one(User, 2).rating_generation

    suggestions.save_import(2, proposed(), replace=True)

    db.session.expire_all()
    heat = db.session.get_one(Movie, 949)
    assert db.session.get_one(User, 2).rating_generation == before + 1
    assert (heat.rating_count, heat.rating_avg) == (2, 4.25)


def test_an_import_writes_the_list_once(app: Flask, trained: TrainedWorld, bob: Client) -> None:
    before = db.session.get_one(User, 2).list_generation

    bob.post(f"/accounts/import/{proposed()}/save")

    user = db.session.get_one(User, 2)
    assert user.list_generation == before + 1
    assert user.list_rating_generation == user.rating_generation
    assert {item.movie_id for item in suggestions.best_for(2).items} == {550, 13}


def test_saving_twice_is_saving_once(world: World) -> None:
    import_id = proposed()
    suggestions.save_import(2, import_id, replace=False)
    before = everything()

    batch = suggestions.save_import(2, import_id, replace=True)

    assert everything() == before
    assert batch.report["replaced"] is False


@pytest.mark.parametrize("replace", (False, True))
def test_undoing_leaves_everything_as_it_was(trained: TrainedWorld, replace: bool) -> None:
    suggestions.rescore([2])
    rate(2, 680, 4.0, JANUARY_2)
    before, import_id = everything(), proposed()
    history.save(2, import_id, replace=replace)
    during = everything()

    history.undo(2, import_id)

    assert during != before
    assert everything() == before


def test_undoing_leaves_what_the_user_changed_since(world: World) -> None:
    import_id = proposed()
    suggestions.save_import(2, import_id, replace=False)
    rate(2, 949, 0.5)
    unrate(2, 862)

    batch = suggestions.undo_import(2, import_id)

    assert ratings_of(2) == {278: 3.0, 680: 4.0, 949: 0.5}
    assert (batch.report["taken_back"], batch.report["left"]) == (0, 2)


def test_undoing_twice_is_undoing_once(world: World) -> None:
    import_id = proposed()
    suggestions.save_import(2, import_id, replace=False)
    suggestions.undo_import(2, import_id)
    rate(2, 949, 4.5, JANUARY_2)

    suggestions.undo_import(2, import_id)

    assert ratings_of(2)[949] == 4.5


def test_an_import_that_fails_saves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import_id, before = proposed(), everything()

    def fail(movie_ids: object) -> bool:
        raise KeyboardInterrupt("now")

    monkeypatch.setattr("recsite.movies.refresh_averages", fail)
    with pytest.raises(KeyboardInterrupt, match="now"):
        suggestions.save_import(2, import_id, replace=True)
    db.session.rollback()

    assert everything() == before
    assert history.find_import(2, import_id).state == "waiting"


def test_ratings_without_a_time_were_given_when_they_are_saved(world: World) -> None:
    import_id = proposed(text="tmdbId,rating\n949,4\n862,3\n")

    batch = suggestions.save_import(2, import_id, replace=False)

    assert {row.timestamp for row in db.session.scalars(sa.select(Rating).filter_by(user_id=2, movie_id=949))} == {
        batch.saved_at
    }
    assert suggestions.undo_import(2, import_id).report["taken_back"] == 2


def test_a_proposal_that_nobody_answered_gives_way_to_the_next(world: World) -> None:
    first, second = proposed(), proposed()

    assert [batch.id for batch in history.list_imports(2)] == [second]
    with pytest.raises(NotFound, match="Import not found"):
        history.find_import(2, first)


def test_ten_imports_of_a_user_are_kept(world: World) -> None:
    somebody_elses = proposed(user_id=1)
    for _ in range(12):
        suggestions.save_import(2, proposed(), replace=False)

    assert len(history.list_imports(2)) == 10
    assert history.find_import(1, somebody_elses).state == "waiting"
    assert db.session.scalar(sa.select(sa.func.count(HistoryRow.import_id.distinct()))) == 11


def test_the_report_is_shown_before_anything_is_saved(bob: Client) -> None:
    page = bob.get(send(bob).location).text

    for said in (
        "Nothing is saved yet",
        "Jaws (1975)",
        "Line 7: rating is not from 0.5",
        "Replace the rating that I gave",
    ):
        assert said in page
    assert ratings_of(2) == {278: 3.0, 680: 4.0}


def test_an_import_is_saved_and_undone_by_two_buttons(bob: Client) -> None:
    address = send(bob).location

    saved = bob.get(bob.post(f"{address}save", data={"replace": "true"}).location).text
    with_file = ratings_of(2)
    undone = bob.get(bob.post(f"{address}undo").location).text

    assert "Undo the whole import" in saved
    assert with_file == {278: 3.0, 680: 1.0, 862: 3.0, 949: 4.5}
    assert "ratings are as before the import" in undone
    assert ratings_of(2) == {278: 3.0, 680: 4.0}


def test_a_row_without_a_movie_is_looked_for_and_matched_on_the_page(bob: Client) -> None:
    address = send(bob).location

    looked_for = bob.get(f"{address}?row=6&title=forrest").text
    matched = bob.post(f"{address}match", data={"line": "6", "movie_id": "13"})
    again = bob.post(f"{address}match", data={"line": "6", "movie_id": "13"})
    nothing = bob.post(f"{address}match", data={"line": "six", "movie_id": "13"})

    assert 'value="13"' in looked_for
    assert "Forrest Gump" in looked_for
    assert (matched.status_code, matched.location) == (303, address)
    assert (again.status_code, nothing.status_code) == (404, 400)
    assert "Jaws" not in bob.get(address).text
    bob.post(f"{address}save")
    assert ratings_of(2)[13] == 5.0


def test_a_file_can_be_forgotten(bob: Client) -> None:
    response = bob.post(f"{send(bob).location}discard")

    assert response.location == "/accounts/import/"
    assert db.session.scalar(sa.select(sa.func.count()).select_from(HistoryImport)) == 0


@pytest.mark.parametrize(
    ("content", "name", "said"),
    (
        (b"", "ratings.csv", "ratings.csv is empty."),
        (b"a,b\n1,2\n", "ratings.csv", "has no column"),
        (FILE.encode(), "", "Choose a file first"),
    ),
    ids=("empty", "another kind", "none"),
)
def test_a_refused_file_says_why(bob: Client, content: bytes, name: str, said: str) -> None:
    response = send(bob, content, name)

    assert response.status_code == 400
    assert said in response.text


def test_a_large_file_is_refused_with_the_limit(bob: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsite.web.accounts.imports.MAX_FILE_BYTES", 2**18)

    response = send(bob, b"x" * (2**18 + 1))

    assert response.status_code == 400
    assert "The file is larger than 0.25 MB; send the ratings.csv alone." in response.text


def test_more_than_the_server_takes_is_refused_with_the_limit(app: Flask, bob: Client) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 2**18

    response = send(bob, b"x" * (2**18 + 1))

    assert response.status_code == 413
    assert "What is sent may have at most 0.25 MB." in response.text


@pytest.mark.parametrize("action", ("", "save", "undo", "discard"))
def test_nobody_sees_or_touches_an_import_of_somebody_else(bob: Client, world: World, action: str) -> None:
    path = f"/accounts/import/{proposed(user_id=world.alice)}/{action}"

    response = bob.post(path) if action else bob.get(path)

    assert response.status_code == 404
    assert history.list_imports(world.alice)[0].state == "waiting"


def test_the_name_of_a_file_is_shown_as_text(bob: Client) -> None:
    page = bob.get(send(bob, name='<script>alert("x")</script>.csv').location).text

    assert "<script>alert" not in page


def test_a_report_fits_into_json_whatever_the_file_says(bob: Client) -> None:
    batch = history.find_import(2, proposed(text="Name,Year,Rating\n\ud83d,1999,4\n"))

    assert json.dumps(batch.report, ensure_ascii=False).encode()
