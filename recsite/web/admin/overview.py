"""For admins: who may, the overview, the audit log. The other `admin_*` modules add pages to the same blueprint."""

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite import jobs
from recsite.extensions import login_manager
from recsite.jobs import health
from recsite.storage import audit
from recsite.suggestions.quality import overview
from recsite.versions import training
from recsite.web.request import query_string

bp = Blueprint("admin", __name__, url_prefix="/admin")

ROWS = 50
"Of one page of a table."
LAST_CHANGES = 5
LAST_RUNS = 5


@bp.before_request
def admit_admins() -> ResponseReturnValue | None:
    """Visitors are asked to log in; who is logged in and no admin gets a 403."""
    if not current_user.is_authenticated:
        answer: ResponseReturnValue = login_manager.unauthorized()
        return answer
    if not current_user.is_admin:
        abort(403, "Only admins may see this.")
    return None


@bp.get("/")
def index() -> str:
    """The site at one glance."""
    return render_template(
        "admin/overview.html",
        serving=overview.find_serving(),
        counts=overview.count_records(),
        parts=health.glance(),
        advice=training.advise(),
        latest_runs=jobs.list_latest(LAST_RUNS),
        changes=audit.latest(LAST_CHANGES),
    )


@bp.get("/audit/")
def audit_log() -> str:
    """Every change that an admin made, the newest first; of one person or one kind of thing where that is asked."""
    chosen = {"by": query_string.text("by") or None, "kind": query_string.text("kind") or None}
    found = audit.entries(query_string.page_number(), ROWS, **chosen)
    return render_template("admin/audit.html", found=found, chosen=chosen, authors=audit.authors(), kinds=audit.KINDS)
