"""`flask doctor`, `flask users` and `flask tokens`."""

import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import create_app, versions
from recsite.accounts import authenticate, find_user
from recsite.extensions import db
from recsite.jobs import health
from recsite.storage.queue import queueing
from recsite.storage.tables import ApiToken, User
from tests.conftest import TrainedWorld, World
from tests.processes.servers import RedisServer, running_command, wait_until
from tests.ratings.changes import rate
from tests.web.clients import Runner

PASSWORD = "correct horse battery"


def examined(runner: Runner) -> tuple[dict[str, str], int]:
    """Return what the doctor says of each part, and the exit code."""
    result = runner.invoke(args=["doctor"])
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in result.stdout.splitlines()}, result.exit_code


@pytest.mark.both_databases
def test_a_new_site_is_well_and_learns_what_to_do_next(runner: Runner) -> None:
    says, exit_code = examined(runner)

    assert exit_code == 0
    assert list(says) == ["database", "redis", "model", "training", "workers", "libraries"]
    assert says["database"].startswith("ok (")
    assert says["redis"].startswith("ok (127.0.0.1:")
    assert "run 'flask train --activate'" in says["model"]
    assert "start one with 'flask worker'" in says["workers"]
    assert says["libraries"].startswith("ok (recsite 2.0.0, Python 3.")


def test_the_doctor_sees_a_worker(app: Flask, runner: Runner) -> None:
    with running_command(app, "worker"):
        wait_until(lambda: bool(queueing.find_workers()), within_seconds=60)

        says, _ = examined(runner)

    assert says["workers"] == "ok (1)"


def test_without_redis_the_doctor_names_its_address_and_its_setting(runner: Runner, own_redis: RedisServer) -> None:
    own_redis.stop()

    says, exit_code = examined(runner)

    assert exit_code == 1
    assert f"no answer from 127.0.0.1:{own_redis.port}/0; start it, or correct REDIS_URL" in says["redis"]
    assert says["workers"] == "unknown while Redis is out"


def test_the_doctor_never_shows_a_password() -> None:
    assert health.address("redis://me:secret@host:6379/0") == "host:6379/0"
    assert health.address("unix:///run/redis.sock") == "/run/redis.sock"


def test_the_doctor_knows_the_active_version(runner: Runner, trained: TrainedWorld) -> None:
    says, exit_code = examined(runner)

    assert exit_code == 0
    assert says["model"].startswith(f"ok ({trained.version_name}, RMSE ")


def test_the_doctor_says_when_it_is_time_to_train(app: Flask, runner: Runner, trained: TrainedWorld) -> None:
    assert examined(runner)[0]["training"] == "ok (0 new ratings since the last one)"
    app.config["RETRAIN_NEW_RATINGS"] = 1
    rate(trained.bob, 13, 4.0)

    says, exit_code = examined(runner)

    assert exit_code == 0
    assert says["training"].startswith(f"1 ratings are new since {trained.version_name} was trained.")
    assert says["training"].endswith("Run 'flask train', then 'flask models preview'")


@pytest.mark.parametrize("damaged", ("{}.pkl", "{}/qi.npy", "{}/manifest.json"))
def test_the_doctor_finds_a_damaged_model_file(app: Flask, runner: Runner, trained: TrainedWorld, damaged: str) -> None:
    path = versions.folder() / damaged.format(trained.version_name)
    path.write_bytes(path.read_bytes()[:-1])

    says, exit_code = examined(runner)

    assert exit_code == 1
    assert says["model"].startswith(f"{trained.version_name} is damaged: ")
    assert says["model"].endswith("Activate another version, or train a new one")


@pytest.mark.both_databases
def test_a_database_without_its_tables_is_out(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "newest_revisions", lambda: frozenset({"a newer one"}))

    says, exit_code = examined(runner)

    assert exit_code == 1
    assert says["database"] == "its tables are not those of this version; run 'flask db upgrade'"
    assert says["model"] == "unknown while the database is out"


def test_a_database_that_does_not_answer_is_out(tmp_path: Path) -> None:
    app = create_app({"DATABASE_URL": f"sqlite:///{tmp_path}/no/such/folder/db", "SECRET_KEY": "test"})

    result = app.test_cli_runner().invoke(args=["doctor"])

    assert result.exit_code == 1
    assert "database   unreachable; start it, or correct DATABASE_URL" in result.stdout


def test_a_list_of_packages_that_cannot_be_read_names_no_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").mkdir()
    monkeypatch.setattr(health, "ROOT", tmp_path)

    assert health.tested_versions() == {}


def test_a_library_that_was_not_tested_with_the_site_is_named(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "tested_versions", lambda: {"numpy": "1.0", "left-pad": "1.0"})

    says, exit_code = examined(runner)

    assert exit_code == 0
    assert "numpy 2." in says["libraries"]
    assert "left-pad nothing instead of 1.0; run 'pip install -r requirements.txt'" in says["libraries"]


def test_every_pin_is_compared() -> None:
    pins = health.tested_versions()

    assert {"flask", "psycopg", "scikit-surprise", "numpy"} <= set(pins)
    assert all(pins.values())


def test_an_account_is_made_with_the_password_from_standard_input(runner: Runner) -> None:
    result = runner.invoke(args=["users", "create", "erin", "--admin", "--password-stdin"], input=f"{PASSWORD}\nmore\n")

    assert result.output == "Created user erin with id 1000000000.\n"
    user = authenticate("erin", PASSWORD)
    assert user is not None
    assert user.is_admin


def test_an_account_without_a_password_is_for_tokens_only(runner: Runner) -> None:
    runner.invoke(args=["users", "create", "erin", "--email", "erin@example.org"])

    user = find_user("erin")
    assert (user.password_hash, user.is_admin, user.email) == (None, False, "erin@example.org")


@pytest.mark.parametrize(
    ("name", "typed", "problem"),
    (
        ("alice", f"{PASSWORD}\n", "The user name 'alice' is taken"),
        ("user-9", f"{PASSWORD}\n", "kept for imported users"),
        ("erin", "short\n", "A password has 10 to 1000 characters"),
        ("erin", "", "A password has 10 to 1000 characters"),
    ),
)
def test_an_account_that_cannot_be_made_is_a_sentence_and_no_account(
    runner: Runner, world: World, name: str, typed: str, problem: str
) -> None:
    result = runner.invoke(args=["users", "create", name, "--password-stdin"], input=typed)

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert problem in result.output
    assert db.session.scalar(sa.select(sa.func.count()).select_from(User)) == 4


def test_a_token_is_the_last_line_and_only_its_hash_is_kept(runner: Runner, world: World) -> None:
    result = runner.invoke(args=["tokens", "create", "bob"])

    token = result.stdout.splitlines()[-1]
    kept = db.session.scalars(sa.select(ApiToken)).one()
    assert (kept.user_id, kept.token_sha256) == (world.bob, hashlib.sha256(token.encode()).hexdigest())


def test_there_is_no_token_for_nobody(runner: Runner) -> None:
    result = runner.invoke(args=["tokens", "create", "nobody"])

    assert (result.exit_code, result.output) == (1, "Error: User not found\n")
