"""The blocks of a run that many workers share."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from recsite.extensions import db
from recsite.jobs import blocks, dispatch, runs
from recsite.storage.tables import RunBlock

pytestmark = pytest.mark.both_databases


def started(kind: str = "score", size: int = 2, users: int = 6) -> int:
    """The id of a running run with blocks of users 1, 2, …"""
    run_id = runs.start(kind, "alice")
    runs.claim(run_id, 1)
    blocks.plan(run_id, 1, range(1, users + 1), size)
    return run_id


def test_blocks_of_users_make_up_the_run(app: Flask) -> None:
    run_id = started(users=5)

    assert blocks.list_left(run_id) == [1, 2, 3]
    assert [block.user_ids for number in (1, 2, 3) if (block := blocks.find(run_id, 1, number))] == [
        [1, 2],
        [3, 4],
        [5],
    ]


def test_a_planner_that_died_finds_its_blocks_as_they_are(app: Flask) -> None:
    run_id = started()
    blocks.finish(run_id, 1, 2)

    assert blocks.plan(run_id, 1, range(1, 100), size=1) == [1, 3]


def test_the_last_block_finishes_the_run(app: Flask) -> None:
    run_id = started()
    for number in (3, 1):
        blocks.finish(run_id, 1, number)
    assert (runs.find(run_id).state, runs.find(run_id).done) == ("running", 4)

    blocks.finish(run_id, 1, 2)

    run = runs.find(run_id)
    assert (run.state, run.done, run.total, run.outcome) == ("finished", 6, 6, "6 users")
    assert db.session.query(RunBlock).count() == 0


def test_blocks_that_end_at_once_finish_the_run_once(app: Flask) -> None:
    run_id = started(users=16, size=1)

    def end(number: int) -> None:
        with app.app_context():
            blocks.finish(run_id, 1, number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(end, range(1, 17)))

    assert (runs.find(run_id).state, runs.find(run_id).done) == ("finished", 16)


def test_a_block_done_twice_counts_once(app: Flask) -> None:
    run_id = started()

    blocks.finish(run_id, 1, 1)
    blocks.finish(run_id, 1, 1)

    assert runs.find(run_id).done == 2


def test_a_run_with_failed_blocks_is_no_success_and_lists_them(app: Flask) -> None:
    run_id = started()
    blocks.fail(run_id, 1, 1, "no memory")
    blocks.finish(run_id, 1, 2)
    blocks.fail(run_id, 1, 3, "no memory either")

    run = runs.find(run_id)
    assert run.state_text == "finished with 2 failed blocks"
    assert (run.failed_blocks, run.error, run.outcome) == ([1, 3], "Block 1 of 3: no memory", "2 of 6 users")
    assert not run.is_whole


def test_a_retry_does_the_failed_blocks_only(app: Flask) -> None:
    run_id = started()
    blocks.fail(run_id, 1, 1, "no memory")
    blocks.finish(run_id, 1, 2)
    blocks.finish(run_id, 1, 3)

    dispatch.retry(run_id, "alice")

    run = runs.find(run_id)
    assert (run.state, run.attempt, run.failed_blocks, run.error) == ("queued", 2, [], "")
    assert runs.claim(run_id, 2) is not None
    assert blocks.plan(run_id, 2, [], size=2) == [1]


def test_what_an_earlier_attempt_still_says_is_not_heard(app: Flask) -> None:
    run_id = started()
    runs.fail(run_id, 1, "lost")
    dispatch.retry(run_id, "alice")

    blocks.finish(run_id, 1, 1)

    assert blocks.list_left(run_id) == [1, 2, 3]
    assert not runs.finish(run_id, 1)
    assert runs.claim(run_id, 1) is None
