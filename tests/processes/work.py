"""Jobs for tests/test_queue.py; a worker process imports them from here."""

import os
import time
from pathlib import Path

from flask import current_app

from recsite.errors import NotEnoughRatings
from recsite.extensions import db
from recsite.storage.tables import User


def count_users() -> int:
    """Needs the app's context and its database."""
    assert current_app.config["SECRET_KEY"] == "test"
    return db.session.query(User).count()


def add_line(path: str) -> None:
    """Leaves one line for each time it ran."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")


def add_line_and_hang_once(path: str) -> str:
    """Hangs the first time, and returns at once the second time."""
    is_first = not Path(path).exists()
    add_line(path)
    if is_first:
        time.sleep(300)
    return "done"


def fail() -> None:
    """Fails in a way that nobody foresaw."""
    raise ZeroDivisionError


def fail_for_good() -> None:
    """Fails in a way that has a name and does not pass by itself."""
    raise NotEnoughRatings("too few")
