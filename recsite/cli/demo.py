"""`flask demo`: fill an empty site with data, a version, suggestions and two logins."""

from pathlib import Path

import click

from recsite.cli.failure import Command
from recsite.cli.progress import shown_progress
from recsite.jobs import demo


@click.command("demo", cls=Command)
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="MovieLens folder or zip to import.")
@click.option("--details", type=click.Path(exists=True, path_type=Path), help="CSV of TMDB details to add.")
def fill(data: Path | None, details: Path | None) -> None:
    """Fill an empty site with data, a trained and active version, suggestions and two logins; print the logins."""
    with shown_progress("demo") as on_progress:
        passwords = demo.fill(data, details, click.echo, on_progress)
    for name, password in passwords.items():
        click.echo(f"Login: {name} / {password}")


commands: tuple[click.Command, ...] = (fill,)
