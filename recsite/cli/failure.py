"""Commands whose failures read as sentences, and who runs them."""

import getpass
from collections.abc import Callable
from typing import Any

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from recsite.errors import RecsiteError
from recsite.storage import database_errors


class Command(click.Command):
    """Runs inside the app; a failure that a person can mend is printed as 'Error: …' and the exit code is 1.

    Anything else is a fault of ours and keeps its traceback. Use it as `@click.command("name", cls=Command)`.
    """

    def __init__(self, name: str | None, *, callback: Callable[..., Any], **options: Any) -> None:
        super().__init__(name, callback=with_appcontext(callback), **options)

    def invoke(self, ctx: click.Context) -> Any:
        """What the command returns; raises click.ClickException for a RecsiteError or an unusable database."""
        try:
            return super().invoke(ctx)
        except RecsiteError as error:
            raise click.ClickException(str(error)) from error
        except sa.exc.DatabaseError as error:
            outage = database_errors.find(error)
            if outage is None:
                raise
            first_line = str(error.orig).partition("\n")[0].rstrip(".")
            raise click.ClickException(f"The database refused: {first_line}. What to do: {outage.remedy}.") from error


class Group(click.Group):
    """A group whose commands are of the class above. Use it as `@click.group("name", cls=Group)`."""

    command_class = Command


def operator() -> str:
    """Who runs the command, as histories name it."""
    return f"{getpass.getuser()} (command line)"
