"""Exports below MEDIA_URL: dated files, `latest.*` as copies of the newest, and the removal of erased users from all.

No lock holds across hosts. Whoever stores a file reads afterwards which users were erased meanwhile, and an erasure is
committed before its worker lists the files: so one of the two sees the other.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from flask import current_app

from recsite.extensions import db
from recsite.ratings.exported_rows import remove_rows, replacement_of
from recsite.storage import media
from recsite.storage.media import Store
from recsite.storage.tables import Erasure

OF_USERS = ("ratings", "suggestions")
"The kinds of exports whose rows begin with a user id."
CLOCK_MARGIN = timedelta(hours=1)
"Erasures from so long before an export count as later ones: the clocks of two hosts differ."


def key_of(kind: str, name: str) -> str:
    """Return the key of an export."""
    return f"exports/{kind}/{name}"


def move(kind: str, dated: Path, started: datetime) -> None:
    """Store the dated file and its copy as latest.*, without users that were erased meanwhile; remove old ones.

    The file of this host is removed also after an error: erasures on other hosts would not reach it.

    Raises:
        MediaUnavailable: the file cannot be stored.
    """
    try:
        store, removed = media.connect(), set[int]()
        while True:
            store.upload(dated, key_of(kind, dated.name))
            store.copy(key_of(kind, dated.name), key_of(kind, f"latest{dated.suffix}"))
            erased = erased_since(started - CLOCK_MARGIN) - removed if kind in OF_USERS else set()
            if not erased or not remove_rows(dated, erased):
                break
            removed |= erased
        remove_old(store, kind, dated)
    finally:
        dated.unlink(missing_ok=True)


def erased_since(time: datetime) -> set[int]:
    """Return the ids of the users that were erased since, as committed now."""
    db.session.commit()  # A new transaction: on SQLite the old one would not see later commits.
    return set(db.session.scalars(sa.select(Erasure.user_id).where(Erasure.erased_at >= time)))


def remove_old(store: Store, kind: str, newest: Path) -> None:
    """Remove all but the last EXPORTS_KEPT dated files of a format."""
    kept = current_app.config["EXPORTS_KEPT"]
    names = store.list_folder(key_of(kind, "").rstrip("/"))
    dated = [name for name in names if name[0].isdigit() and name.endswith(newest.suffix) and name != newest.name]
    for name in dated[: -(kept - 1) or None] if kept else ():
        store.remove(key_of(kind, name))


def remove_users(kind: str, folder: Path, user_ids: Collection[int]) -> list[str]:
    """Remove these users' rows from all exports of this kind; return the names of the changed files.

    Each file passes through `folder` on this host. What a killed upload left is deleted.

    Raises:
        MediaUnavailable: a file cannot be read or written.
    """
    store, changed = media.connect(), []
    # By name: latest.* comes last, because it may become a copy of a dated file meanwhile.
    for name in store.list_folder(key_of(kind, "").rstrip("/")):
        key = key_of(kind, name)
        if name.endswith(".part"):
            store.remove(key)
            continue
        passing = folder / f".passing-{name}"
        try:
            with replacement_of(passing) as partial:
                store.download(key, partial)
            if remove_rows(passing, user_ids):
                store.upload(passing, key)
                changed.append(name)
        finally:
            passing.unlink(missing_ok=True)
    return changed
