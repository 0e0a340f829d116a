"""The `flask …` commands: parse, one call, print."""

from flask import Flask

from recsite.cli import data, demo, model, runs, site


def init_app(app: Flask) -> None:
    """Register every command."""
    for command in (*data.commands, *demo.commands, *model.commands, *runs.commands, *site.commands):
        app.cli.add_command(command)
