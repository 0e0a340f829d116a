"""Admin pages of background jobs: the live and latest runs, and starting, cancelling and retrying them."""

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite import jobs
from recsite.config import LIST_LENGTH_LIMITS, TRAINING_LIMITS
from recsite.errors import InvalidInput, QueueUnavailable, RunInTheWay, RunIsOver
from recsite.versions import training
from recsite.web.admin.forms import JobForm
from recsite.web.admin.overview import bp
from recsite.web.request import htmx
from recsite.web.request.errors import show_again

RUNS_SHOWN = 30
PARAMETERS = {
    "score": ("top",),
    "train": ("epochs", "factors", "folds", "seed"),
    "averages": (),
    "export-ratings": (),
    "export-movies": (),
    "reach": (),
}
"The kinds of jobs that this page can start, with the numbers of JobForm that each takes."


@bp.get("/jobs/", endpoint="jobs")
def show_jobs() -> str:
    """Show the live and the latest runs; HTMX gets only the table, which refreshes itself."""
    latest = jobs.list_latest(RUNS_SHOWN)
    if htmx.is_htmx():
        return render_template("admin/_runs.html", runs=latest)
    return render_template(
        "admin/jobs.html",
        runs=latest,
        advice=training.advise(),
        training_limits=TRAINING_LIMITS,
        list_limits=LIST_LENGTH_LIMITS,
    )


@bp.post("/jobs/start")
def start_job() -> ResponseReturnValue:
    """Start a run; answer 409 if another run prevents it, and 503 without Redis."""
    form = JobForm.read()
    kind = form.kind.data or ""
    if kind not in PARAMETERS:
        raise InvalidInput(f"kind must be one of: {', '.join(PARAMETERS)}.")
    numbers = {name: form[name].data for name in PARAMETERS[kind]}
    chosen: dict[str, Any] = {name: number for name, number in numbers.items() if number is not None}
    if kind == "train":
        chosen["activate"] = form.activate.data
    try:
        run_id = jobs.start(kind, current_user.username, **chosen)
    except (RunInTheWay, QueueUnavailable) as error:
        return show_again(show_jobs, error)
    return go_back(f"Run {run_id} ({kind}) is queued.")


@bp.post("/jobs/<id:run_id>/cancel")
def cancel_job(run_id: int) -> ResponseReturnValue:
    """Cancel the run; answer 409 if it has ended."""
    try:
        jobs.cancel(run_id, current_user.username)
    except RunIsOver as error:
        return show_again(show_jobs, error)
    return go_back(f"Run {run_id} is cancelled.")


@bp.post("/jobs/<id:run_id>/retry")
def retry_job(run_id: int) -> ResponseReturnValue:
    """Queue the unfinished part of a run; answer 409 if there is none or a run prevents it, and 503 without Redis."""
    try:
        jobs.retry(run_id, current_user.username)
    except (RunIsOver, RunInTheWay, QueueUnavailable) as error:
        return show_again(show_jobs, error)
    return go_back(f"Run {run_id} is queued again.")


def go_back(message: str) -> ResponseReturnValue:
    """Redirect to the page of jobs, which shows this message."""
    flash(message)
    return redirect(url_for(".jobs"), 303)
