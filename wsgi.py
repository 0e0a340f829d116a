"""The application for the flask command, and the one that each worker of `flask serve` makes."""

import sys

from flask import Flask

from recsite import create_app
from recsite.config.parsers import BadSetting
from recsite.storage import media
from recsite.web.site import worker_process

try:
    app = create_app()
except BadSetting as error:
    sys.exit(f"Error: {error}")


def create_worker_app() -> Flask:
    """Return a new application for this worker process, with the active version loaded.

    Workers fork from a process that has an application already. A new one shares no connection and no lock with it.
    """
    worker_process.set_up()
    app = create_app()
    media.prepare(app)
    return app
