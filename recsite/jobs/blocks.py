"""The blocks of runs: claim one, renew its lease, finish or fail it, and queue those of dead workers again.

A conditional UPDATE claims a block, and every later change names the claim: a worker that lost its block to another
one or to a cancellation changes nothing. Each function is a transaction on a connection of its own, so that it neither
commits the work nor waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage import webhooks
from recsite.storage.tables import Run, RunBlock, now

LIVE = ("queued", "running")
LEASE = timedelta(seconds=20)
"A running block without a heartbeat for this long is queued again. Workers send a heartbeat every five seconds."
MOST_ATTEMPTS = 4
RETRY_DELAY = timedelta(seconds=5)
"Before the second attempt; it grows with the square of the attempts."
WHOLE_RUN = 0
"The number of the block that stands for a run's own function."
WAITING = "waiting"
"The state of a block that is due when all others of its run are finished."


@dataclass(frozen=True)
class Claim:
    """A block that one RQ job may work on until its lease expires."""

    job_id: str
    run_id: int
    number: int
    attempts: int
    size: int
    "Users or pieces; 0 for the block that begins or completes its run."
    user_ids: Sequence[int]

    @property
    def block(self) -> tuple[sa.ColumnElement[bool], ...]:
        """The conditions of the claimed block, as long as the claim holds."""
        key = RunBlock.run_id == self.run_id, RunBlock.number == self.number
        return *key, RunBlock.state == "running", RunBlock.claimed_by == self.job_id


def is_due() -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions of a block that a worker may claim now."""
    live_runs = sa.select(Run.id).where(Run.state.in_(LIVE))
    return RunBlock.state == "queued", RunBlock.due_at <= now(), RunBlock.run_id.in_(live_runs)


def count_due() -> int:
    """Return how many blocks a worker may claim now."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(RunBlock).where(*is_due())).scalar_one()


def claim_next(job_id: str) -> Claim | None:
    """Claim a due block of the oldest live run for this RQ job; return None if no block is due."""
    columns = (RunBlock.run_id, RunBlock.number, RunBlock.attempts, RunBlock.size, RunBlock.user_ids)
    oldest = sa.select(*columns).where(*is_due()).order_by(RunBlock.run_id, RunBlock.number).limit(1)
    while True:
        with db.engine.connect() as connection:
            block = connection.execute(oldest).first()
        if block is None:
            return None
        claim = Claim(job_id, block.run_id, block.number, block.attempts + 1, block.size, block.user_ids)
        if take(claim):
            return claim
        # Another worker claimed this block, or its run was cancelled.


def take(claim: Claim) -> bool:
    """Mark the block and its run as running; return False when another worker or a cancellation came first."""
    block = sa.update(RunBlock).where(RunBlock.run_id == claim.run_id, RunBlock.number == claim.number, *is_due())
    run = sa.update(Run).where(Run.id == claim.run_id, Run.state.in_(LIVE))
    claimed = {"state": "running", "claimed_by": claim.job_id, "attempts": claim.attempts, "heartbeat_at": now()}
    started = {"state": "running", "started_at": sa.func.coalesce(Run.started_at, now())}
    with db.engine.connect() as connection:
        # The context rolls back what is not committed.
        if connection.execute(block.values(claimed)).rowcount != 1:
            return False
        if connection.execute(run.values(started)).rowcount != 1:
            return False
        connection.commit()
    return True


def renew_lease(job_id: str) -> None:
    """Record a heartbeat of the block that this RQ job works on."""
    block = sa.update(RunBlock).where(RunBlock.claimed_by == job_id, RunBlock.state == "running")
    with db.engine.begin() as connection:
        connection.execute(block.values(heartbeat_at=now()))


def requeue_stale() -> None:
    """Queue the running blocks again whose workers did not renew the lease in time."""
    stale = sa.update(RunBlock).where(RunBlock.state == "running", RunBlock.heartbeat_at < now() - LEASE)
    with db.engine.begin() as connection:
        connection.execute(stale.values(state="queued", claimed_by=None, due_at=now()))


def report(claim: Claim, done: int, total: int) -> bool:
    """Record how far the run is; return False when the claim no longer holds and the work should stop."""
    run = sa.update(Run).where(Run.id == claim.run_id, Run.state == "running", sa.exists().where(*claim.block))
    with db.engine.begin() as connection:
        return connection.execute(run.values(done=done, total=total)).rowcount == 1


def is_held(claim: Claim) -> bool:
    """Return whether the claim holds: its run is live, and no other worker has claimed the block."""
    held = sa.select(Run.id).join(RunBlock, RunBlock.run_id == Run.id).where(*claim.block, Run.state == "running")
    with db.engine.connect() as connection:
        return connection.execute(held).first() is not None


def finish(claim: Claim, outcome: str = "") -> None:
    """Finish the block, and its run if no block is left to do; a claim that no longer holds changes nothing."""
    with db.engine.begin() as connection:
        if not end(connection, claim, state="finished"):
            return
        if claim.size == 0:
            end_run(connection, claim.run_id, state="finished", outcome=outcome, done=Run.total)
        else:
            settle(connection, claim.run_id)


def divide(claim: Claim, user_ids: Sequence[int], size: int) -> None:
    """Replace block 0 of a run by blocks of `size` users; without users the run is finished."""
    parts = [list(user_ids[start : start + size]) for start in range(0, len(user_ids), size)]
    replace_first(claim, [{"user_ids": part, "size": len(part), "state": "queued"} for part in parts])


def divide_into_pieces(claim: Claim, n_pieces: int) -> None:
    """Replace block 0 of a run by a block for each piece, and one that completes the run when they are finished."""
    pieces: list[dict[str, Any]] = [{"user_ids": [], "size": 1, "state": "queued"}] * n_pieces
    replace_first(claim, [*pieces, {"user_ids": [], "size": 0, "state": WAITING}])


def replace_first(claim: Claim, blocks: Sequence[dict[str, Any]]) -> None:
    """Replace block 0 by blocks 1, 2, … with these values, all in one transaction."""
    rows = [{"run_id": claim.run_id, "number": number} | block for number, block in enumerate(blocks, start=1)]
    with db.engine.begin() as connection:
        if not end(connection, claim, state="finished"):
            return
        connection.execute(sa.delete(RunBlock).where(RunBlock.run_id == claim.run_id))
        if rows:
            connection.execute(sa.insert(RunBlock), rows)
        settle(connection, claim.run_id)


def fail(claim: Claim, error: str, *, may_retry: bool = False) -> None:
    """Queue the block again after a delay, or fail it; a claim that no longer holds changes nothing.

    A run fails with a block that begins or completes it, and with any piece. When a block of users fails, the run goes
    on and lists the block at the end.
    """
    with db.engine.begin() as connection:
        if may_retry and claim.attempts < MOST_ATTEMPTS:
            due_at = now() + RETRY_DELAY * claim.attempts**2
            end(connection, claim, state="queued", claimed_by=None, due_at=due_at, error=error)
        elif end(connection, claim, state="failed", error=error):
            if claim.size == 0 or is_in_pieces(connection, claim.run_id):
                end_run(connection, claim.run_id, state="failed", error=error)
            else:
                settle(connection, claim.run_id)


def end(connection: sa.Connection, claim: Claim, **values: Any) -> bool:
    """Give up the claim with these values of the block; return False when the claim no longer holds.

    The run stays locked until the transaction ends. Otherwise the last two blocks could end at the same time, each
    find the other one running, and leave the run without an end.
    """
    lock = sa.update(Run).where(Run.id == claim.run_id, Run.state == "running").values(state="running")
    block = sa.update(RunBlock).where(*claim.block).values(values)
    return connection.execute(lock).rowcount == 1 and connection.execute(block).rowcount == 1


def is_in_pieces(connection: sa.Connection, run_id: int) -> bool:
    """Return whether a block of the run waits for all others."""
    waiting = sa.exists().where(RunBlock.run_id == run_id, RunBlock.state == WAITING)
    return bool(connection.execute(sa.select(waiting)).scalar_one())


def settle(connection: sa.Connection, run_id: int) -> None:
    """Count the users or pieces that are done; when no block is left to do, queue the waiting one or end the run."""
    columns = (RunBlock.number, RunBlock.state, RunBlock.size, RunBlock.error)
    blocks = connection.execute(sa.select(*columns).where(RunBlock.run_id == run_id).order_by(RunBlock.number)).all()
    total = sum(block.size for block in blocks)
    done = sum(block.size for block in blocks if block.state == "finished")
    connection.execute(sa.update(Run).where(Run.id == run_id).values(done=done, total=total))
    if any(block.state in LIVE for block in blocks):
        return
    if any(block.state == WAITING for block in blocks):
        waiting = sa.update(RunBlock).where(RunBlock.run_id == run_id, RunBlock.state == WAITING)
        connection.execute(waiting.values(state="queued", due_at=now()))
        return
    failed = [block for block in blocks if block.state == "failed"]
    end_run(
        connection,
        run_id,
        state="finished",
        failed_blocks=[block.number for block in failed],
        outcome=f"{done} of {total} users" if failed else f"{total} users",
        error=f"Block {failed[0].number} of {len(blocks)}: {failed[0].error}" if failed else "",
    )


def end_run(connection: sa.Connection, run_id: int, **values: Any) -> None:
    """End the run with these values and tell the webhooks; keep its blocks only where a retry needs them."""
    connection.execute(sa.update(Run).where(Run.id == run_id).values(ended_at=now(), **values))
    facts = (Run.id.label("job_id"), Run.kind, Run.done, Run.total, Run.outcome, Run.error)
    ended = connection.execute(sa.select(*facts).where(Run.id == run_id)).one()
    webhooks.record(connection, "job.finished" if values["state"] == "finished" else "job.failed", **ended._mapping)
    if values["state"] == "finished" and not values.get("failed_blocks"):
        connection.execute(sa.delete(RunBlock).where(RunBlock.run_id == run_id))
