"""The blocks of a run that many workers share: each is done once, and the last one to end ends the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.tables import Run, RunBlock, now


@dataclass(frozen=True)
class Block:
    """What a worker needs for one block."""

    user_ids: list[int]
    parameters: dict[str, Any]
    "Those of the run."


def plan(run_id: int, attempt: int, user_ids: Sequence[int], size: int) -> list[int]:
    """The run has its blocks, those it had before or new ones of `size` users; returns the numbers left to do.

    A run that has nothing left to do is finished then.
    """
    with db.engine.begin() as connection:
        if not lock(connection, run_id, attempt):
            return []
        if not connection.execute(sa.select(RunBlock.number).where(RunBlock.run_id == run_id).limit(1)).first():
            rows = [
                {"run_id": run_id, "number": number, "user_ids": some, "size": len(some)}
                for number, start in enumerate(range(0, len(user_ids), size), start=1)
                if (some := list(user_ids[start : start + size]))
            ]
            if rows:
                connection.execute(sa.insert(RunBlock), rows)
        settle(connection, run_id)
        return left_in(connection, run_id)


def list_left(run_id: int) -> list[int]:
    """The numbers of the blocks that are neither finished nor failed."""
    with db.engine.connect() as connection:
        return left_in(connection, run_id)


def left_in(connection: sa.Connection, run_id: int) -> list[int]:
    """`list_left` within a transaction."""
    left = sa.select(RunBlock.number).where(RunBlock.run_id == run_id, RunBlock.state == "queued")
    return list(connection.execute(left.order_by(RunBlock.number)).scalars())


def find(run_id: int, attempt: int, number: int) -> Block | None:
    """The block, if it is still to be done: its run is running and nobody finished it."""
    query = (
        sa.select(RunBlock.user_ids, Run.parameters)
        .join(Run, Run.id == RunBlock.run_id)
        .where(Run.id == run_id, Run.attempt == attempt, Run.state == "running")
        .where(RunBlock.number == number, RunBlock.state == "queued")
    )
    with db.engine.connect() as connection:
        row = connection.execute(query).first()
    return Block(row.user_ids, row.parameters) if row else None


def finish(run_id: int, attempt: int, number: int) -> None:
    """The block is done, and its run with the last one."""
    end(run_id, attempt, number, "finished", "")


def fail(run_id: int, attempt: int, number: int, error: str) -> None:
    """The block is given up for this attempt; the run goes on with the others."""
    end(run_id, attempt, number, "failed", error)


def end(run_id: int, attempt: int, number: int, state: str, error: str) -> None:
    """Settle the block once, and count what the run has done."""
    with db.engine.begin() as connection:
        if lock(connection, run_id, attempt):
            connection.execute(
                sa.update(RunBlock)
                .where(RunBlock.run_id == run_id, RunBlock.number == number, RunBlock.state == "queued")
                .values(state=state, error=error)
            )
            settle(connection, run_id)


def lock(connection: sa.Connection, run_id: int, attempt: int) -> bool:
    """The run is running, and nobody else changes it or its blocks before this transaction ends.

    Two last blocks that end at once would else both see the other one as still to be done, and nobody end the run.
    """
    heard = sa.update(Run).where(Run.id == run_id, Run.attempt == attempt, Run.state == "running")
    return connection.execute(heard.values(heard_at=now())).rowcount > 0


def settle(connection: sa.Connection, run_id: int) -> None:
    """Count the users that are done; a run without a block left is finished, with the failed ones by number."""
    of_run = RunBlock.run_id == run_id
    counts = sa.select(RunBlock.state, sa.func.count(), sa.func.sum(RunBlock.size)).where(of_run)
    found = {state: (number, users) for state, number, users in connection.execute(counts.group_by(RunBlock.state))}
    done, total = found.get("finished", (0, 0))[1], sum(users for _, users in found.values())
    values: dict[str, Any] = {"done": done, "total": total}
    if "queued" not in found:
        failed = connection.execute(
            sa.select(RunBlock.number, RunBlock.error)
            .where(of_run, RunBlock.state == "failed")
            .order_by(RunBlock.number)
        ).all()
        blocks = sum(number for number, _ in found.values())
        values |= {"state": "finished", "ended_at": now(), "failed_blocks": [block.number for block in failed]}
        values["outcome"] = f"{done} of {total} users" if failed else f"{total} users"
        values["error"] = f"Block {failed[0].number} of {blocks}: {failed[0].error}" if failed else ""
        if not failed:
            connection.execute(sa.delete(RunBlock).where(of_run))
    connection.execute(sa.update(Run).where(Run.id == run_id).values(values))
