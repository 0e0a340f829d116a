"""Users: creation, look-up and authentication."""

import hmac
import re

import sqlalchemy as sa

from recsite.accounts.names import NAME_LENGTH, check_name, clean_name, is_plain
from recsite.accounts.passwords import check_password, has_password, hash_password
from recsite.errors import InvalidInput, UserNotFound
from recsite.extensions import db
from recsite.storage.queries import run
from recsite.storage.tables import User, name_key_of

LONGEST_EMAIL = 254


def create_user(name: str, *, password: str | None = None, email: str | None = None, is_admin: bool = False) -> User:
    """Create an account and commit it; without a password only tokens can act as it.

    Raises:
        InvalidInput: name, password or address is not acceptable, or the name is taken or looks like another.
    """
    name, email = clean_name(name), clean_email(email)
    check_name(name)
    if password is not None:
        check_password(password, name, email)
    user = User(
        username=name,
        email=email,
        is_admin=is_admin,
        password_hash=None if password is None else hash_password(password),
    )
    db.session.add(user)
    try:
        db.session.commit()
    except sa.exc.IntegrityError as error:
        # A query for the name beforehand would not prevent two sign-ups at once.
        db.session.rollback()
        raise InvalidInput(f"The user name {name!r} is taken, or looks like one that is; choose another.") from error
    return user


def clean_email(email: str | None) -> str | None:
    """Return the address without surrounding spaces, None for an empty one; raise InvalidInput for other text."""
    email = (email or "").strip()
    if email and (len(email) > LONGEST_EMAIL or not re.fullmatch(r"[^@\s]+@[^@\s]+", email)):
        raise InvalidInput(f"{email[:LONGEST_EMAIL]!r} is not an e-mail address; write it as name@example.org.")
    return email or None


def authenticate(name: str, password: str) -> User | None:
    """Return the user with this name and password, or None; as slow for an unknown name, to hide which exist."""
    user = find_user_or_none(name)
    return user if has_password(user, password) else None


def find_session_user(name: str) -> User | None:
    """Return the user with this `get_id`; None if a log-out or a new password ended the session."""
    user_id, _, mark = name.partition(".")
    user = db.session.get(User, int(user_id)) if user_id.isdecimal() else None
    return user if user and hmac.compare_digest(mark, user.session_mark) else None


def end_sessions(user_id: int) -> None:
    """End all sessions of the user, also remembered ones and copies of their cookies, and commit."""
    run(sa.update(User).where(User.id == user_id).values(session_generation=User.session_generation + 1))
    db.session.commit()


def find_user(name: str) -> User:
    """Return the user of this name, or raise UserNotFound."""
    user = find_user_or_none(name)
    if user is None:
        raise UserNotFound
    return user


def find_user_or_none(name: str) -> User | None:
    """Return the user of this name, or else of a name that looks like it, or None."""
    cleaned = clean_name(name)
    # A name that is not plain cannot exist, and may contain a NUL, which PostgreSQL refuses.
    if len(cleaned) not in NAME_LENGTH or not is_plain(cleaned):
        return None
    is_meant = User.username.in_((name.strip(), cleaned)) | (User.name_key == name_key_of(cleaned))
    return db.session.scalar(sa.select(User).where(is_meant).order_by((User.username == name.strip()).desc()).limit(1))
