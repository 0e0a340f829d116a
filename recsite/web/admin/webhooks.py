"""The admin page of webhooks: where they go, the last deliveries, and a button to send one again."""

from flask import current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite.jobs import webhooks as sending
from recsite.storage import webhooks as outbox
from recsite.web.admin.overview import bp
from recsite.web.request import query_string

ROWS = 50


@bp.get("/webhooks/")
def webhooks() -> str:
    """List the hosts that are told of events and the deliveries, newest first."""
    return render_template(
        "admin/webhooks.html",
        hosts=[outbox.host_of(url) for url in current_app.config["WEBHOOK_URL"]],
        found=outbox.list_latest(query_string.page_number(), ROWS),
        most_attempts=len(sending.RETRY_DELAYS) + 1,
        kept=outbox.KEPT,
    )


@bp.post("/webhooks/<id:delivery_id>/send-again")
def send_again(delivery_id: int) -> ResponseReturnValue:
    """Let a worker send the delivery anew."""
    flash(sending.send_again(delivery_id, current_user.username))
    return redirect(url_for(".webhooks"), 303)
