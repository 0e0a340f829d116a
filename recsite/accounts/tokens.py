"""API tokens: each acts as one user, or for the site within its scopes; only hashes are stored."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from flask import current_app

from recsite.errors import TokenExpired
from recsite.extensions import db
from recsite.storage import timeouts
from recsite.storage.queries import run
from recsite.storage.tables import ApiToken, FeedToken, User, now

SCOPES = {
    "suggestions:read": "read the suggestions for every user",
    "ratings:write": "read and change the ratings of every user",
    "catalog:write": "add, change and hide movies",
    "users:write": "delete users",
    "jobs:write": "start jobs and follow them",
}
"What a token of the site may do."
TOKEN = sa.select(ApiToken, User).outerjoin(ApiToken.user).where(ApiToken.token_sha256 == sa.bindparam("sha256"))
USED_AGAIN_AFTER = timedelta(minutes=10)
"The precision of last_used_at; a write for each request would make readers wait for writers."
TRY_AGAIN_SECONDS = 60
NOTE_WITHIN_SECONDS = 0.1
"The timeout of that write, because another writer may hold the database."


@dataclass(frozen=True)
class SiteToken:
    """A caller who acts for the site."""

    id: int
    label: str
    scopes: frozenset[str]


def create_token(user: User) -> str:
    """Return a new token that acts as this user; only its hash is stored, so it cannot be shown again."""
    token = add_token(ApiToken(user_id=user.id))
    db.session.commit()
    return token


def add_token(row: ApiToken | FeedToken) -> str:
    """Insert the row with a new random token, and return the token. Does not commit."""
    token = secrets.token_urlsafe(32)
    row.token_sha256 = token_sha256(token)
    db.session.add(row)
    db.session.flush()
    return token


def find_bearer(token: str) -> User | SiteToken | None:
    """Return the user that this token acts as, or the token of the site; None for an unknown or revoked token.

    Notes the time of use.

    Raises:
        TokenExpired: the token's time is over.
    """
    found = db.session.execute(TOKEN, {"sha256": token_sha256(token)}).first()
    if found is None:
        return None
    row, user = found
    if row.expires_at is not None and row.expires_at <= now():
        raise TokenExpired(row.expires_at)
    bearer: User | SiteToken = user or SiteToken(row.id, row.label or "", frozenset((row.scopes or "").split()))
    if is_worth_noting(row):
        note_use(row)
    return bearer


def is_worth_noting(row: ApiToken | FeedToken) -> bool:
    """Return whether the time of the last use is old enough to be replaced."""
    return row.last_used_at is None or row.last_used_at < now() - USED_AGAIN_AFTER


def note_use(row: ApiToken | FeedToken) -> None:
    """Set last_used_at, at most once a minute in this process; without a free database the request goes on without."""
    tried: dict[tuple[str, int], float] = current_app.extensions.setdefault("recsite_noted_tokens", {})
    table, token_id = type(row), row.id
    key = table.__tablename__, token_id
    if time.monotonic() < tried.get(key, 0.0) + TRY_AGAIN_SECONDS:
        return
    tried[key] = time.monotonic()
    try:
        with timeouts.limit(NOTE_WITHIN_SECONDS):
            run(sa.update(table).where(table.id == token_id).values(last_used_at=now()))
            db.session.commit()
    except sa.exc.DBAPIError:
        db.session.rollback()


def token_sha256(token: str) -> str:
    """Return the hash to store; a random token of this length needs neither salt nor a slow hash."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
