"""The caller of a request, and what the caller may read and change.

By session, by API token (`Authorization: Bearer TOKEN`) or, where an operation takes it, by a signed `user_token`.
"""

from typing import Literal, Never

from flask import current_app, g, request
from flask_login import current_user
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from recsite import accounts
from recsite.accounts import SiteToken, WidgetToken, widget_tokens
from recsite.errors import TokenRefused
from recsite.extensions import csrf
from recsite.storage.tables import User

Caller = User | SiteToken | WidgetToken
USER_TOKEN = "user_token"  # noqa: S105 -- the name of a parameter
OTHER_USER = "This token is for another user."
LOG_IN = "Log in, or send the header 'Authorization: Bearer TOKEN'."


def caller() -> Caller | None:
    """Return the token's user or the token, else the logged-in user, else None.

    Raises:
        Unauthorized: the token is unknown, revoked, expired or forged.
    """
    environ = request.environ
    if "HTTP_COOKIE" not in environ and "HTTP_AUTHORIZATION" not in environ and not g.get("takes_user_token"):
        # Without either header there is no caller. Each request calls this function several times.
        return None
    found: Caller | Literal[False] | None = g.get("caller", False)
    if found is False:
        found = g.caller = find_caller()
    return found


def find_caller() -> Caller | None:
    """Return the result of `caller`, read from the database."""
    token = bearer_token()
    try:
        if token is None:
            # A page that sends a user token acts for that user alone, whoever is logged in.
            return user_token() or user_of_session()
        return accounts.find_bearer(token) or refuse("This token is not known; 'flask tokens create' makes one.")
    except TokenRefused as error:
        refuse(str(error))


def user_token() -> WidgetToken | None:
    """Return the caller of a signed user token; None without one, and where none is taken; raise TokenRefused."""
    if not g.get("takes_user_token"):
        return None
    return widget_tokens.read(request.args[USER_TOKEN], current_app.config["WIDGET_KEY"])


def take_user_token() -> bool:
    """Let this request be made with a signed user token, if it has one; return whether it has."""
    has_token = f"{USER_TOKEN}=" in request.environ.get("QUERY_STRING", "") and USER_TOKEN in request.args
    if has_token:
        g.takes_user_token = True
    return has_token


def user_of_session() -> User | None:
    """Return the logged-in user; None without a cookie or a log-in."""
    if "HTTP_COOKIE" not in request.environ or not current_user.is_authenticated:
        return None
    user: User = current_user._get_current_object()
    return user


def calling_user() -> User | None:
    """Return the user who calls, by login or token; None for a visitor and for other tokens."""
    found = caller()
    return found if isinstance(found, User) else None


def name_of_caller() -> str:
    """Return the name under which the site's history keeps what the caller starts: the user's, or the token's label."""
    found = caller() or refuse(LOG_IN)
    if isinstance(found, WidgetToken):
        return "a user token"
    return f"token: {found.label}" if isinstance(found, SiteToken) else found.username


def require_user() -> User:
    """Return the user who calls; raise Unauthorized without one, or Forbidden for a token of the site."""
    found = caller() or refuse(LOG_IN)
    if not isinstance(found, User):
        raise Forbidden("A token of the site has to name the user, by user or user_id.")
    return found


def require_caller() -> Caller:
    """Return the caller of a change, or raise Unauthorized; without a token, also check the CSRF token (CSRFError).

    A view that accepts API tokens is therefore `csrf.exempt` and calls this: a program with a token has no session.
    """
    found = caller() or refuse(LOG_IN)
    if isinstance(found, User) and bearer_token() is None and current_app.config["WTF_CSRF_ENABLED"]:
        csrf.protect()
    return found


def require_scope(scope: str) -> Caller:
    """Return the caller of a change that is the site's to make: an admin, or a token of the site with this scope.

    Raises:
        Unauthorized: nobody calls.
        Forbidden: the token lacks the scope, or the user is no admin.
    """
    found = require_caller()
    check_scope(found, scope)
    if isinstance(found, WidgetToken) or (isinstance(found, User) and not found.is_admin):
        raise Forbidden(f"This takes an admin, or a token of the site with the scope {scope}.")
    return found


def check_scope(found: Caller, scope: str) -> None:
    """Raise Forbidden if the caller is a token of the site, or a user token, without this scope."""
    if isinstance(found, SiteToken | WidgetToken) and scope not in found.scopes:
        raise Forbidden(f"This token lacks the scope {scope}.")


def may_ask(scope: str) -> None:
    """Raise Unauthorized or Forbidden unless the API is open or somebody is calling, by login or token.

    A token of the site needs the scope.
    """
    if current_app.config["API_AUTH"] != "open":
        check_scope(caller() or refuse(LOG_IN), scope)


def may_read_list(user_id: int | None, scope: str) -> None:
    """Raise Unauthorized or Forbidden unless the caller may read the suggestions for this user.

    With API_AUTH=open anyone may; otherwise see `may_read`.
    """
    if current_app.config["API_AUTH"] != "open":
        may_read(user_id, scope)


def may_read(user_id: int | None, scope: str) -> None:
    """Raise Unauthorized or Forbidden unless the caller may read what this user did, such as their ratings.

    Users read their own; admins and tokens read all, those of the site with this scope: only the operator of the site
    creates tokens. A user token reads its user's. None is a user of the site who is not stored yet.
    """
    found = caller() or refuse(LOG_IN)
    check_scope(found, scope)
    if isinstance(found, WidgetToken) and user_id not in (None, found.user_id):
        raise Forbidden(OTHER_USER)
    if isinstance(found, User) and found.id != user_id and not found.is_admin and bearer_token() is None:
        raise Forbidden("This belongs to another user.")


def may_change(user_id: int | None, scope: str) -> None:
    """Raise Forbidden unless the caller of a change may make it for this user: the user, or as in `require_scope`."""
    found = require_caller()
    if isinstance(found, WidgetToken):
        # Whom it names is checked already, see `check_named`.
        check_scope(found, scope)
    elif not (isinstance(found, User) and found.id == user_id):
        require_scope(scope)


def check_named(site_user: str | None, user_id: int | None) -> None:
    """Raise Forbidden if the caller is a user token, and these parameters name another user."""
    found = caller()
    if isinstance(found, WidgetToken) and not found.is_for(site_user, user_id):
        raise Forbidden(OTHER_USER)


def may_read_all() -> None:
    """Raise Unauthorized or Forbidden unless the caller may read data that belongs to no single user."""
    found = caller()
    if found is None:
        refuse("Send the header 'Authorization: Bearer TOKEN', or log in as an admin.")
    if not isinstance(found, User) or (not found.is_admin and bearer_token() is None):
        raise Forbidden("This is for admins and for tokens of users.")


def bearer_token() -> str | None:
    """Return the bearer token; '' if the header has none, None without such a header."""
    sent = request.authorization
    return (sent.token or "") if sent is not None and sent.type == "bearer" else None


def refuse(message: str) -> Never:
    """Raise Unauthorized with this message."""
    raise Unauthorized(message, www_authenticate=WWWAuthenticate("bearer"))
