"""Settings of an account: password, download of the user's data, deletion and its receipt."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

from flask import Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import COOKIE_NAME, current_user, login_required, logout_user

from recsite import accounts, jobs, ratings
from recsite.accounts import erasure, personal_data
from recsite.errors import InvalidInput
from recsite.storage.tables import now
from recsite.web.accounts.forms import DeleteForm, PasswordForm
from recsite.web.accounts.login import bp, start_session
from recsite.web.request.limits import count_attempt_on, limit_attempts


@bp.get("/")
@login_required
def settings() -> str:
    """Show the account, with links to change it, download its data or delete it."""
    return render_template("accounts/settings.html", count=ratings.count_of(current_user.id))


@bp.route("/password/", methods=["GET", "POST"])
@login_required
@limit_attempts
def password() -> ResponseReturnValue:
    """Change the password; the user's other sessions end, this one continues."""
    if request.method == "GET":
        return render_template("accounts/password.html")
    user = current_user._get_current_object()
    try:
        form = PasswordForm.read()
        count_attempt_on(user.username)
        if form.new.data != form.again.data:
            raise InvalidInput("The new password was not typed the same twice.")
        accounts.change_password(user, form.old.data or "", form.new.data or "")
    except InvalidInput as error:
        return render_template("accounts/password.html", problem=str(error)), 400
    start_session(user, "Your password is changed. You are logged out everywhere else.", remember=is_remembered())
    return redirect(url_for(".settings"), 303)


@bp.get("/data.zip")
@login_required
def download() -> Response:
    """Send everything stored about the user as a zip file."""
    response = Response(personal_data.as_zip(current_user.id), mimetype="application/zip")
    name = f"recsite-{current_user.id}-{now():%Y-%m-%d}.zip"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.route("/delete/", methods=["GET", "POST"])
@login_required
@limit_attempts
def delete() -> ResponseReturnValue:
    """Delete the account and everything stored about the user, and redirect to the receipt."""
    if request.method == "GET":
        return delete_page()
    user = current_user._get_current_object()
    try:
        count_attempt_on(user.username)
        accounts.check_current_password(user, DeleteForm.read().password.data or "")
        record = erasure.erase(user.id)
    except InvalidInput as error:
        return delete_page(str(error)), 400
    receipt_key = record.receipt_key
    session.clear()
    logout_user()
    jobs.clean_exports(record.user_id)
    return redirect(url_for(".receipt", receipt_key=receipt_key), 303)


@bp.get("/receipts/<receipt_key>")
def receipt(receipt_key: str) -> str:
    """Show the receipt of a deleted account; knowing its secret URL is enough."""
    record = erasure.find(receipt_key)
    return render_template("accounts/receipt.html", record=record, lines=erasure.receipt_lines(record))


@bp.get("/receipts/<receipt_key>.txt")
def receipt_text(receipt_key: str) -> Response:
    """Send the receipt as a text file."""
    text = "\n\n".join(erasure.receipt_lines(erasure.find(receipt_key)))
    response = Response(f"{text}\n", mimetype="text/plain")
    response.headers.set("Content-Disposition", "attachment", filename="receipt.txt")
    return response


def delete_page(problem: str | None = None) -> str:
    """Render the form and what it will delete."""
    return render_template("accounts/delete.html", count=ratings.count_of(current_user.id), problem=problem)


def is_remembered() -> bool:
    """Return whether this browser was asked to remember the user."""
    return COOKIE_NAME in request.cookies
