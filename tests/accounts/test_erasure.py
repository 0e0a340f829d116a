"""Deleting an account, with everything that follows, and the receipt."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts, movies, suggestions, versions
from recsite.accounts import erasure, feeds
from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.ratings import exports, history
from recsite.storage.tables import (
    Activation,
    ApiToken,
    Dismissal,
    Erasure,
    FeedToken,
    HistoryImport,
    HistoryRow,
    Movie,
    Rating,
    Run,
    Suggestion,
    User,
    now,
)
from tests.conftest import PASSWORD, TrainedWorld, World
from tests.ratings.changes import rate
from tests.ratings.importing import import_ratings
from tests.web.clients import Client

pytestmark = pytest.mark.both_databases

OF_USERS = (Rating, Suggestion, ApiToken, FeedToken, Dismissal, HistoryImport)


@pytest.fixture
def erin(trained: TrainedWorld) -> User:
    """Somebody with a password and something of everything that belongs to users."""
    user = accounts.create_user("erin", password=PASSWORD, email="erin@example.org")
    for movie_id, value in ((550, 1.0), (949, 2.0)):
        rate(user.id, movie_id, value)
    suggestions.refresh(user.id)
    accounts.create_token(user)
    feeds.create(user.id)
    db.session.add(Dismissal(user_id=user.id, movie_id=13, is_unwanted=True))
    db.session.commit()
    suggestions.save_import(user.id, history.propose(user.id, "mine.csv", b"tmdbId,rating\n862,4\n"), replace=False)
    return user


def rows_of(user_id: int) -> int:
    """How many rows of any kind name the user."""
    tables = [table for table in db.metadata.sorted_tables if "user_id" in table.c and table.name != "erasures"]
    return sum(
        db.session.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.user_id == user_id)) or 0
        for table in tables
    )


def users_in(path: Path) -> set[str]:
    """Whose ratings stand in a file of the exports."""
    return {line.partition(",")[0] for line in path.read_text().splitlines()[1:]}


def test_no_row_is_left(erin: User) -> None:
    user_id = erin.id
    assert rows_of(user_id) > len(OF_USERS)

    erasure.erase(user_id)

    assert rows_of(user_id) == 0
    assert db.session.get(User, user_id) is None
    assert db.session.scalar(sa.select(sa.func.count()).select_from(HistoryRow)) == 0


def test_every_table_of_users_own_data_is_on_the_receipt() -> None:
    owned = {table.__tablename__ for table in erasure.OWNED.values()}
    named = {table.name for table in db.metadata.sorted_tables if "user_id" in table.c}

    assert named - {"erasures"} == owned


def test_the_averages_leave_the_ratings_out(erin: User) -> None:
    columns = (Movie.id, Movie.rating_count, Movie.rating_avg, Movie.score)
    erasure.erase(erin.id)
    after = db.session.execute(sa.select(*columns).order_by(Movie.id)).all()

    movies.refresh_averages([550, 949, 862])

    assert db.session.execute(sa.select(*columns).order_by(Movie.id)).all() == after
    assert db.session.get_one(Movie, 862).rating_count == 8


def test_the_api_does_not_know_the_user_any_more(erin: User, client: Client) -> None:
    path = f"/api/suggestions?user_id={erin.id}"
    assert client.get(path).status_code == 200

    erasure.erase(erin.id)

    response = client.get(path)
    assert (response.status_code, response.json) == (404, {"error": "User not found"})


def test_the_id_is_not_given_again(erin: User) -> None:
    erased_id = erin.id
    erasure.erase(erased_id)

    assert accounts.create_user("erin", password=PASSWORD).id > erased_id


def test_an_import_does_not_bring_the_ratings_back(trained: TrainedWorld) -> None:
    path = exports.export_ratings()
    erasure.erase(trained.bob)

    report = import_ratings(path)

    assert report.refused["the user of this id was deleted and is not filled again"] == 2
    assert db.session.get(User, trained.bob) is None


def test_the_names_signature_becomes_a_number(erin: User) -> None:
    erin.is_admin = True
    db.session.add(User(username="boss", is_admin=True, password_hash="x"))
    db.session.add(Run(kind="train", asked_by="erin", state="finished"))
    db.session.execute(sa.update(Activation).values(activated_by="erin"))
    db.session.commit()
    user_id = erin.id

    erasure.erase(user_id)

    nobody = f"deleted user {user_id}"
    assert set(db.session.scalars(sa.select(Activation.activated_by))) == {nobody}
    assert set(db.session.scalars(sa.select(Run.asked_by))) == {nobody}


def test_earlier_exports_lose_the_lines_of_the_user_and_no_others(app: Flask, erin: User) -> None:
    path, user_id = exports.export_ratings(), erin.id
    other = path.with_name("2020-01-01.csv")
    other.write_text(f"user_id,movie_id,rating,timestamp\n{user_id},550,1,5\n{user_id}0,550,1,5\n1,{user_id},1,5\n")
    before = path.read_text().splitlines()
    erasure.erase(user_id)

    files = erasure.clean_exports()

    assert files == ["2020-01-01.csv", path.name]
    assert path.read_text().splitlines() == [line for line in before if not line.startswith(f"{user_id},")]
    assert other.read_text() == f"user_id,movie_id,rating,timestamp\n{user_id}0,550,1,5\n1,{user_id},1,5\n"
    assert (path.parent / "latest.csv").read_text() == path.read_text()
    assert erasure.clean_exports() == []


def test_a_part_that_a_killed_export_left_is_removed(app: Flask, erin: User) -> None:
    part = exports.export_ratings().with_name(".77-abc.part")
    part.write_text("user_id\n13,550,1,5\n")
    erasure.erase(erin.id)

    erasure.clean_exports()

    assert not part.exists()


def test_an_export_under_way_is_waited_for(app: Flask, erin: User) -> None:
    user_id, is_writing, may_end = erin.id, threading.Event(), threading.Event()

    def pause(done: int, total: int) -> None:
        is_writing.set()
        may_end.wait(20)

    def export() -> None:
        with app.app_context():
            exports.export_ratings(pause)

    thread = threading.Thread(target=export)
    thread.start()
    is_writing.wait(20)
    erasure.erase(user_id)
    threading.Timer(0.3, may_end.set).start()
    files = erasure.clean_exports()
    thread.join()

    folder = app.config["MEDIA_ROOT"] / "exports" / "ratings"
    assert len(files) == 1
    assert str(user_id) not in users_in(folder / "latest.csv")


def test_the_receipt_counts_what_was_removed(erin: User) -> None:
    record = erasure.erase(erin.id)
    erasure.clean_exports()

    text = " ".join(erasure.receipt_lines(record))
    assert "ratings (3), " in text
    assert "movies put aside (1), API tokens (1), imported histories (1), feeds (1)." in text
    assert "Earlier exports of ratings and suggestions on the server have no row of this account." in text
    assert "No model version on the server was trained with these ratings." in text


def test_the_receipt_names_the_versions_that_were_trained_with_the_ratings(trained: TrainedWorld) -> None:
    record = erasure.erase(trained.alice)

    assert record.receipt["versions"] == [trained.version_name]
    assert f"Trained with these ratings: {trained.version_name}." in erasure.receipt_lines(record)[-1]


def test_a_version_whose_files_are_removed_holds_nothing_any_more(trained: TrainedWorld) -> None:
    versions.find(trained.version_name).pruned_at = now()
    db.session.commit()

    assert versions.trained_on(trained.alice) == []


def test_what_is_kept_of_an_erasure_names_nobody(erin: User) -> None:
    record = erasure.erase(erin.id)

    kept = str([getattr(record, column.name) for column in Erasure.__table__.columns])
    assert "erin" not in kept


def test_the_last_admin_stays(erin: User) -> None:
    erin.is_admin = True
    db.session.add(User(username="without a password", is_admin=True))
    db.session.commit()

    with pytest.raises(InvalidInput, match="This is the last admin who can log in"):
        erasure.erase(erin.id)

    assert rows_of(erin.id) > 0


def test_of_two_last_admins_who_leave_at_once_one_stays(app: Flask, world: World) -> None:
    ids = [accounts.create_user(name, password=PASSWORD, is_admin=True).id for name in ("erin", "frank")]
    start, refused = threading.Barrier(2), []

    def leave(user_id: int) -> None:
        with app.app_context():
            start.wait(20)
            try:
                erasure.erase(user_id)
            except InvalidInput as error:
                refused.append(str(error))

    threads = [threading.Thread(target=leave, args=(user_id,)) for user_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert db.session.scalar(sa.select(sa.func.count()).where(User.is_admin)) == 1


def test_an_erasure_that_fails_removes_nothing(erin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows_of(erin.id)
    monkeypatch.setattr("recsite.versions.trained_on", lambda user_id: 1 / 0)

    with pytest.raises(ZeroDivisionError, match="division by zero"):
        erasure.erase(erin.id)
    db.session.rollback()

    assert rows_of(erin.id) == before
