"""Accounts: who may log in, and which token acts as whom."""

import functools
import hashlib
import hmac
import re
import secrets
import unicodedata

import sqlalchemy as sa
from werkzeug.security import check_password_hash, generate_password_hash

from recsite.errors import InvalidInput, UserNotFound
from recsite.extensions import db
from recsite.storage.tables import ApiToken, User

USER_OF_TOKEN = sa.select(User).join(ApiToken).where(ApiToken.token_sha256 == sa.bindparam("sha256"))
PASSWORD_LENGTH = range(10, 1001)
"From what resists guessing to what does not yet cost the server much to hash."
HASH_METHOD = "scrypt:32768:8:3"
"32 MB and three passes a guess, as OWASP's password storage cheat sheet asks for."
NAME_LENGTH = range(1, 151)
IMPORTED_NAME = re.compile(r"user-[0-9]+", re.IGNORECASE)


def create_user(name: str, *, password: str | None = None, email: str | None = None, is_admin: bool = False) -> User:
    """The new account, committed; without a password it cannot log in, but a token may act as it.

    Raises InvalidInput, naming what is wrong with which value.
    """
    check_name(name)
    if password is not None:
        check_password(password)
    user = User(
        username=name,
        email=checked_email(email),
        is_admin=is_admin,
        password_hash=None if password is None else hash_of(password),
    )
    db.session.add(user)
    try:
        db.session.commit()
    except sa.exc.IntegrityError as error:
        # Asking first whether the name is free would leave room for a second sign-up in between.
        db.session.rollback()
        raise InvalidInput(f"The user name {name!r} is taken; choose another.") from error
    return user


def check_name(name: str) -> None:
    """The name can stand in a URL, a log line and a table of users; raises InvalidInput."""
    if len(name) not in NAME_LENGTH:
        raise InvalidInput(f"A user name has {NAME_LENGTH[0]} to {NAME_LENGTH[-1]} characters.")
    if not is_plain(name):
        raise InvalidInput("A user name has no spaces, no slashes and no invisible characters.")
    if IMPORTED_NAME.fullmatch(name):
        raise InvalidInput(f"The user name {name!r} is kept for imported users; choose another.")


def is_plain(name: str) -> bool:
    """No slash, space or control character, and nothing else (NUL, half a surrogate pair) that a database refuses."""
    return not any(char in "/\\" or unicodedata.category(char)[0] in "CZ" for char in name)


def check_password(password: str) -> None:
    """The password is long enough to resist guessing; raises InvalidInput."""
    if not is_password(password):
        raise InvalidInput(
            f"A password has {PASSWORD_LENGTH[0]} to {PASSWORD_LENGTH[-1]} characters, all of them valid."
        )


def is_password(password: str) -> bool:
    """It could be somebody's password; half a surrogate pair, which has no bytes to hash, cannot stand in one."""
    return len(password) in PASSWORD_LENGTH and not any(unicodedata.category(char) == "Cs" for char in password)


def checked_email(email: str | None) -> str | None:
    """The address without spaces around it, None for none; raises InvalidInput."""
    email = (email or "").strip()
    if email and (len(email) > 254 or not re.fullmatch(r"[^@\s]+@[^@\s]+", email)):
        raise InvalidInput(f"{email[:254]!r} is not an e-mail address; write it as name@example.org.")
    return email or None


def authenticate(name: str, password: str) -> User | None:
    """The user with this name and password, or None.

    An unknown name costs as much time as a wrong password, so that nobody can ask which names exist.
    """
    user = user_named(name)
    return user if has_password(user, password) else None


def has_password(user: User | None, password: str) -> bool:
    """Whether this is the user's password; nobody (None) costs as much time as somebody."""
    password_hash = user.password_hash if user and user.password_hash else hash_of_no_password()
    return is_password(password) and check_password_hash(password_hash, password)


def change_password(user: User, old: str, new: str) -> None:
    """The user logs in with the new password, and every session that began with the old one has ended.

    Raises InvalidInput, also where the old password is not the user's.
    """
    check_old_password(user, old)
    check_password(new)
    if old == new:
        raise InvalidInput("The new password is the old one; choose another.")
    user.password_hash = hash_of(new)
    db.session.commit()


def check_old_password(user: User, password: str) -> None:
    """Whoever asks knows the user's password; raises InvalidInput."""
    if not has_password(user, password):
        raise InvalidInput("That is not your password.")


def find_session_user(name: str) -> User | None:
    """The user whose `get_id` was this; None where the password is another one since."""
    user_id, _, mark = name.partition(".")
    user = db.session.get(User, int(user_id)) if user_id.isdecimal() else None
    return user if user and hmac.compare_digest(mark, user.password_mark) else None


def hash_of(password: str) -> str:
    """What is kept of a password: salted, and dear to guess."""
    return generate_password_hash(password, HASH_METHOD)


@functools.cache
def hash_of_no_password() -> str:
    """A hash, as costly as any, of a password that nobody has."""
    return hash_of(secrets.token_urlsafe(32))


def find_user(name: str) -> User:
    """The user of this name; raises UserNotFound."""
    user = user_named(name)
    if user is None:
        raise UserNotFound
    return user


def user_named(name: str) -> User | None:
    """The user of this name, or None."""
    # A name that cannot be anybody's may hold what makes a database fail, such as a NUL.
    return db.session.scalar(sa.select(User).where(User.username == name)) if is_plain(name) else None


def create_token(user: User) -> str:
    """A new token that acts as this user; only its hash is kept, so this is the one time it is seen."""
    token = secrets.token_urlsafe(32)
    db.session.add(ApiToken(user_id=user.id, token_sha256=token_sha256(token)))
    db.session.commit()
    return token


def find_token_user(token: str) -> User | None:
    """The user that this token acts as, or None."""
    return db.session.scalar(USER_OF_TOKEN, {"sha256": token_sha256(token)})


def token_sha256(token: str) -> str:
    """What is kept of a token: it is random and long, so that a fast hash without salt does."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
