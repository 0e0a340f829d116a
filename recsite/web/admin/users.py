"""Admin pages of users: their rights, ratings and suggestions."""

from flask import Response, flash, make_response, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite import ratings, suggestions
from recsite.accounts import user_admin
from recsite.errors import InvalidInput
from recsite.storage import audit
from recsite.web.admin.forms import AdminForm, RatingForm
from recsite.web.admin.overview import ROWS, bp
from recsite.web.request import query_string

RATINGS_SHOWN = 25
CHANGES_SHOWN = 20


@bp.get("/users/")
def users() -> str:
    """List users, searched by name, address or id."""
    query = query_string.text("q") or None
    who = query_string.choice("who", user_admin.WHO, default=user_admin.WHO[0])
    found = user_admin.search(query, who, query_string.page_number(), ROWS)
    chosen = {"q": query, "who": who}
    return render_template("admin/users.html", found=found, chosen=chosen, who=user_admin.WHO)


@bp.get("/users/<id:user_id>/")
def user(user_id: int) -> Response:
    """Show one user with their rights, ratings, and earlier changes; a password that was just drawn is shown once."""
    drawn_for, password = session.pop("drawn_password", (None, None))
    response = make_response(user_page(user_id, password if drawn_for == user_id else None))
    if password:
        response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/users/<id:user_id>/suggestions/")
def user_suggestions(user_id: int) -> str:
    """List every suggestion stored for the user, and its outcome."""
    found = user_admin.suggestions_of(user_id, query_string.page_number(), ROWS)
    return render_template("admin/user_suggestions.html", member=user_admin.find(user_id), found=found)


@bp.post("/users/<id:user_id>/admin")
def set_admin(user_id: int) -> ResponseReturnValue:
    """Make the user an admin if the form says `is_admin=true`, else take that away."""
    is_admin = AdminForm.read().is_admin.data
    try:
        user_admin.set_admin(user_id, is_admin, current_user.username)
    except InvalidInput as error:
        flash(str(error), "error")
    else:
        flash("The user is an admin." if is_admin else "The user is no admin any more.")
    return redirect(url_for(".user", user_id=user_id), 303)


@bp.post("/users/<id:user_id>/tokens/revoke")
def revoke_tokens(user_id: int) -> ResponseReturnValue:
    """Delete the user's API tokens."""
    flash(f"Tokens revoked: {user_admin.revoke_tokens(user_id, current_user.username)}.")
    return redirect(url_for(".user", user_id=user_id), 303)


@bp.post("/users/<id:user_id>/login/stop")
def stop_login(user_id: int) -> ResponseReturnValue:
    """Remove the user's password."""
    try:
        user_admin.stop_login(user_id, current_user.username)
    except InvalidInput as error:
        flash(str(error), "error")
    else:
        flash("The user cannot log in any more.")
    return redirect(url_for(".user", user_id=user_id), 303)


@bp.post("/users/<id:user_id>/login/password")
def draw_password(user_id: int) -> ResponseReturnValue:
    """Give the user a random password, which the next page shows; loading that page again draws no other."""
    session["drawn_password"] = (user_id, user_admin.draw_password(user_id, current_user.username))
    return redirect(url_for(".user", user_id=user_id), 303)


@bp.post("/users/<id:user_id>/ratings/remove")
def remove_rating(user_id: int) -> ResponseReturnValue:
    """Delete the user's rating of the movie in the form."""
    suggestions.remove_rating(user_id, RatingForm.read().movie_id.data, current_user.username)
    flash("The rating is removed.")
    return redirect(url_for(".user", user_id=user_id), 303)


def user_page(user_id: int, password: str | None = None) -> str:
    """Render the page of one user, with a newly drawn password if there is one."""
    return render_template(
        "admin/user.html",
        member=user_admin.find(user_id),
        found=ratings.ratings_of(user_id, query_string.page_number(), RATINGS_SHOWN),
        changes=audit.entries(1, CHANGES_SHOWN, kind="user", subject=str(user_id)).items,
        password=password,
    )
