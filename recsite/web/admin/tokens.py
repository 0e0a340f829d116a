"""The admin page of API tokens: those of the site and those of users."""

import hashlib

from flask import Response, current_app, flash, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite.accounts import SCOPES, site_tokens
from recsite.errors import InvalidInput
from recsite.storage.tables import now
from recsite.web.admin.forms import TokenForm
from recsite.web.admin.overview import bp
from recsite.web.request import errors


@bp.get("/tokens/")
def tokens() -> Response:
    """List all tokens, with the form for one of the site; a token that was just made is shown once."""
    created = session.pop("created_token", None)
    response = make_response(tokens_page(created))
    if created:
        response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/tokens/create")
def create_token() -> ResponseReturnValue:
    """Create a token of the site, which the next page shows; loading that page again makes no other."""
    try:
        form = TokenForm.read()
        scopes = request.form.getlist("scope")
        made = site_tokens.create(form.label.data or "", scopes, form.days.data, current_user.username)
    except InvalidInput as error:
        return errors.show_again(tokens_page, error)
    session["created_token"] = made
    return redirect(url_for(".tokens"), 303)


@bp.post("/tokens/<id:token_id>/revoke")
def revoke_token(token_id: int) -> ResponseReturnValue:
    """Delete the token, which stops working at once."""
    site_tokens.revoke(token_id, current_user.username)
    flash("The token is revoked.")
    return redirect(url_for(".tokens"), 303)


def tokens_page(created: str | None = None) -> str:
    """Render the page, with a newly made token if there is one."""
    return render_template(
        "admin/tokens.html",
        tokens=site_tokens.list_all(),
        scopes=SCOPES,
        created=created,
        now=now(),
        longest_label=site_tokens.LONGEST_LABEL,
        longest_days=site_tokens.LONGEST_DAYS,
        key_marks=[mark_of(key) for key in current_app.config["WIDGET_KEY"]],
    )


def mark_of(key: str) -> str:
    """Return a text that tells keys apart and does not reveal them."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]
