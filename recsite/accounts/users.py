"""Users: creation, look-up and authentication."""

import hmac
import re
import unicodedata

import sqlalchemy as sa

from recsite.accounts.passwords import check_password, has_password, hash_password
from recsite.errors import InvalidInput, UserNotFound
from recsite.extensions import db
from recsite.storage.queries import run
from recsite.storage.tables import User

NAME_LENGTH = range(1, 151)
LONGEST_EMAIL = 254
IMPORTED_NAME = re.compile(r"user-[0-9]+", re.IGNORECASE)
"Names of users that an import creates; a sign-up cannot use them."


def create_user(name: str, *, password: str | None = None, email: str | None = None, is_admin: bool = False) -> User:
    """Create an account and commit it; without a password only tokens can act as it.

    Raises:
        InvalidInput: name, password or address is not acceptable, or the name is taken.
    """
    check_name(name)
    if password is not None:
        check_password(password)
    user = User(
        username=name,
        email=clean_email(email),
        is_admin=is_admin,
        password_hash=None if password is None else hash_password(password),
    )
    db.session.add(user)
    try:
        db.session.commit()
    except sa.exc.IntegrityError as error:
        # A query for the name beforehand would not prevent two sign-ups at once.
        db.session.rollback()
        raise InvalidInput(f"The user name {name!r} is taken; choose another.") from error
    return user


def check_name(name: str) -> None:
    """Raise InvalidInput unless a new user may have this name, which appears in URLs and log lines."""
    if len(name) not in NAME_LENGTH:
        raise InvalidInput(f"A user name has {NAME_LENGTH[0]} to {NAME_LENGTH[-1]} characters.")
    if not is_plain(name):
        raise InvalidInput("A user name has no spaces, no slashes and no invisible characters.")
    if IMPORTED_NAME.fullmatch(name):
        raise InvalidInput(f"The user name {name!r} is kept for imported users; choose another.")


def is_plain(name: str) -> bool:
    """Return whether the name has no slash, space or control character (a database refuses NUL)."""
    return not any(char in "/\\" or unicodedata.category(char)[0] in "CZ" for char in name)


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
    """Return the user of this name, or None."""
    # A name that is not plain cannot exist, and may contain a NUL, which PostgreSQL refuses.
    return db.session.scalar(sa.select(User).where(User.username == name)) if is_plain(name) else None
