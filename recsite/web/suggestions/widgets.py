"""The page about widgets: two working examples, and the lines to copy into another site's pages."""

from pathlib import Path

from flask import Blueprint, current_app, render_template, request, url_for

from recsite.accounts import widget_tokens
from recsite.web.request import viewer

bp = Blueprint("widgets", __name__, url_prefix="/widgets")

EXAMPLE_USER_ID = 123
"The user in the lines to copy if the viewer is not logged in."
SCRIPT = "suggestions.js"
STYLE = "widget.css"
SIGNED_SECONDS = 600
"How long the token of the example on the page is valid."
SIGNING = {
    "Python": """\
# pip install PyJWT
claims = {"sub": "cust-42", "scope": "suggestions:read", "exp": int(time.time()) + 3600}
token = jwt.encode(claims, os.environ["WIDGET_KEY"], algorithm="HS256")""",
    "PHP": """\
// composer require firebase/php-jwt
$claims = ['sub' => 'cust-42', 'scope' => 'suggestions:read', 'exp' => time() + 3600];
$token = Firebase\\JWT\\JWT::encode($claims, getenv('WIDGET_KEY'), 'HS256');""",
    "Node": """\
// npm install jsonwebtoken
const claims = {sub: "cust-42", scope: "suggestions:read"};
const token = jwt.sign(claims, process.env.WIDGET_KEY, {algorithm: "HS256", expiresIn: "1h"});""",
}
"How a site's server makes a user token, by language."


@bp.get("/")
def page() -> str:
    """Show the HTMX widget and the fetch widget with the viewer's list, and the lines that embed them."""
    user_id = viewer.user_id()
    static = Path(current_app.static_folder or "")
    return render_template(
        "suggestions/widgets.html",
        user_id=user_id or EXAMPLE_USER_ID,
        is_live=user_id is not None,
        address=request.host_url.rstrip("/"),
        has_key=bool(current_app.config["WIDGET_KEY"]),
        signed_path=signed_path(user_id) if user_id else None,
        signing=SIGNING,
        script=(static / SCRIPT).read_text(encoding="utf-8").partition("\n")[2].strip(),
        style=(static / STYLE).read_text(encoding="utf-8").strip(),
        is_open=current_app.config["API_AUTH"] == "open",
        origins=current_app.config["CORS_ORIGINS"],
    )


def signed_path(user_id: int) -> str | None:
    """Return the path of the user's list with a token of its own; None without WIDGET_KEY."""
    keys = current_app.config["WIDGET_KEY"]
    if not keys:
        return None
    claims = {"user_id": user_id, "scope": widget_tokens.SCOPES[0]}
    token = widget_tokens.make(keys[0], claims, SIGNED_SECONDS)
    return url_for("suggestions.list_suggestions", user_token=token, limit=5)
