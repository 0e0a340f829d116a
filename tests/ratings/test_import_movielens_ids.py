"""`flask import movielens`: user ids that accounts have, and movies that get a TMDB id later."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from recsite import accounts
from recsite.extensions import db
from recsite.storage.tables import FIRST_ACCOUNT_ID, Movie, Rating, Suggestion, User
from tests.ratings.importing import import_movielens
from tests.ratings.movielens_files import LINKS_CSV, data_set, movie, rating_of, write
from tests.web.clients import Runner

pytestmark = pytest.mark.both_databases


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four movies and four ratings; see movielens_files."""
    return data_set(tmp_path)


def account_of_an_older_version(**columns: Any) -> User:
    """Insert an account with the id of the data set's first user."""
    user = User(**{"id": 1, "username": "user-1", **columns})
    db.session.add(user)
    db.session.commit()
    return user


def protected_by_password() -> User:
    return account_of_an_older_version(password_hash="x")


def protected_as_admin() -> User:
    return account_of_an_older_version(is_admin=True)


def protected_by_token() -> User:
    user = account_of_an_older_version()
    accounts.create_token(user)
    return user


def protected_by_name() -> User:
    return account_of_an_older_version(username="ann")


PROTECTED = (protected_by_password, protected_as_admin, protected_by_token, protected_by_name)


@pytest.mark.parametrize("make_account", PROTECTED)
def test_ratings_under_the_id_of_an_account_are_refused(
    app: Flask, folder: Path, make_account: Callable[[], User]
) -> None:
    make_account()

    report = import_movielens(folder)

    assert (report.users.read, report.users.new, report.users.refused) == (2, 1, 1)
    assert (report.ratings.read, report.ratings.new, report.ratings.refused) == (4, 2, 2)
    (reason,) = report.refused
    assert "--user-offset N" in reason
    assert [(refusal.file, refusal.line) for refusal in report.refusals[reason]] == [
        ("ratings.csv", 2),
        ("ratings.csv", 3),
    ]
    assert rating_of(user_id=1, movie_id=862) is None


def test_an_offset_gives_the_users_of_the_data_set_other_ids(app: Flask, folder: Path) -> None:
    protected_by_password()

    report = import_movielens(folder, user_offset=1000)

    assert report.ratings.new == 4
    assert rating_of(user_id=1001, movie_id=862) == 4.0
    assert db.session.get_one(User, 1001).username == "user-1001"
    assert db.session.get_one(User, 1001).password_hash is None


def test_an_account_with_the_name_of_an_imported_user_keeps_it(app: Flask, folder: Path) -> None:
    db.session.add(User(id=77, username="user-1"))
    db.session.commit()

    report = import_movielens(folder)

    assert (report.ratings.new, report.ratings.refused) == (2, 2)
    assert db.session.get(User, 1) is None


@pytest.mark.parametrize("offset", (0, 500, 999_999_990))
def test_accounts_start_at_a_thousand_million_before_and_after_an_import(app: Flask, folder: Path, offset: int) -> None:
    ann = accounts.create_user("ann", password="correct horse")

    report = import_movielens(folder, user_offset=offset)

    assert ann.id == FIRST_ACCOUNT_ID
    assert (report.ratings.new, report.ratings.refused) == (4, 0)
    assert accounts.create_user("ben").id == FIRST_ACCOUNT_ID + 1


def test_ratings_under_ids_that_the_site_gives_to_accounts_are_refused(app: Flask, folder: Path) -> None:
    accounts.create_user("ann")

    report = import_movielens(folder, user_offset=FIRST_ACCOUNT_ID - 2)

    assert (report.ratings.new, report.users.new) == (2, 1)
    assert dict(report.refused) == {
        "user ids from 1,000,000,000 on belong to accounts of this site and are not imported": 2
    }


def test_an_import_that_loses_users_says_so_in_its_exit_code(runner: Runner, folder: Path) -> None:
    protected_by_password()

    failed = runner.invoke(args=["import", "movielens", str(folder), "--accept-refused"])
    shifted = runner.invoke(args=["import", "movielens", str(folder), "--user-offset", "1000"])

    assert failed.exit_code == 1
    assert "2 ratings were refused because of their users (see above). The other rows are saved." in failed.output
    assert shifted.exit_code == 0
    assert rating_of(user_id=2, movie_id=862) is not None


def test_an_admin_may_be_created_before_the_first_import(runner: Runner, folder: Path) -> None:
    runner.invoke(args=["users", "create", "root", "--admin", "--password-stdin"], input="correct horse\n")

    result = runner.invoke(args=["import", "movielens", str(folder)])

    assert result.exit_code == 0, result.output
    assert "refused:" not in result.output
    assert rating_of(user_id=1, movie_id=862) == 4.0


def test_the_ids_of_new_accounts_never_go_back(app: Flask, folder: Path) -> None:
    accounts.create_user("ann")
    ben = accounts.create_user("ben")
    db.session.delete(ben)
    db.session.commit()

    import_movielens(folder)

    assert accounts.create_user("dora").id == FIRST_ACCOUNT_ID + 2


def test_a_movie_moves_with_all_that_hangs_on_it_once_links_csv_knows_its_tmdb_id(app: Flask, folder: Path) -> None:
    import_movielens(folder)
    db.session.add(Suggestion(user_id=1, movie_id=1_000_000_004, value=4.0, rank=1))
    db.session.commit()
    write(folder, "links.csv", LINKS_CSV.replace("0105946,", "0105946,9999"))

    report = import_movielens(folder)

    assert (report.movies.new, report.movies.changed, report.movies.unchanged) == (0, 1, 3)
    assert (report.ratings.new, report.ratings.unchanged) == (0, 4)
    assert db.session.get(Movie, 1_000_000_004) is None
    assert (movie(9999).title, movie(9999).movielens_id, movie(9999).rating_count) == ("Babylon 5", 4, 1)
    assert rating_of(user_id=2, movie_id=9999) == 5.0
    assert db.session.get(Suggestion, (1, 9999)) is not None


def test_who_rated_the_movie_under_both_ids_keeps_the_later_rating(app: Flask, folder: Path) -> None:
    import_movielens(folder)
    db.session.add(Movie(id=9999, title="Babylon 5", overview="A station in space."))
    db.session.flush()
    db.session.add(Rating(user_id=2, movie_id=9999, value=1.5, timestamp=datetime(2024, 1, 1, tzinfo=UTC)))
    db.session.commit()
    write(folder, "links.csv", LINKS_CSV.replace("0105946,", "0105946,9999"))
    write(folder, "ratings.csv", "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n")

    import_movielens(folder)

    assert rating_of(user_id=2, movie_id=9999) == 1.5
    assert rating_of(user_id=2, movie_id=1_000_000_004) is None
    assert (movie(9999).rating_count, movie(9999).overview) == (1, "A station in space.")


def test_a_link_to_another_tmdb_id_moves_nothing_but_the_movielens_id(app: Flask, folder: Path) -> None:
    import_movielens(folder)
    write(folder, "links.csv", LINKS_CSV.replace("862", "863"))

    report = import_movielens(folder)

    assert rating_of(user_id=1, movie_id=862) == 4.0
    assert rating_of(user_id=1, movie_id=863) == 4.0
    assert (movie(862).movielens_id, movie(863).movielens_id) == (None, 1)
    assert report.movies.new == 1
