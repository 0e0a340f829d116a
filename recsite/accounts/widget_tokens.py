"""Signed tokens with which a page of another site reads one user's list: JSON Web Tokens (RFC 7519), HS256.

A site's server makes them with WIDGET_KEY, of which nothing is stored here. Claims: `sub` with the site's own id of the
user, or `user_id` with the number; `exp` at most 24 hours ahead; `scope` with one or both of SCOPES.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from recsite.accounts import site_ids
from recsite.errors import TokenRefused
from recsite.storage.tables import LARGEST_ID, SITE_ID

SCOPES = ("suggestions:read", "ratings:write")
"What such a token may do for its user."
LONGEST_SECONDS = 24 * 60 * 60
LEEWAY_SECONDS = 60
"How far the clocks of two servers may differ."
LONGEST_TOKEN = 4000
"In characters."


@dataclass(frozen=True)
class WidgetToken:
    """A caller who acts for one user."""

    site_user: str | None
    "The user by the site's own id."
    user_id: int | None
    "None for a user of the site who is not stored yet."
    scopes: frozenset[str]

    @property
    def named(self) -> dict[str, Any]:
        """The parameter that names the user."""
        return {"user_id": self.user_id} if self.site_user is None else {"user": self.site_user}

    def is_for(self, site_user: str | None, user_id: int | None) -> bool:
        """Return whether this names its user."""
        if site_user is not None and self.site_user is not None:
            return site_user == self.site_user
        return self.user_id is not None and self.user_id == (
            user_id if site_user is None else site_ids.find_user_id(site_user)
        )


def make(key: str, claims: dict[str, Any], seconds: int = 3600) -> str:
    """Return a token with these claims that expires after this time."""
    return jwt.encode(claims | {"exp": int(time.time()) + seconds}, key, algorithm="HS256")


def read(token: str, keys: Sequence[str]) -> WidgetToken:
    """Return the caller of a token that was signed with one of the keys.

    Raises:
        TokenRefused: the token is expired, forged, or not as the site has to make it; the message says which.
    """
    if not keys:
        raise TokenRefused("user_token is not accepted here, because WIDGET_KEY is not set.")
    claims = verify(token, keys)
    if int(claims["exp"]) > time.time() + LONGEST_SECONDS + LEEWAY_SECONDS:
        raise TokenRefused("user_token must expire within 24 hours (exp).")
    scope = claims.get("scope")
    scopes = frozenset(scope.split() if isinstance(scope, str) else ()).intersection(SCOPES)
    if not scopes:
        raise TokenRefused(f"user_token must have the claim scope: '{SCOPES[0]}', or '{' '.join(SCOPES)}'.")
    site_user, user_id = claims.get("sub"), claims.get("user_id")
    if site_user is not None and user_id is None and re.fullmatch(SITE_ID, site_user):
        return WidgetToken(site_user, site_ids.find_user_id(site_user), scopes)
    if site_user is None and type(user_id) is int and 1 <= user_id <= LARGEST_ID:
        return WidgetToken(None, user_id, scopes)
    raise TokenRefused("user_token must have one claim for the user: sub, the site's own id, or user_id, a number.")


def verify(token: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return the claims, or raise TokenRefused."""
    try:
        for key in keys[:-1]:
            try:
                return decode(token, key)
            except jwt.InvalidSignatureError:
                continue
        return decode(token, keys[-1])
    except jwt.ExpiredSignatureError as error:
        raise TokenRefused("user_token is expired; the site's server makes a new one.") from error
    except jwt.MissingRequiredClaimError as error:
        raise TokenRefused("user_token must expire within 24 hours (exp).") from error
    except jwt.InvalidTokenError as error:
        raise TokenRefused("user_token is not valid: it must be a JWT, signed by HS256 with WIDGET_KEY.") from error


def decode(token: str, key: str) -> dict[str, Any]:
    """Return the claims of a token that is signed with this key; raise jwt.InvalidTokenError."""
    if len(token) > LONGEST_TOKEN:
        raise jwt.DecodeError("too long")
    # The algorithm is ours to choose: a header that says none, or that the key is a public one, is refused.
    return jwt.decode(token, key, algorithms=["HS256"], leeway=LEEWAY_SECONDS, options={"require": ["exp"]})
