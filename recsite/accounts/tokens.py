"""API tokens: each acts as one user, and only its hash is stored."""

import hashlib
import secrets

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.tables import ApiToken, User

USER_OF_TOKEN = sa.select(User).join(ApiToken).where(ApiToken.token_sha256 == sa.bindparam("sha256"))


def create_token(user: User) -> str:
    """Return a new token that acts as this user; only its hash is stored, so it cannot be shown again."""
    token = secrets.token_urlsafe(32)
    db.session.add(ApiToken(user_id=user.id, token_sha256=token_sha256(token)))
    db.session.commit()
    return token


def find_token_user(token: str) -> User | None:
    """Return the user that this token acts as; None for an unknown token."""
    return db.session.scalar(USER_OF_TOKEN, {"sha256": token_sha256(token)})


def token_sha256(token: str) -> str:
    """Return the hash to store; a random token of this length needs neither salt nor a slow hash."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
