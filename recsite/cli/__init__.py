"""The `flask …` commands: parse, one call, print."""

from flask import Flask

from . import data, model, site


def init_app(app: Flask) -> None:
    """Register every command."""
    for command in (*data.commands, *model.commands, *site.commands):
        app.cli.add_command(command)
