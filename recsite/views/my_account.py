"""My account: what it is, and a new password for it."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import COOKIE_NAME, current_user, login_required

from .. import accounts, ratings
from ..errors import InvalidInput
from . import options
from .accounts import LONGEST_PASSWORD, bp, start_session
from .limits import limit_attempts


@bp.get("/")
@login_required
def settings() -> str:
    """Who I am here, and what I can do with my account and my data."""
    return render_template("accounts/settings.html", count=ratings.count_of(current_user.id))


@bp.route("/password/", methods=["GET", "POST"])
@login_required
@limit_attempts
def password() -> ResponseReturnValue:
    """A new password for whoever knows the old one; my other sessions end, this one goes on."""
    if request.method == "GET":
        return render_template("accounts/password.html")
    user = current_user._get_current_object()
    try:
        old, new, again = (options.field(name, LONGEST_PASSWORD) for name in ("old", "new", "again"))
        if new != again:
            raise InvalidInput("The new password was not typed the same twice.")
        accounts.change_password(user, old, new)
    except InvalidInput as error:
        return render_template("accounts/password.html", problem=str(error)), 400
    start_session(user, "Your password is changed. You are logged out everywhere else.", remember=is_remembered())
    return redirect(url_for(".settings"), 303)


def is_remembered() -> bool:
    """Whether this browser was asked to remember who is logged in."""
    return COOKIE_NAME in request.cookies
