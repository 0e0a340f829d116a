"""Tokens of the site, and the list of all tokens; each change is recorded in the audit log."""

import re
from collections.abc import Collection, Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from recsite.accounts.tokens import SCOPES, add_token
from recsite.errors import InvalidInput, NotFound
from recsite.extensions import db
from recsite.storage import audit
from recsite.storage.tables import ApiToken, now

LONGEST_LABEL = 100
"In characters."
LONGEST_DAYS = 3650


def create(label: str, scopes: Collection[str], days: int | None, by: str) -> str:
    """Return a new token of the site, which cannot be shown again; `days` None: it does not expire.

    Raises:
        InvalidInput: the label or `days` is out of its limits, or there is no scope or an unknown one.
    """
    label = label.strip()
    check_limits(label, days)
    check_scopes(scopes)
    expires_at = None if days is None else now() + timedelta(days=days)
    ordered = [scope for scope in SCOPES if scope in scopes]
    row = ApiToken(label=label, scopes=" ".join(ordered), expires_at=expires_at)
    token = add_token(row)
    after = {"scopes": ordered, "expires": expires_at.isoformat() if expires_at else "never"}
    audit.record(by, "create token", "token", row.id, label, after=after)
    db.session.commit()
    return token


def check_limits(label: str, days: int | None) -> None:
    """Raise InvalidInput if the label or the days are out of their limits."""
    if not 1 <= len(label) <= LONGEST_LABEL or not label.isprintable():
        raise InvalidInput(f"label must have 1 to {LONGEST_LABEL} characters, such as 'the shop's server'.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"expires must be 1 to {LONGEST_DAYS} days, or nothing for a token that does not expire.")


def check_scopes(scopes: Collection[str]) -> None:
    """Raise InvalidInput unless there is a scope, and all are known."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        what = f"{unknown[0][:50]!r} is no scope" if unknown else "scopes are missing"
        raise InvalidInput(f"{what}; the scopes are: {', '.join(SCOPES)}.")


def parse_days(text: str) -> int:
    """Return the number of days in a text such as 90d, or raise InvalidInput."""
    found = re.fullmatch("([0-9]{1,4})d", text)
    if found is None:
        raise InvalidInput("expires must be a number of days, such as 90d.")
    return int(found[1])


def list_all() -> Sequence[ApiToken]:
    """Return all tokens with their users: those of the site first, then by id."""
    query = sa.select(ApiToken).options(joinedload(ApiToken.user))
    return db.session.scalars(query.order_by(ApiToken.user_id.is_not(None), ApiToken.id)).all()


def revoke(token_id: int, by: str) -> ApiToken:
    """Delete the token, which stops working at once, and return it; raise NotFound if there is none with this id."""
    token = db.session.get(ApiToken, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}; 'flask tokens list' shows all.")
    label = token.label or (token.user.username if token.user else "")
    db.session.delete(token)
    audit.record(by, "revoke token", "token", token_id, label, before={"scopes": (token.scopes or "").split()})
    db.session.commit()
    return token
