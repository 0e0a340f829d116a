"""The blocks of a run: who may claim one, when it is queued again, and how the last one ends the run."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import jobs
from recsite.extensions import db
from recsite.jobs import blocks
from recsite.storage.tables import RunBlock, now
from tests.jobs.blocks_at_work import claim_block, fail_blocks, finish_blocks, finish_run, start_scoring

pytestmark = pytest.mark.both_databases


def states(run_id: int) -> dict[int, str]:
    """Return the state of each block of the run."""
    db.session.rollback()
    rows = db.session.execute(sa.select(RunBlock.number, RunBlock.state).where(RunBlock.run_id == run_id))
    return dict(iter(rows))


def let_time_pass(time: timedelta) -> None:
    """Move what the blocks remember into the past."""
    for block in db.session.scalars(sa.select(RunBlock)):
        block.due_at -= time
        block.heartbeat_at = block.heartbeat_at and block.heartbeat_at - time
    db.session.commit()


def test_a_run_is_divided_into_blocks_of_users(app: Flask) -> None:
    start_scoring(users=5, size=2)

    claims = [blocks.claim_next(f"job-{number}") for number in range(3)]

    assert [claim and (claim.number, claim.user_ids) for claim in claims] == [(1, [1, 2]), (2, [3, 4]), (3, [5])]


def test_a_run_without_users_is_finished(app: Flask) -> None:
    run_id = start_scoring(users=0)

    assert (jobs.find(run_id).state, jobs.find(run_id).outcome) == ("finished", "0 users")


def test_many_workers_that_claim_at_once_get_a_block_each(app: Flask) -> None:
    run_id = start_scoring(users=16, size=1)

    def claim(number: int) -> int | None:
        with app.app_context():
            claimed = blocks.claim_next(f"job-{number}")
            return claimed.number if claimed else None

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(claim, range(20)))

    assert sorted(number for number in numbers if number) == list(range(1, 17))
    assert numbers.count(None) == 4
    assert set(states(run_id).values()) == {"running"}


def test_blocks_that_end_at_once_finish_the_run_once(app: Flask) -> None:
    run_id = start_scoring(users=16, size=1)

    def do(number: int) -> None:
        with app.app_context():
            claim = blocks.claim_next(f"job-{number}")
            assert claim is not None
            blocks.finish(claim)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(do, range(16)))

    assert (jobs.find(run_id).state, jobs.find(run_id).done) == ("finished", 16)


def test_the_last_block_finishes_the_run(app: Flask) -> None:
    run_id = start_scoring()
    finish_blocks(run_id, 3, 1)
    assert (jobs.find(run_id).state, jobs.find(run_id).done) == ("running", 4)

    finish_blocks(run_id, 2)

    run = jobs.find(run_id)
    assert (run.state, run.done, run.total, run.outcome) == ("finished", 6, 6, "6 users")
    assert db.session.query(RunBlock).count() == 0


def test_a_block_finished_twice_counts_once(app: Flask) -> None:
    run_id = start_scoring()
    claim = claim_block(run_id, 1)

    blocks.finish(claim)
    blocks.finish(claim)

    assert jobs.find(run_id).done == 2


def test_a_run_with_failed_blocks_is_no_success_and_lists_them(app: Flask) -> None:
    run_id = start_scoring()
    fail_blocks(run_id, 1, 3)
    finish_blocks(run_id, 2)

    run = jobs.find(run_id)
    assert run.state_text == "finished with 2 failed blocks"
    assert (run.failed_blocks, run.error, run.outcome) == ([1, 3], "Block 1 of 3: no memory", "2 of 6 users")
    assert not run.is_whole


def test_a_retry_queues_the_failed_blocks_only(app: Flask) -> None:
    run_id = start_scoring()
    fail_blocks(run_id, 1)
    finish_blocks(run_id, 2, 3)

    jobs.retry(run_id, "alice")

    run = jobs.find(run_id)
    assert (run.state, run.failed_blocks, run.error) == ("queued", [], "")
    assert states(run_id) == {1: "queued", 2: "finished", 3: "finished"}
    finish_blocks(run_id, 1)
    assert (jobs.find(run_id).state_text, jobs.find(run_id).done) == ("finished", 6)


def test_a_retry_of_a_cancelled_run_does_what_is_left(app: Flask) -> None:
    run_id = start_scoring()
    finish_blocks(run_id, 2)
    claim_block(run_id, 1)
    jobs.cancel(run_id, "alice")

    jobs.retry(run_id, "alice")

    assert states(run_id) == {1: "queued", 2: "finished", 3: "queued"}


def test_a_block_whose_worker_is_silent_is_queued_again(app: Flask) -> None:
    run_id = start_scoring()
    lost = claim_block(run_id, 1)
    let_time_pass(blocks.LEASE + timedelta(seconds=1))
    claim_block(run_id, 2)

    blocks.requeue_stale()

    assert states(run_id) == {1: "queued", 2: "running", 3: "queued"}
    taken = blocks.claim_next("another-job")
    assert taken is not None
    assert (taken.number, taken.attempts) == (1, lost.attempts + 1)


def test_a_heartbeat_renews_the_lease(app: Flask) -> None:
    run_id = start_scoring()
    claim_block(run_id, 1, "the-job")
    let_time_pass(blocks.LEASE + timedelta(seconds=1))

    blocks.renew_lease("the-job")
    blocks.requeue_stale()

    assert states(run_id)[1] == "running"


def test_a_worker_that_lost_its_block_changes_nothing(app: Flask) -> None:
    run_id = start_scoring()
    lost = claim_block(run_id, 1, "the-first-job")
    let_time_pass(blocks.LEASE + timedelta(seconds=1))
    blocks.requeue_stale()
    claim_block(run_id, 1, "the-second-job")

    blocks.finish(lost)
    blocks.fail(lost, "no memory")

    assert states(run_id)[1] == "running"
    assert not blocks.report(lost, 1, 2)


def test_a_block_that_fails_is_due_again_after_a_delay_that_grows(app: Flask) -> None:
    run_id = jobs.start("averages", "alice")
    delays = []
    for number in range(1, blocks.MOST_ATTEMPTS + 1):
        claim = blocks.claim_next(f"job-{number}")
        assert claim is not None
        blocks.fail(claim, "the network", may_retry=True)
        assert blocks.claim_next("too-early") is None
        block = db.session.get(RunBlock, (run_id, 0), populate_existing=True)
        assert block is not None
        delays.append(round((block.due_at - now()).total_seconds()))
        let_time_pass(timedelta(minutes=2))

    assert delays[:3] == [5, 20, 45]
    assert (jobs.find(run_id).state, jobs.find(run_id).error) == ("failed", "the network")


def test_a_run_fails_with_its_own_function(app: Flask) -> None:
    run_id = jobs.start("averages", "alice")

    fail_blocks(run_id, blocks.WHOLE_RUN)

    assert (jobs.find(run_id).state, jobs.find(run_id).error) == ("failed", "no memory")
    jobs.retry(run_id, "alice")
    finish_run(run_id, "changed")
    assert (jobs.find(run_id).state, jobs.find(run_id).error, jobs.find(run_id).outcome) == ("finished", "", "changed")


def test_blocks_of_a_cancelled_run_are_not_claimed(app: Flask) -> None:
    run_id = start_scoring()
    jobs.cancel(run_id, "alice")

    assert blocks.claim_next("a-job") is None
    assert blocks.count_due() == 0
