"""Passwords: their rules, hashes and comparison."""

import functools
import secrets
import unicodedata

from werkzeug.security import check_password_hash, generate_password_hash

from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.storage.tables import User

PASSWORD_LENGTH = range(10, 1001)
"In characters: long enough to resist guessing, short enough to hash quickly."
HASH_METHOD = "scrypt:32768:8:3"
"32 MB of memory and three passes per hash, as OWASP's password storage cheat sheet recommends."


def check_password(password: str) -> None:
    """Raise InvalidInput unless an account may have this password."""
    if not is_valid_password(password):
        raise InvalidInput(
            f"A password has {PASSWORD_LENGTH[0]} to {PASSWORD_LENGTH[-1]} characters, all of them valid."
        )


def is_valid_password(password: str) -> bool:
    """Return whether an account may have this password; a surrogate cannot be encoded, so it cannot be hashed."""
    return len(password) in PASSWORD_LENGTH and not any(unicodedata.category(char) == "Cs" for char in password)


def hash_password(password: str) -> str:
    """Return the salted scrypt hash to store."""
    return generate_password_hash(password, HASH_METHOD)


@functools.cache
def dummy_hash() -> str:
    """Return the hash of a random password, so that a comparison takes as long without a user as with one."""
    return hash_password(secrets.token_urlsafe(32))


def has_password(user: User | None, password: str) -> bool:
    """Return whether this is the user's password; takes as long without a user (None) as with one."""
    password_hash = user.password_hash if user and user.password_hash else dummy_hash()
    return is_valid_password(password) and check_password_hash(password_hash, password)


def check_current_password(user: User, password: str) -> None:
    """Raise InvalidInput unless this is the user's current password."""
    if not has_password(user, password):
        raise InvalidInput("That is not your password.")


def change_password(user: User, old: str, new: str) -> None:
    """Store a new password; every session that began with the old one ends.

    Raises:
        InvalidInput: `old` is not the user's password, or `new` is not acceptable or the same.
    """
    check_current_password(user, old)
    check_password(new)
    if old == new:
        raise InvalidInput("The new password is the old one; choose another.")
    user.password_hash = hash_password(new)
    db.session.commit()
