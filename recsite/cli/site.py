"""Commands that run and manage the site: worker, cron, doctor, users and tokens."""

import sys

import click
from flask import Flask, current_app

from recsite import accounts
from recsite.accounts import erasure, site_tokens, user_admin
from recsite.cli.failure import Command, Group, operator
from recsite.errors import MediaUnavailable
from recsite.jobs import health, schedule, worker


@click.command("worker", cls=Command)
@click.option("--burst", is_flag=True, help="Stop when the queue is empty.")
def worker_command(burst: bool) -> None:
    """Run queued jobs until stopped."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the object behind the proxy
    worker.run_worker(app, burst=burst)


@click.command("cron", cls=Command)
def cron_command() -> None:
    """Queue jobs according to the schedule until stopped."""
    for entry in schedule.SCHEDULE:
        click.echo(f"{entry.when:15} {entry.name}")
    schedule.run_cron()


@click.command("doctor", cls=Command)
def doctor_command() -> None:
    """Check each part of the site; the exit code is 1 if one does not work."""
    parts = health.examine()
    for part in parts:
        click.echo(f"{part.name:10} {part.says}")
    if any(part.is_out for part in parts):
        raise click.exceptions.Exit(1)


@click.group("users", cls=Group)
def users_group() -> None:
    """Create and delete accounts."""


@users_group.command("create")
@click.argument("name")
@click.option("--admin", is_flag=True, help="Let the user open /admin/ and read all lists.")
@click.option("--email", help="Email address.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
def create_user(name: str, admin: bool, email: str | None, password_stdin: bool) -> None:
    """Create an account; without a password it can only be used through API tokens."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    user = user_admin.create(name, operator(), password=password, email=email, is_admin=admin)
    click.echo(f"Created user {user.username} with id {user.id}.")


@users_group.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_user(name: str, yes: bool) -> None:
    """Delete an account with all its data, and print the receipt."""
    user_id = accounts.find_user(name).id
    if not yes:
        click.confirm(f"Delete {name} (id {user_id}) and all ratings of this user? This cannot be undone.", abort=True)
    record = erasure.erase(user_id, operator())
    try:
        erasure.clean_exports()
    except MediaUnavailable as error:
        click.echo(f"Earlier exports still have rows of this account, until the next export: {error}", err=True)
    for line in erasure.receipt_lines(record):
        click.echo(line)


@click.group("tokens", cls=Group)
def tokens_group() -> None:
    """Create, list and revoke API tokens."""


@tokens_group.command("create")
@click.argument("name", required=False)
@click.option("--site", metavar="LABEL", help="Create a token of the site; the label says what it is for.")
@click.option("--scopes", help=f"What it may do, separated by commas: {', '.join(accounts.SCOPES)}.")
@click.option("--expires", metavar="DAYS", help="When it stops working, such as 90d; without this, never.")
def create_token(name: str | None, site: str | None, scopes: str | None, expires: str | None) -> None:
    """Create a token that acts as user NAME, or with --site for the site.

    The token is printed as the last line and cannot be shown again.
    """
    if (name is None) == (site is None):
        raise click.UsageError("Give the name of a user, or --site LABEL --scopes SCOPES.")
    if site is None and (scopes or expires):
        raise click.UsageError("--scopes and --expires belong to --site.")
    if name is not None:
        click.echo(user_admin.create_token(name, operator()))
        return
    chosen = [scope.strip() for scope in (scopes or "").split(",") if scope.strip()]
    days = None if expires is None else site_tokens.parse_days(expires)
    click.echo(site_tokens.create(site or "", chosen, days, operator()))


@tokens_group.command("list")
def list_tokens() -> None:
    """List all API tokens: id, what each acts for, its scopes, and when it was made, expires and was last used."""
    for token in site_tokens.list_all():
        acts_for = f"user {token.user.username}" if token.user else f"site: {token.label}"
        expires = f"expires {token.expires_at:%Y-%m-%d}" if token.expires_at else "does not expire"
        used = f"used {token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never used"
        parts = (acts_for, (token.scopes or "").replace(" ", ","), f"made {token.created_at:%Y-%m-%d}", expires, used)
        click.echo(f"{token.id:6} {'  '.join(part for part in parts if part)}")


@tokens_group.command("revoke")
@click.argument("token_id", type=click.IntRange(1))
def revoke_token(token_id: int) -> None:
    """Delete the token with this id, which 'flask tokens list' shows; it stops working at once."""
    site_tokens.revoke(token_id, operator())
    click.echo(f"Token {token_id} is revoked.")


commands: tuple[click.Command, ...] = (worker_command, cron_command, doctor_command, users_group, tokens_group)
