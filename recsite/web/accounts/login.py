"""Signing up, logging in and out."""

# flask-login and flask-wtf ship no types.
# mypy: allow-untyped-decorators

from datetime import timedelta

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

from recsite import accounts
from recsite.errors import InvalidInput
from recsite.extensions import db, login_manager
from recsite.storage import timeouts
from recsite.storage.tables import User, now
from recsite.web.request import forms, viewer
from recsite.web.request.limits import limit_attempts

bp = Blueprint("accounts", __name__, url_prefix="/accounts")

LONGEST_PASSWORD = 1001
"One more than an account takes, so that the account says what is wrong with it."
SEEN_AGAIN_AFTER = timedelta(hours=1)
"How exact last_seen_at is: a write for every request would make readers wait for writers."
NOTE_WITHIN_SECONDS = 0.5
"Who writes to the user's row for longer than this does not hold up the page."


@bp.route("/signup/", methods=["GET", "POST"])
@limit_attempts
def signup() -> ResponseReturnValue:
    """A new account, logged in at once."""
    if request.method == "GET":
        return render_template("accounts/signup.html")
    try:
        password = forms.field("password", longest=LONGEST_PASSWORD)
        user = accounts.create_user(forms.field("username"), password=password, email=forms.field("email"))
    except InvalidInput as error:
        return render_template("accounts/signup.html", problem=str(error)), 400
    start_session(user, f"Welcome, {user.username}. Rate a few movies and your list becomes yours.")
    return redirect(forms.next_path(url_for("movies.popular")), 303)


@bp.route("/login/", methods=["GET", "POST"])
@limit_attempts
def login() -> ResponseReturnValue:
    """The session is this user's; wrong names and wrong passwords read the same."""
    if request.method == "GET":
        return render_template("accounts/login.html")
    try:
        user = accounts.authenticate(forms.field("username"), forms.field("password", longest=LONGEST_PASSWORD))
    except InvalidInput:
        user = None
    if user is None:
        return render_template("accounts/login.html", problem="User name and password do not match."), 400
    start_session(user, f"Hello again, {user.username}.", remember="remember" in request.form)
    return redirect(forms.next_path(url_for("suggestions.home")), 303)


@bp.post("/logout/")
def logout() -> ResponseReturnValue:
    """Nobody is logged in, also after the browser was closed and opened."""
    # In this order, for logout_user leaves a note in the session that takes the remember-me cookie away.
    session.clear()
    logout_user()
    flash("You are logged out.")
    return redirect(url_for("suggestions.home"), 303)


def start_session(user: User, message: str, *, remember: bool = False) -> None:
    """Log in with an empty session: nothing that somebody else planted in it before is trusted afterwards.

    What a visitor rated until now is the user's.
    """
    viewer.move_session_ratings_to(user.id)
    session.clear()
    login_user(user, remember=remember)
    flash(message)


@login_manager.user_loader
def load_user(session_name: str) -> User | None:
    """Whom a session belongs to."""
    return accounts.find_session_user(session_name)


@bp.before_app_request
def note_last_seen() -> None:
    """Whoever is logged in and opens a page has been seen."""
    # Without a cookie nobody is logged in, and that is most requests of programs.
    if (
        "HTTP_COOKIE" not in request.environ
        or request.blueprint in (None, "status")
        or not current_user.is_authenticated
    ):
        return
    seen = current_user.last_seen_at
    if seen is None or seen < now() - SEEN_AGAIN_AFTER:
        try:
            with timeouts.limit(NOTE_WITHIN_SECONDS):
                current_user.last_seen_at = now()
                db.session.commit()
        except sa.exc.OperationalError:
            # A page is worth more than the note of who saw it.
            db.session.rollback()
