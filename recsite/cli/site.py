"""Commands that run the site: its processes, its state, its accounts."""

import sys

import click
from flask import Flask, current_app

from recsite import accounts
from recsite.accounts import erasure, user_admin
from recsite.cli.failure import Command, Group, operator
from recsite.jobs import health, schedule, worker


@click.command("worker", cls=Command)
@click.option("--burst", is_flag=True, help="Stop when the queue is empty.")
def worker_command(burst: bool) -> None:
    """Do what is queued, until stopped."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # what current_app stands for
    worker.run_worker(app, burst=burst)


@click.command("cron", cls=Command)
def cron_command() -> None:
    """Queue what the schedule says, until stopped."""
    for entry in schedule.SCHEDULE:
        click.echo(f"{entry.when:15} {entry.name}")
    schedule.run_cron()


@click.command("doctor", cls=Command)
def doctor_command() -> None:
    """Say how each part does; the exit code is 1 when one is out."""
    parts = health.examine()
    for part in parts:
        click.echo(f"{part.name:10} {part.says}")
    if any(part.is_out for part in parts):
        raise click.exceptions.Exit(1)


@click.group("users", cls=Group)
def users_group() -> None:
    """Accounts."""


@users_group.command("create")
@click.argument("name")
@click.option("--admin", is_flag=True, help="May use /admin/ and read everybody's lists.")
@click.option("--email", help="Where to reach the person.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
def create_user(name: str, admin: bool, email: str | None, password_stdin: bool) -> None:
    """Create an account; without a password it cannot log in, and is for use by tokens."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    user = user_admin.create(name, operator(), password=password, email=email, is_admin=admin)
    click.echo(f"Created user {user.username} with id {user.id}.")


@users_group.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_user(name: str, yes: bool) -> None:
    """Delete an account with everything that follows, and print the receipt."""
    user_id = accounts.find_user(name).id
    if not yes:
        click.confirm(f"Delete {name} (id {user_id}) with all ratings? This cannot be undone.", abort=True)
    record = erasure.erase(user_id, operator())
    erasure.clean_exports()
    for line in erasure.receipt_lines(record):
        click.echo(line)


@click.group("tokens", cls=Group)
def tokens_group() -> None:
    """API tokens."""


@tokens_group.command("create")
@click.argument("name")
def create_token(name: str) -> None:
    """Create a token that acts as this user; it is the last line, and is not shown again."""
    click.echo(user_admin.create_token(name, operator()))


commands: tuple[click.Command, ...] = (worker_command, cron_command, doctor_command, users_group, tokens_group)
