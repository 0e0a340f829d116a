"""The blueprint of the admin pages, their access check, the overview and the audit log."""

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite import jobs
from recsite.extensions import login_manager
from recsite.jobs import health
from recsite.storage import audit
from recsite.suggestions.quality import acceptance, comparison, overview
from recsite.versions import evaluation, training
from recsite.web.request import query_string

bp = Blueprint("admin", __name__, url_prefix="/admin")

ROWS = 50
"Rows per page of a table."
LAST_CHANGES = 5
LAST_RUNS = 5


@bp.before_request
def admit_admins() -> ResponseReturnValue | None:
    """Ask visitors to log in; answer 403 to users without admin rights."""
    if not current_user.is_authenticated:
        answer: ResponseReturnValue = login_manager.unauthorized()
        return answer
    if not current_user.is_admin:
        abort(403, "Only admins may see this.")
    return None


@bp.get("/")
def index() -> str:
    """Show the overview: the active version, counts, health, latest jobs and changes."""
    serving = overview.find_serving()
    return render_template(
        "admin/overview.html",
        serving=serving,
        better=overview.find_better(serving.version) if serving else None,
        counts=overview.count_records(),
        parts=health.glance(),
        advice=training.advise(),
        rules=acceptance,
        lists_of=comparison.ranking_of,
        missing_reason=evaluation.missing_reason,
        latest_runs=jobs.list_latest(LAST_RUNS),
        changes=audit.latest(LAST_CHANGES),
    )


@bp.get("/audit/")
def audit_log() -> str:
    """List the changes made by admins, newest first, filtered by author or kind."""
    chosen = {"by": query_string.text("by") or None, "kind": query_string.text("kind") or None}
    found = audit.entries(query_string.page_number(), ROWS, **chosen)
    return render_template("admin/audit.html", found=found, chosen=chosen, authors=audit.authors(), kinds=audit.KINDS)
