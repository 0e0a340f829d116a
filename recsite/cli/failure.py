"""The base class of the commands, which prints domain errors as one sentence, and the name of the operator."""

import getpass
import os
from collections.abc import Callable
from typing import Any

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from recsite.errors import RecsiteError
from recsite.storage import database_errors


class Command(click.Command):
    """A command in the application context. It prints an error that the operator can correct, and exits with code 1."""

    def __init__(self, name: str | None, *, callback: Callable[..., Any], **options: Any) -> None:
        super().__init__(name, callback=with_appcontext(callback), **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raise ClickException for a RecsiteError, an unavailable database or an inaccessible file."""
        try:
            return super().invoke(ctx)
        except RecsiteError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.filename is None:
                raise
            raise click.ClickException(f"Cannot read or write {error.filename}: {error.strerror}.") from error
        except sa.exc.DatabaseError as error:
            outage = database_errors.find(error)
            if outage is None:
                raise
            first_line = str(error.orig).partition("\n")[0].rstrip(".")
            raise click.ClickException(f"Database error: {first_line}. What to do: {outage.remedy}.") from error


class Group(click.Group):
    """A group whose commands are instances of Command."""

    command_class = Command


def operator() -> str:
    """Return the name of the person who runs the command, or the user id if it has no name, as histories show it."""
    try:
        name = getpass.getuser()
    except (ImportError, KeyError, OSError):
        # Containers run under ids without a passwd entry. Python before 3.13 raises KeyError, on Windows ImportError.
        name = f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{name} (command line)"
