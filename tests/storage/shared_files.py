"""Databases and models that the test processes share, because each takes seconds to make."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import flask_migrate
import pytest

from recsite import create_app
from recsite.config import ROOT
from recsite.extensions import db


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of this name; the first of the test processes to ask for it fills it by `make`."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = own / f"{name}.unfinished"
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def migrate(database_url: str) -> None:
    """Upgrade this database to the newest revision, as `flask db upgrade` does."""
    app = create_app({"DATABASE_URL": database_url, "SECRET_KEY": "test", "TESTING": True})
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        db.engine.dispose()
