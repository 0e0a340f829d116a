"""Runs whose blocks a test does one by one, as workers would."""

from typing import Any

from recsite import jobs
from recsite.jobs import blocks
from recsite.jobs.blocks import Claim
from recsite.jobs.tasks import do_next


def claim_block(run_id: int, number: int, job_id: str = "a-job") -> Claim:
    """Claim this block for an RQ job, out of turn."""
    claim = Claim(job_id, run_id, number, attempts=1, size=min(number, 1), user_ids=())
    assert blocks.take(claim)
    return claim


def start_scoring(users: int = 6, size: int = 2) -> int:
    """Return the id of a running scoring of the users 1, 2, … that is divided into blocks of this size."""
    run_id = jobs.start("score", "bob")
    blocks.divide(claim_block(run_id, blocks.WHOLE_RUN), range(1, users + 1), size)
    return run_id


def finish_blocks(run_id: int, *numbers: int) -> None:
    """Finish these blocks of the run."""
    for number in numbers:
        blocks.finish(claim_block(run_id, number))


def fail_blocks(run_id: int, *numbers: int, error: str = "no memory") -> None:
    """Fail these blocks of the run for good."""
    for number in numbers:
        blocks.fail(claim_block(run_id, number), error)


def finish_run(run_id: int, outcome: str = "") -> None:
    """Do a run of one block."""
    blocks.finish(claim_block(run_id, blocks.WHOLE_RUN), outcome)


def claim_next(job_id: str) -> Claim:
    """Claim the next due block, which must exist, for an RQ job."""
    found = blocks.claim_next(job_id)
    assert found is not None
    return found


def start_training(**parameters: Any) -> int:
    """Return the id of a running training that is divided into its pieces."""
    run_id = jobs.start("train", "alice", **parameters)
    do_next("first")
    return run_id


def work_off(run_id: int) -> str:
    """Do all blocks of a run in this process, as one worker would; return the outcome."""
    while jobs.find(run_id).is_live:
        do_next("a-job")
    return jobs.find(run_id).outcome
