"""The `flask …` commands: parse the arguments, make one call, print the result.

Imports every package below and never `web`. Start with `data.py` and `model.py`.
"""

from flask import Flask

from recsite.cli import data, demo, model, runs, serve, site


def init_app(app: Flask) -> None:
    """Register every command."""
    for command in (*data.commands, *demo.commands, *model.commands, *runs.commands, *serve.commands, *site.commands):
        app.cli.add_command(command)
