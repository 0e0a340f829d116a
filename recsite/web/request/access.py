"""Who asks, and what they may see: a login (session) or an API token (`Authorization: Bearer TOKEN`)."""

from typing import Literal, Never

from flask import current_app, g, request
from flask_login import current_user
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from recsite import accounts
from recsite.extensions import csrf
from recsite.storage.tables import User


def caller() -> User | None:
    """The user that the token acts as, else the one who is logged in, else None; an unknown token is a 401."""
    sent = request.environ
    if "HTTP_COOKIE" not in sent and "HTTP_AUTHORIZATION" not in sent:
        # Nobody is known without either, and this is asked several times in each request.
        return None
    user: User | Literal[False] | None = g.get("caller", False)
    if user is False:
        user = g.caller = find_caller()
    return user


def find_caller() -> User | None:
    """The same, asked of the database."""
    token = bearer_token()
    if token is None:
        user: User | None = current_user._get_current_object() if current_user.is_authenticated else None
        return user
    return accounts.find_token_user(token) or refuse("This token is not known; 'flask tokens create' makes one.")


def require_caller() -> User:
    """The caller; a 401 when there is none.

    A change on the strength of a login alone needs the CSRF token as well. A view that calls this may thus be
    `csrf.exempt`, and should be when it takes tokens, for a program that sends one has no session.
    """
    user = caller() or refuse("Log in, or send the header 'Authorization: Bearer TOKEN'.")
    if bearer_token() is None and current_app.config["WTF_CSRF_ENABLED"]:
        csrf.protect()
    return user


def may_read(user_id: int) -> None:
    """Return when the caller may read what belongs to this user, else answer 401 or 403.

    With API_AUTH=open anyone reads everything. Else people read their own, and admins and tokens read all: only
    the operator of the site makes tokens.
    """
    if current_app.config["API_AUTH"] == "open":
        return
    user = caller()
    if user is None:
        refuse("Log in, or send the header 'Authorization: Bearer TOKEN'.")
    if user.id != user_id and not user.is_admin and bearer_token() is None:
        raise Forbidden("This belongs to another user.")


def may_read_all() -> None:
    """Return when the caller may read what belongs to nobody in particular, else answer 401 or 403."""
    user = caller()
    if current_app.config["API_AUTH"] == "open":
        return
    if user is None:
        refuse("Send the header 'Authorization: Bearer TOKEN', or log in as an admin.")
    if not user.is_admin and bearer_token() is None:
        raise Forbidden("This is for tokens and admins.")


def bearer_token() -> str | None:
    """The token that was sent, '' for a header without one, None when no token came."""
    sent = request.authorization
    return (sent.token or "") if sent is not None and sent.type == "bearer" else None


def refuse(message: str) -> Never:
    """Answer 401."""
    raise Unauthorized(message, www_authenticate=WWWAuthenticate("bearer"))
