"""Admin pages of background jobs: the runs, live, and starting, cancelling and retrying them."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite import jobs
from recsite.errors import InvalidInput, QueueUnavailable, RunInTheWay, RunIsOver
from recsite.versions import training
from recsite.web.admin.overview import bp
from recsite.web.request import forms, htmx
from recsite.web.request.errors import show_again

RUNS_SHOWN = 30
PARAMETERS = {
    "score": {"top": (1, 1000)},
    "train": {"epochs": (1, 1000), "factors": (1, 2000), "folds": (2, 20), "seed": (0, 2**32 - 1)},
    "averages": {},
    "export-ratings": {},
    "export-movies": {},
    "reach": {},
}
"The kinds that may be started here, with the range of each parameter; the settings stand in for an empty field."


@bp.get("/jobs/", endpoint="jobs")
def show_jobs() -> str:
    """Show the live and the latest runs; for HTMX only the table, which refreshes itself."""
    latest = jobs.list_latest(RUNS_SHOWN)
    if htmx.is_htmx():
        return render_template("admin/_runs.html", runs=latest)
    return render_template("admin/jobs.html", runs=latest, advice=training.advise())


@bp.post("/jobs/start")
def start_job() -> ResponseReturnValue:
    """Start a run; answer 409 while another one is in the way, and 503 without Redis."""
    kind = forms.field("kind")
    if kind not in PARAMETERS:
        raise InvalidInput(f"kind must be one of: {', '.join(PARAMETERS)}.")
    chosen: dict[str, Any] = {
        name: forms.whole_field(name, *limits) for name, limits in PARAMETERS[kind].items() if forms.field(name)
    }
    if kind == "train":
        chosen["activate"] = "activate" in request.form
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
    """Queue what the run left undone; answer 409 if that is nothing or a run is in the way, and 503 without Redis."""
    try:
        jobs.retry(run_id, current_user.username)
    except (RunIsOver, RunInTheWay, QueueUnavailable) as error:
        return show_again(show_jobs, error)
    return go_back(f"Run {run_id} is queued again.")


def go_back(message: str) -> ResponseReturnValue:
    """Redirect to the page of jobs, which shows this message."""
    flash(message)
    return redirect(url_for(".jobs"), 303)
