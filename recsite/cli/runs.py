"""`flask runs …`: list, cancel and retry queued work."""

import click

from recsite import jobs
from recsite.cli.failure import Group, operator
from recsite.storage.tables import LARGEST_ID, Run

run_id_argument = click.argument("run_id", metavar="ID", type=click.IntRange(1, LARGEST_ID))


@click.group("runs", cls=Group)
def runs_group() -> None:
    """List, cancel and retry queued runs: trainings, scorings, averages and exports."""


@runs_group.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Number of runs to show.")
def list_runs(limit: int) -> None:
    """List the queued and running runs, then the latest others."""
    found = jobs.list_latest(limit)
    if not found:
        click.echo("No runs yet. Queue one with 'flask train --queue' or 'flask score --queue'.")
        return
    click.echo(f"{'run':>6} {'kind':<15} {'state':<10} {'done':>15}  created (UTC)     by")
    for run in found:
        for line in lines_of(run):
            click.echo(line)


@runs_group.command("cancel")
@run_id_argument
def cancel(run_id: int) -> None:
    """Cancel a queued or running run; the rows it has written stay."""
    jobs.cancel(run_id, operator())
    click.echo(f"Run {run_id} is cancelled.")


@runs_group.command("retry")
@run_id_argument
def retry(run_id: int) -> None:
    """Queue the unfinished part of a failed or cancelled run, or the failed blocks of a finished one."""
    jobs.retry(run_id, operator())
    click.echo(f"Run {run_id} is queued again.")


def lines_of(run: Run) -> list[str]:
    """Return the row of the table for this run, followed by its outcome and errors, if any."""
    done = f"{run.done}/{run.total}" if run.total else ""
    row = f"{run.id:>6} {run.kind:<15} {run.state:<10} {done:>15}  {run.created_at:%Y-%m-%d %H:%M}  {run.asked_by}"
    notes = [run.outcome] if run.outcome else []
    if run.failed_blocks:
        notes.append(f"{run.state_text}: {', '.join(map(str, run.failed_blocks))}; flask runs retry {run.id}")
    notes += [run.error] if run.error else []
    return [row, *(f"{'':>6} {note}" for note in notes)]


commands: tuple[click.Command, ...] = (runs_group,)
