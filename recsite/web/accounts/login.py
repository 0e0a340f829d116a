"""The blueprint of accounts: sign up, log in and log out."""

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
from recsite.web.accounts.forms import LoginForm, SignupForm
from recsite.web.request import forms, viewer
from recsite.web.request.limits import count_attempt_on, limit_attempts

bp = Blueprint("accounts", __name__, url_prefix="/accounts")

SEEN_AGAIN_AFTER = timedelta(hours=1)
"The precision of last_seen_at; a write for each request would make readers wait for writers."
NOTE_WITHIN_SECONDS = 0.5
"The timeout of that write, because another writer may hold the row."


@bp.route("/signup/", methods=["GET", "POST"])
@limit_attempts
def signup() -> ResponseReturnValue:
    """Create an account and log in to it."""
    if request.method == "GET":
        return render_template("accounts/signup.html")
    try:
        form = SignupForm.read()
        user = accounts.create_user(form.username.data or "", password=form.password.data, email=form.email.data)
    except InvalidInput as error:
        return render_template("accounts/signup.html", problem=str(error)), 400
    start_session(user, f"Welcome, {user.username}. Rate a few movies and your list becomes yours.")
    return redirect(forms.next_path(url_for("movies.popular")), 303)


@bp.route("/login/", methods=["GET", "POST"])
@limit_attempts
def login() -> ResponseReturnValue:
    """Log in; a wrong name and a wrong password give the same message."""
    if request.method == "GET":
        return render_template("accounts/login.html")
    form = LoginForm(request.form)
    user = None
    # Text that the form refuses can be no name or password, so it is not compared.
    if form.validate():
        name = form.username.data or ""
        count_attempt_on(name)
        user = accounts.authenticate(name, form.password.data or "")
    if user is None:
        return render_template("accounts/login.html", problem="User name and password do not match."), 400
    start_session(user, f"Hello again, {user.username}.", remember=form.remember.data)
    return redirect(forms.next_path(url_for("suggestions.home")), 303)


@bp.post("/logout/")
def logout() -> ResponseReturnValue:
    """End all sessions of the user on the server, so that copied cookies do not go on working."""
    if current_user.is_authenticated:
        accounts.end_sessions(current_user.id)
    # In this order: logout_user marks the session so that the remember-me cookie is deleted.
    session.clear()
    logout_user()
    flash("You are logged out, on all your devices.")
    return redirect(url_for("suggestions.home"), 303)


def start_session(user: User, message: str, *, remember: bool = False) -> None:
    """Log in with an empty session, against session fixation; the visitor's ratings become the user's."""
    viewer.move_session_ratings_to(user.id)
    session.clear()
    login_user(user, remember=remember)
    flash(message)


@login_manager.user_loader
def load_user(session_name: str) -> User | None:
    """Return the user that Flask-Login's session names."""
    return accounts.find_session_user(session_name)


@bp.before_app_request
def note_last_seen() -> None:
    """Update last_seen_at of the user who is logged in, at most once per SEEN_AGAIN_AFTER."""
    # Without a cookie there is no session; that is true of most requests by programs.
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
            # The page does not need this write.
            db.session.rollback()
