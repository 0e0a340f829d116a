"""Users by the ids that the site itself gives to them, such as `cust-42`: look-up and creation, one or many at once."""

import re
import secrets
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.storage.queries import CommittedRead, dialect_insert, in_blocks, run
from recsite.storage.tables import SITE_ID, SITE_ID_IN_WORDS, User, now

users: sa.Table = User.__table__
USER_ID = CommittedRead(sa.select(User.id).where(User.site_id == sa.bindparam("site_id")))


def check(site_id: str) -> None:
    """Raise InvalidInput unless a site may give this id to a user."""
    if not re.fullmatch(SITE_ID, site_id):
        raise InvalidInput(f"user must be {SITE_ID_IN_WORDS}.")


def find_user_id(site_id: str) -> int | None:
    """Return the id of the user to whom the site gives this id; None if nothing was written about them yet."""
    rows = USER_ID.rows(site_id=site_id)
    return rows[0][0] if rows else None


def find_user_ids(site_ids: Collection[str]) -> dict[str, int]:
    """Return the ids of these users by the site's ids, with one query for 5,000; users not stored yet are missing."""
    found: dict[str, int] = {}
    for block in in_blocks(sorted(set(site_ids))):
        query = sa.select(users.c.site_id, users.c.id).where(users.c.site_id.in_(block))
        found.update((row.site_id, row.id) for row in run(query))
    return found


def find_or_add_user_id(site_id: str) -> int:
    """Return the id of the user to whom the site gives this id; create and commit one who is not stored yet."""
    found = find_or_add_user_ids([site_id])[site_id]
    db.session.commit()
    return found


def find_site_ids(user_ids: Collection[int]) -> dict[int, str]:
    """Return the site's ids of these users by their ids; users without one are missing."""
    found: dict[int, str] = {}
    for block in in_blocks(sorted(set(user_ids))):
        query = sa.select(users.c.id, users.c.site_id).where(users.c.id.in_(block), users.c.site_id.is_not(None))
        found.update((row.id, row.site_id) for row in run(query))
    return found


def find_or_add_user_ids(site_ids: Collection[str]) -> dict[str, int]:
    """Return the ids of these users by the site's ids, and create the users not stored yet. Does not commit.

    A new user is called user-<id>, and has an id from 1,000,000,000 on, no password and no token.
    """
    found = find_user_ids(site_ids)
    # In one order, or two requests at once could wait for each other's new users.
    missing = sorted(set(site_ids) - found.keys())
    for block in in_blocks(missing):
        insert_users(block)
    return found | find_user_ids(missing)


def insert_users(site_ids: Sequence[str]) -> None:
    """Insert a user for each of these ids, except where another transaction did so first."""
    # The database chooses the ids. Until they are known, a user has a name that nobody can sign up with.
    rows = [
        {"username": f"new {secrets.token_hex(16)}", "site_id": site_id, "created_at": now()} for site_id in site_ids
    ]
    insert = dialect_insert(users).on_conflict_do_nothing(index_elements=["site_id"])
    db.session.flush()
    db.session.connection().execute(insert, rows)
    is_new = users.c.username.in_([row["username"] for row in rows])
    run(sa.update(users).where(is_new).values(username="user-" + sa.cast(users.c.id, sa.String)))
