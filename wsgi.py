"""The application for the flask command, and the one that each worker of `flask serve` makes."""

from flask import Flask

from recsite import create_app
from recsite.web.site import worker_process

app = create_app()


def create_worker_app() -> Flask:
    """Return a new application for this worker process, with the active version loaded.

    Workers fork from a process that has an application already. A new one shares no connection and no lock with it.
    """
    worker_process.set_up()
    return create_app()
