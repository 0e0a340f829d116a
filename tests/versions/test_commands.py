"""flask train, models, score: what they print, what they do, and how they refuse."""

import getpass

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import jobs, ml, versions
from recsite.extensions import db
from recsite.storage.tables import ModelVersion, Suggestion
from tests.conftest import TrainedWorld, World
from tests.processes.servers import running_command
from tests.web.clients import Runner

SMALL = ("--factors", "2", "--epochs", "3", "--folds", "2")


def count_rows() -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(Suggestion)) or 0


def test_training_prints_the_held_out_errors_and_the_next_step(runner: Runner, trained: TrainedWorld) -> None:
    result = runner.invoke(args=["train", *SMALL])

    version = versions.list_versions()[0]
    assert result.exit_code == 0
    assert f"{version.version_name}: RMSE {version.rmse:.4f}, MAE {version.mae:.4f}" in result.output
    assert f"flask models activate {version.version_name}" in result.output


def test_training_with_activate_activates_and_records_the_operator(runner: Runner, trained: TrainedWorld) -> None:
    runner.invoke(args=["train", *SMALL, "--seed", "3"])
    name = versions.list_versions()[0].version_name

    runner.invoke(args=["models", "activate", name, "--reason", "why not"])

    newest = versions.list_activations()[0]
    assert newest.reason == "why not"
    assert getpass.getuser() in newest.activated_by


def test_training_without_ratings_prints_one_sentence(app: Flask, runner: Runner) -> None:
    result = runner.invoke(args=["train"])

    assert result.exit_code == 1
    assert result.output.startswith("Error: There are 0 ratings")


@pytest.mark.both_databases
def test_the_list_marks_the_active_version(runner: Runner, trained: TrainedWorld) -> None:
    runner.invoke(args=["train", *SMALL])

    lines = runner.invoke(args=["models", "list"]).output.splitlines()

    (active,) = [line for line in lines if line.startswith("*")]
    assert trained.version_name in active
    assert len(lines) == 3


def test_rolling_back_without_an_earlier_version_prints_one_sentence(runner: Runner, trained: TrainedWorld) -> None:
    result = runner.invoke(args=["models", "rollback"])

    assert result.exit_code == 1
    assert "no earlier active version" in result.output


def test_scoring_everybody_prints_the_number_of_rows(runner: Runner, trained: TrainedWorld) -> None:
    result = runner.invoke(args=["score"])

    assert "Wrote 13 suggestions for 10 users." in result.output
    assert count_rows() == 13


def test_scoring_some_users_leaves_the_others(runner: Runner, trained: TrainedWorld) -> None:
    runner.invoke(args=["score", "--user", "1", "--user", "2", "--top", "1"])

    assert set(db.session.scalars(sa.select(Suggestion.user_id))) == {1, 2}


def test_one_prediction_is_printed_and_nothing_written(runner: Runner, trained: TrainedWorld) -> None:
    result = runner.invoke(args=["score", "--user", "2", "--movie", "862"])

    assert result.output == f"{ml.load_model().predict(uid=2, iid=862).est:.4f}\n"
    assert count_rows() == 0


def test_a_plan_says_users_and_rows_and_writes_nothing(runner: Runner, trained: TrainedWorld) -> None:
    result = runner.invoke(args=["score", "--plan"])

    assert result.output.startswith("10 users, up to 40 rows")
    assert count_rows() == 0


@pytest.mark.parametrize(
    ("args", "message"),
    (
        (("--user", "99"), "User not found"),
        (("--movie", "862"), "--movie needs exactly one --user"),
        (("--user", "1", "--movie", "9"), "Movie not found"),
        (("--user", "1", "--recent", "3"), "cannot be combined"),
        (("--user", "0"), "0 is not in the range"),
        (("--user", "abc"), "'abc' is not a valid integer"),
    ),
)
def test_a_wrong_use_of_score_says_what_is_wrong(
    runner: Runner, trained: TrainedWorld, args: tuple[str, ...], message: str
) -> None:
    result = runner.invoke(args=["score", *args])

    assert result.exit_code != 0
    assert message in result.output
    assert count_rows() == 0


def test_scoring_without_a_version_says_what_to_do(runner: Runner, world: World) -> None:
    result = runner.invoke(args=["score"])

    assert result.exit_code == 1
    assert "flask train --activate" in result.output


@pytest.mark.both_databases
def test_a_worker_runs_what_was_queued_and_the_runs_show_it(app: Flask, runner: Runner, trained: TrainedWorld) -> None:
    said = [runner.invoke(args=[*command, "--queue"]).output for command in (("train", *SMALL), ("score",))]

    with running_command(app, "worker", "--burst") as worker:
        worker.communicate(timeout=60)

    assert [line.split(".")[0] for line in said] == ["Queued as run 1", "Queued as run 2"]
    assert [jobs.find(run_id).state for run_id in (1, 2)] == ["finished", "finished"]
    assert (jobs.find(2).done, jobs.find(2).total) == (10, 10)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(ModelVersion)) == 2
    assert count_rows() == 13


def test_scoring_of_a_user_who_does_not_exist_is_not_queued(app: Flask, runner: Runner, trained: TrainedWorld) -> None:
    result = runner.invoke(args=["score", "--user", "1", "--user", "999999", "--queue"])

    assert (result.exit_code, result.output) == (1, "Error: User not found\n")
    assert jobs.list_latest(10) == []


def test_queueing_without_redis_prints_one_sentence(app: Flask, runner: Runner, trained: TrainedWorld) -> None:
    app.extensions["queueing"].connection_pool.connection_kwargs["port"] = 1

    result = runner.invoke(args=["score", "--queue"])

    assert result.exit_code == 1
    assert "Redis does not answer" in result.output
