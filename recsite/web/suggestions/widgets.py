"""The page about widgets: two working examples, and the lines to copy into another site's pages."""

from pathlib import Path

from flask import Blueprint, current_app, render_template, request

from recsite.web.request import viewer

bp = Blueprint("widgets", __name__, url_prefix="/widgets")

EXAMPLE_USER_ID = 123
"The user in the lines to copy if the viewer is not logged in."
SCRIPT = "suggestions.js"


@bp.get("/")
def page() -> str:
    """Show the HTMX widget and the fetch widget with the viewer's list, and the lines that embed them."""
    user_id = viewer.user_id()
    script = Path(current_app.static_folder or "") / SCRIPT
    return render_template(
        "suggestions/widgets.html",
        user_id=user_id or EXAMPLE_USER_ID,
        is_live=user_id is not None,
        address=request.host_url.rstrip("/"),
        script=script.read_text(encoding="utf-8").partition("\n")[2].strip(),
        is_open=current_app.config["API_AUTH"] == "open",
        origins=current_app.config["CORS_ORIGINS"],
    )
