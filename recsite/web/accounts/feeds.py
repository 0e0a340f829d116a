"""The page of my feeds: make one, see them, remove one."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

from flask import Response, flash, make_response, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from recsite.accounts import feeds
from recsite.errors import InvalidInput
from recsite.web.accounts.login import bp
from recsite.web.request import errors


@bp.get("/feeds/", endpoint="feeds")
@login_required
def show_feeds() -> Response:
    """List the user's feeds; the addresses of one that was just made are shown once."""
    created = session.pop("created_feed", None)
    response = make_response(feeds_page(created))
    if created:
        response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/feeds/create")
@login_required
def create_feed() -> ResponseReturnValue:
    """Create a feed, whose addresses the next page shows; loading that page again makes no other."""
    try:
        session["created_feed"] = feeds.create(current_user.id)
    except InvalidInput as error:
        return errors.show_again(feeds_page, error)
    return redirect(url_for(".feeds"), 303)


@bp.post("/feeds/<id:feed_id>/remove")
@login_required
def remove_feed(feed_id: int) -> ResponseReturnValue:
    """Delete the feed, which stops working at once."""
    feeds.revoke(feed_id, current_user.id)
    flash("The feed is removed. Its addresses do not work any more.")
    return redirect(url_for(".feeds"), 303)


def feeds_page(created: str | None = None) -> str:
    """Render the page, with the addresses of a newly made feed if there is one."""
    return render_template("accounts/feeds.html", feeds=feeds.list_of(current_user.id), created=created)
