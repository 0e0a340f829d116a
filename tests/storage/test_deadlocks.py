"""Deadlocks on PostgreSQL: writers lock in one order, and a transaction that was ended is done again."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import movies, suggestions
from recsite.extensions import db
from recsite.storage import database_errors
from recsite.storage.deadlocks import ATTEMPTS, retry_deadlocks
from recsite.storage.tables import Movie, Rating, Suggestion, User
from tests.conftest import TrainedWorld, World
from tests.processes.servers import wait_until
from tests.ratings.importing import import_movielens, import_ratings
from tests.ratings.movielens_files import LINKS_CSV, data_set, write
from tests.web.clients import Runner, log_in

OLD_ID = 1_000_000_004


@pytest.fixture(autouse=True)
def only_postgresql(request: pytest.FixtureRequest) -> None:
    """Skip a test on SQLite, which has a single writer."""
    if request.node.callspec.params["database_url"] == "sqlite":
        pytest.skip("SQLite has a single writer")


pytestmark = pytest.mark.both_databases


@pytest.fixture
def fails(app: Flask) -> Iterator[Callable[[str, int], None]]:
    """Let the next statements that insert into or update a table end as the victims of a deadlock."""
    made: list[str] = []

    def fail(table: str, times: int) -> None:
        # A sequence is not rolled back.
        execute(f"CREATE SEQUENCE failures_of_{table}")
        execute(
            f"CREATE FUNCTION fail_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('failures_of_{table}') <= {times} THEN "
            "RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF; RETURN NULL; END $$"
        )
        execute(f"CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION fail_{table}()")
        made.append(table)

    yield fail
    db.session.rollback()
    for table in made:
        execute(f"DROP TRIGGER fail ON {table}")
        execute(f"DROP FUNCTION fail_{table}")
        execute(f"DROP SEQUENCE failures_of_{table}")


def execute(statement: str) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text(statement))


def test_work_that_a_deadlock_ended_is_done_again(world: World, fails: Callable[[str, int], None]) -> None:
    fails("ratings", ATTEMPTS - 1)

    suggestions.rate(world.bob, 550, 4.5)

    assert db.session.get_one(Rating, (world.bob, 550)).value == 4.5


def test_lists_and_averages_are_written_again_after_a_deadlock(
    trained: TrainedWorld, fails: Callable[[str, int], None]
) -> None:
    fails("suggestions", 1)
    fails("movies", 1)
    db.session.execute(sa.delete(Rating).where(Rating.user_id == trained.bob))
    db.session.commit()

    assert suggestions.rescore([trained.alice]) > 0
    assert movies.refresh_all_averages()


@pytest.mark.parametrize("table", ("users", "ratings"))
def test_an_import_is_done_again_as_a_whole(
    app: Flask, tmp_path: Path, fails: Callable[[str, int], None], table: str
) -> None:
    folder = data_set(tmp_path)
    fails(table, 1)

    report = import_movielens(folder)

    assert (report.ratings.read, report.ratings.new, report.users.new) == (4, 4, 2)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Rating)) == 4


def test_a_deadlock_that_lasts_has_the_right_words(
    app: Flask, runner: Runner, world: World, fails: Callable[[str, int], None]
) -> None:
    fails("ratings", 1000)
    client = log_in(app, world.bob)
    token_free = client.post("/movies/550/rate", data={"value": "4"})
    scored = runner.invoke(args=["import", "ratings", str(write_ratings(app))])

    assert token_free.status_code == 503
    assert token_free.headers["Retry-After"] == "5"
    assert "Another change of the same data was under way; try again in a few seconds." in token_free.text
    assert "two transactions waited for each other and it ended this one (deadlock); do it again" in scored.stderr
    assert "unreachable" not in scored.stderr


def write_ratings(app: Flask) -> Path:
    """Write a file with one rating and return its path."""
    path: Path = app.config["MEDIA_ROOT"].with_name("ratings.csv")
    path.write_text("user_id,movie_id,rating\n900,550,4\n")
    return path


def test_another_error_is_raised_at_once(app: Flask) -> None:
    calls = []

    @retry_deadlocks
    def work() -> None:
        calls.append(1)
        db.session.execute(sa.text("SELECT pg_sleep('x')"))

    with pytest.raises(sa.exc.SQLAlchemyError) as raised:
        work()

    assert len(calls) == 1
    assert not database_errors.is_deadlock(raised.value)


def start(app: Flask, work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """Start the work in a thread with its own session; return it, and the list of its error."""
    errors: list[BaseException] = []

    def run() -> None:
        with app.app_context():
            try:
                work()
            except BaseException as error:
                errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def is_waiting() -> bool:
    """Return whether a session waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with db.engine.connect() as connection:
        return bool(connection.scalar(sa.text(waiting)))


def test_an_import_that_moves_a_movie_locks_its_users_before_its_suggestions(app: Flask, tmp_path: Path) -> None:
    folder = data_set(tmp_path)
    import_movielens(folder)
    db.session.add(Suggestion(user_id=1, movie_id=OLD_ID, value=4.0, rank=1))
    db.session.commit()
    write(folder, "links.csv", LINKS_CSV.replace("0105946,", "0105946,9999"))
    write(folder, "ratings.csv", "userId,movieId,rating,timestamp\n2,4,5.0,1445714836\n")

    with db.engine.connect() as scoring:
        scoring.execute(sa.select(User.id).where(User.id == 1).with_for_update(key_share=True))
        thread, errors = start(app, lambda: import_movielens(folder))
        wait_until(is_waiting, 20)
        # A scoring writes the lists of the users that it locked.
        scoring.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        scoring.execute(sa.update(Suggestion).where(Suggestion.user_id == 1).values(value=3.0))
        scoring.commit()
    thread.join(30)

    assert errors == []
    assert db.session.get_one(Suggestion, (1, 9999)).value == 3.0


def test_an_import_locks_its_users_in_the_order_of_their_ids(app: Flask, world: World, tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    rows = "user_id,movie_id,rating\n903,550,4\n902,550,4\n901,13,4\n"
    path.write_text(rows)
    import_ratings(path)
    path.write_text(rows.replace(",4", ",5"))

    with db.engine.connect() as scoring:
        scoring.execute(sa.select(User.id).where(User.id == 902).with_for_update(key_share=True))
        thread, errors = start(app, lambda: import_ratings(path))
        wait_until(is_waiting, 20)
        scoring.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        scoring.execute(sa.select(User.id).where(User.id == 903).with_for_update(key_share=True))
        scoring.execute(sa.select(Movie.id).where(Movie.id.in_((550, 13))).with_for_update(key_share=True))
        scoring.commit()
    thread.join(30)

    assert errors == []
    assert db.session.get_one(Rating, (903, 550)).value == 5.0
