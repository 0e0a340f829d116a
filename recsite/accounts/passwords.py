"""Passwords: their rules, hashes and comparison."""

import functools
import secrets
import unicodedata

from werkzeug.security import check_password_hash, generate_password_hash

from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.storage.tables import User, name_key_of

PASSWORD_LENGTH = range(10, 1001)
"In characters: long enough to resist guessing, short enough to hash quickly."
HASH_METHOD = "scrypt:32768:8:3"
"32 MB of memory and three passes per hash, as OWASP's password storage cheat sheet recommends."


_COMMON = """
0123456789 0987654321 1029384756 1122334455 11223344556 1212121212 123123123123 1234512345 12345678910 123456789a
1234567890 12345678900 1234567891 12345678901 123456789012 123456789q 123456789z 12345qwert 1234qwerasdf 1357924680
147258369a 1472583690 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc 9876543210 a123456789 a1234567890 abc1234567
abcd123456 abcd1234567 abcdefghij administrator adminadmin admin12345 admin123456 asdfasdfasdf asdfghjkl1 asdfghjkl123
asdfghjkl; changeme123 computer123 football123 iloveyou12 iloveyou123 letmein123 michael123 monkey1234 password00
password01 password10 password11 password12 password123 password1234 password12345 password123! p@ssw0rd123
passwordpassword princess123 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxedc1 qazwsxedcrfv qwer123456 qwerasdfzxcv qwerty1234
qwerty12345 qwerty123456 qwerty1234567 qwertyqwerty qwertyuiop qwertyuiop1 qwertyuiop123 sunshine123 superman123
welcome123 welcome1234 zaq12wsxcde3 zxcvbnm123 zxcvbnm1234 zxcvbnmasdfghjkl
"""
COMMON_PASSWORDS = frozenset(_COMMON.split())
"The commonest passwords of ten characters or more in published lists of leaked ones, in lower case."
FEWEST_DISTINCT = 4
"Different characters in a password; fewer are a repetition."


def check_password(password: str, name: str, email: str | None = None) -> None:
    """Raise InvalidInput unless the account of this name and address may have this password."""
    chosen = normalize(password)
    if not is_hashable(password) or len(chosen) not in PASSWORD_LENGTH:
        raise InvalidInput(
            f"A password has {PASSWORD_LENGTH[0]} to {PASSWORD_LENGTH[-1]} characters, all of them valid."
        )
    folded, address = chosen.casefold(), (email or "").casefold()
    if folded in COMMON_PASSWORDS or len(set(folded)) < FEWEST_DISTINCT:
        raise InvalidInput("This password is among the first that are guessed; choose another.")
    if name_key_of(chosen) == name_key_of(name) or (address and folded in (address, address.partition("@")[0])):
        raise InvalidInput("A password is not your user name or your e-mail address; choose another.")


def normalize(password: str) -> str:
    """Return the password as it is hashed: NFKC, because keyboards differ, and without surrounding spaces."""
    return unicodedata.normalize("NFKC", password).strip()


def is_hashable(password: str) -> bool:
    """Return whether the text is short enough to hash and can be encoded, which a surrogate cannot."""
    return len(password) <= PASSWORD_LENGTH[-1] and not any(unicodedata.category(char) == "Cs" for char in password)


def hash_password(password: str) -> str:
    """Return the salted scrypt hash to store."""
    return generate_password_hash(normalize(password), HASH_METHOD)


@functools.cache
def dummy_hash() -> str:
    """Return the hash of a random password, so that a comparison takes as long without a user as with one."""
    return hash_password(secrets.token_urlsafe(32))


def has_password(user: User | None, password: str) -> bool:
    """Return whether this is the user's password; takes as long without a user (None) as with one."""
    password_hash = user.password_hash if user and user.password_hash else dummy_hash()
    # Older versions hashed the text as it was typed.
    texts = dict.fromkeys((normalize(password), password))
    return is_hashable(password) and any(check_password_hash(password_hash, text) for text in texts)


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
    check_password(new, user.username, user.email)
    if normalize(old) == normalize(new):
        raise InvalidInput("The new password is the old one; choose another.")
    user.password_hash = hash_password(new)
    db.session.commit()
