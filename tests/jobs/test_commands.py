"""flask runs: what was queued, cancelling and retrying it."""

import pytest
from flask import Flask

from recsite import jobs
from tests.jobs.blocks_at_work import fail_blocks, finish_blocks, start_scoring
from tests.web.clients import Runner


def test_before_the_first_run_the_list_says_how_to_make_one(runner: Runner) -> None:
    assert "No runs yet. Queue one with 'flask train --queue'" in runner.invoke(args=["runs", "list"]).output


def test_the_list_shows_how_far_a_run_is(runner: Runner) -> None:
    run_id = start_scoring()
    finish_blocks(run_id, 1)

    (_, row) = runner.invoke(args=["runs", "list"]).output.splitlines()

    assert row.split()[:4] == [str(run_id), "score", "running", "2/6"]
    assert row.endswith("bob")


def test_the_list_says_which_blocks_failed_and_what_to_do(runner: Runner) -> None:
    run_id = start_scoring()
    fail_blocks(run_id, 1, 2, 3)

    output = runner.invoke(args=["runs", "list"]).output

    assert f"finished with 3 failed blocks: 1, 2, 3; flask runs retry {run_id}" in output
    assert "Block 1 of 3: no memory" in output


def test_a_run_is_cancelled_and_queued_again(app: Flask, runner: Runner) -> None:
    run_id = jobs.start("averages", "alice")

    assert runner.invoke(args=["runs", "cancel", str(run_id)]).output == f"Run {run_id} is cancelled.\n"
    assert jobs.find(run_id).state == "cancelled"
    assert runner.invoke(args=["runs", "retry", str(run_id)]).output == f"Run {run_id} is queued again.\n"
    assert jobs.find(run_id).state == "queued"


@pytest.mark.parametrize("command", ("cancel", "retry"))
def test_a_run_that_does_not_exist_is_a_sentence(runner: Runner, command: str) -> None:
    result = runner.invoke(args=["runs", command, "7"])

    assert (result.exit_code, result.output) == (1, "Error: There is no run 7; 'flask runs list' shows the latest.\n")


def test_a_second_run_of_a_kind_is_refused_by_name(runner: Runner) -> None:
    runner.invoke(args=["train", "--queue"])

    result = runner.invoke(args=["train", "--queue"])

    assert result.exit_code == 1
    assert "Error: Run 1 (train, queued, asked for by" in result.output
