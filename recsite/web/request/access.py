"""The caller of a request, by session or API token (`Authorization: Bearer TOKEN`), and what the caller may read."""

from typing import Literal, Never

from flask import current_app, g, request
from flask_login import current_user
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from recsite import accounts
from recsite.extensions import csrf
from recsite.storage.tables import User


def caller() -> User | None:
    """Return the token's user, else the logged-in user, else None; raise Unauthorized for an unknown token."""
    environ = request.environ
    if "HTTP_COOKIE" not in environ and "HTTP_AUTHORIZATION" not in environ:
        # Without either header there is no caller. Each request calls this function several times.
        return None
    user: User | Literal[False] | None = g.get("caller", False)
    if user is False:
        user = g.caller = find_caller()
    return user


def find_caller() -> User | None:
    """Return the result of `caller`, read from the database."""
    token = bearer_token()
    if token is None:
        return user_of_session()
    return accounts.find_token_user(token) or refuse("This token is not known; 'flask tokens create' makes one.")


def user_of_session() -> User | None:
    """Return the logged-in user; None without a cookie or a log-in."""
    if "HTTP_COOKIE" not in request.environ or not current_user.is_authenticated:
        return None
    user: User = current_user._get_current_object()
    return user


def require_caller() -> User:
    """Return the caller, or raise Unauthorized; without a token, also check the CSRF token (CSRFError).

    A view that accepts API tokens is therefore `csrf.exempt` and calls this: a program with a token has no session.
    """
    user = caller() or refuse("Log in, or send the header 'Authorization: Bearer TOKEN'.")
    if bearer_token() is None and current_app.config["WTF_CSRF_ENABLED"]:
        csrf.protect()
    return user


def may_ask() -> None:
    """Raise Unauthorized unless the API is open or somebody is calling, by token or login."""
    if current_app.config["API_AUTH"] != "open" and caller() is None:
        refuse("Log in, or send the header 'Authorization: Bearer TOKEN'.")


def may_read_list(user_id: int | None) -> None:
    """Raise Unauthorized or Forbidden unless the caller may read the suggestions for this user.

    With API_AUTH=open anyone may; otherwise see `may_read`.
    """
    if current_app.config["API_AUTH"] != "open":
        may_read(user_id)


def may_read(user_id: int | None) -> None:
    """Raise Unauthorized or Forbidden unless the caller may read what this user did, such as their ratings.

    Users read their own, and admins and tokens read all: only the operator of the site creates tokens.
    """
    user = caller()
    if user is None:
        refuse("Log in, or send the header 'Authorization: Bearer TOKEN'.")
    if user.id != user_id and not user.is_admin and bearer_token() is None:
        raise Forbidden("This belongs to another user.")


def may_read_all() -> None:
    """Raise Unauthorized or Forbidden unless the caller may read data that belongs to no single user."""
    user = caller()
    if user is None:
        refuse("Send the header 'Authorization: Bearer TOKEN', or log in as an admin.")
    if not user.is_admin and bearer_token() is None:
        raise Forbidden("This is for tokens and admins.")


def bearer_token() -> str | None:
    """Return the bearer token; '' if the header has none, None without such a header."""
    sent = request.authorization
    return (sent.token or "") if sent is not None and sent.type == "bearer" else None


def refuse(message: str) -> Never:
    """Raise Unauthorized with this message."""
    raise Unauthorized(message, www_authenticate=WWWAuthenticate("bearer"))
