"""The `flask …` commands: parse the arguments, make one call, print the result.

Imports every package below and never `web`. Start with `data.py` and `model.py`.
"""

from flask import Flask

from recsite.cli import data, demo, model, runs, serve, site, training


def init_app(app: Flask) -> None:
    """Register every command."""
    for module in (data, demo, model, runs, serve, site, training):
        for command in module.commands:
            app.cli.add_command(command)
