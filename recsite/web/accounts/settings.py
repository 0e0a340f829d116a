"""My account: what it is, a new password for it, all its data to take away, and its end."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

import contextlib
import logging

from flask import Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import COOKIE_NAME, current_user, login_required, logout_user

from recsite import accounts, jobs, ratings
from recsite.accounts import erasure, personal_data
from recsite.errors import InvalidInput, QueueUnavailable, RunInTheWay
from recsite.storage.tables import now
from recsite.web.accounts.login import LONGEST_PASSWORD, bp, start_session
from recsite.web.request import forms
from recsite.web.request.limits import limit_attempts

log = logging.getLogger(__name__)


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
        old, new, again = (forms.field(name, LONGEST_PASSWORD) for name in ("old", "new", "again"))
        if new != again:
            raise InvalidInput("The new password was not typed the same twice.")
        accounts.change_password(user, old, new)
    except InvalidInput as error:
        return render_template("accounts/password.html", problem=str(error)), 400
    start_session(user, "Your password is changed. You are logged out everywhere else.", remember=is_remembered())
    return redirect(url_for(".settings"), 303)


@bp.get("/data.zip")
@login_required
def download() -> Response:
    """All that the site holds of me, in one file."""
    response = Response(personal_data.as_zip(current_user.id), mimetype="application/zip")
    name = f"recsite-{current_user.id}-{now():%Y-%m-%d}.zip"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.route("/delete/", methods=["GET", "POST"])
@login_required
@limit_attempts
def delete() -> ResponseReturnValue:
    """My account is gone with everything that follows, and a receipt says what that was."""
    if request.method == "GET":
        return delete_page()
    user = current_user._get_current_object()
    try:
        accounts.check_current_password(user, forms.field("password", LONGEST_PASSWORD))
        record = erasure.erase(user.id)
    except InvalidInput as error:
        return delete_page(str(error)), 400
    receipt_key = record.receipt_key
    session.clear()
    logout_user()
    clean_exports(record.user_id)
    return redirect(url_for(".receipt", receipt_key=receipt_key), 303)


@bp.get("/receipts/<receipt_key>")
def receipt(receipt_key: str) -> str:
    """What was removed with an account; whoever knows the address may read it."""
    record = erasure.find(receipt_key)
    return render_template("accounts/receipt.html", record=record, lines=erasure.receipt_lines(record))


@bp.get("/receipts/<receipt_key>.txt")
def receipt_text(receipt_key: str) -> Response:
    """The same to keep."""
    text = "\n\n".join(erasure.receipt_lines(erasure.find(receipt_key)))
    response = Response(f"{text}\n", mimetype="text/plain")
    response.headers.set("Content-Disposition", "attachment", filename="receipt.txt")
    return response


def delete_page(problem: str | None = None) -> str:
    """The form, and what it leads to."""
    return render_template("accounts/delete.html", count=ratings.count_of(current_user.id), problem=problem)


def clean_exports(user_id: int) -> None:
    """Earlier exports lose the user's lines: now where that is quick, else by a worker, and now if there is no queue.

    A run that is under way, or the next export, takes them along.
    """
    if not erasure.is_quick():
        with contextlib.suppress(QueueUnavailable, RunInTheWay):
            run_id = jobs.start("erase", by=f"deleted user {user_id}", subject=str(user_id))
            log.info("run %d takes deleted user %d out of earlier exports", run_id, user_id)
            return
    erasure.clean_exports()


def is_remembered() -> bool:
    """Whether this browser was asked to remember who is logged in."""
    return COOKIE_NAME in request.cookies
