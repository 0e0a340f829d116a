"""Suggestions on other sites' pages: two living examples with the lines to copy."""

from pathlib import Path

from flask import Blueprint, current_app, render_template, request

from recsite.web.request import viewer

bp = Blueprint("widgets", __name__, url_prefix="/widgets")

EXAMPLE_USER_ID = 123
"Stands in the lines of whoever is not logged in."
SCRIPT = "suggestions.js"


@bp.get("/")
def page() -> str:
    """The HTMX widget and the fetch widget at work for the viewer, and what another site's page needs of them."""
    user_id = viewer.user_id()
    script = Path(current_app.static_folder or "") / SCRIPT
    return render_template(
        "suggestions/widgets.html",
        user_id=user_id or EXAMPLE_USER_ID,
        is_live=user_id is not None,
        address=request.url_root.rstrip("/"),
        script=script.read_text(encoding="utf-8").partition("\n")[2].strip(),
        is_open=current_app.config["API_AUTH"] == "open",
        origins=current_app.config["CORS_ORIGINS"],
    )
