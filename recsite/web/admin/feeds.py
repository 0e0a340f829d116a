"""The admin page of feeds: those of all users, to see and to revoke."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite.accounts import feeds as user_feeds
from recsite.web.admin.overview import bp


@bp.get("/feeds/")
def feeds() -> str:
    """List the feeds of all users; their addresses are secret and not shown."""
    return render_template("admin/feeds.html", feeds=user_feeds.list_all())


@bp.post("/feeds/<id:feed_id>/revoke")
def revoke_feed(feed_id: int) -> ResponseReturnValue:
    """Delete the feed, which stops working at once."""
    user_feeds.revoke_as_admin(feed_id, current_user.username)
    flash("The feed is revoked. Its addresses do not work any more.")
    return redirect(url_for(".feeds"), 303)
