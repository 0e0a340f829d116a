"""For admins: the runs, live; starting, cancelling and retrying them."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite.errors import InvalidInput, QueueUnavailable, RunInTheWay, RunIsOver
from recsite.jobs import dispatch, runs
from recsite.versions import training
from recsite.web.admin.overview import bp
from recsite.web.request import forms, htmx

RUNS_SHOWN = 30
PARAMETERS = {
    "score": {"top": (1, 1000)},
    "train": {"epochs": (1, 1000), "factors": (1, 2000), "folds": (2, 20), "seed": (0, 2**32 - 1)},
    "averages": {},
    "export-ratings": {},
    "export-movies": {},
    "reach": {},
}
"What may be started here, and the least and the most of each of its numbers; one that is left empty is as configured."


@bp.get("/jobs/")
def jobs() -> ResponseReturnValue:
    """What is queued, running and done; under HTMX the table alone, which asks again by itself."""
    return jobs_page()


@bp.post("/jobs/start")
def start_job() -> ResponseReturnValue:
    """A run is queued; a 409 names the one in its way, a 503 says that there is no queue."""
    kind = forms.field("kind")
    if kind not in PARAMETERS:
        raise InvalidInput(f"kind must be one of: {', '.join(PARAMETERS)}.")
    chosen: dict[str, Any] = {
        name: forms.whole_field(name, *limits) for name, limits in PARAMETERS[kind].items() if forms.field(name)
    }
    if kind == "train":
        chosen["activate"] = "activate" in request.form
    try:
        run_id = dispatch.start(kind, current_user.username, **chosen)
    except (RunInTheWay, QueueUnavailable) as error:
        return refused(error)
    flash(f"Run {run_id} ({kind}) is queued.")
    return redirect(url_for(".jobs"), 303)


@bp.post("/jobs/<id:run_id>/cancel")
def cancel_job(run_id: int) -> ResponseReturnValue:
    """The run ends; what it has done stays."""
    try:
        dispatch.cancel(run_id, current_user.username)
    except RunIsOver as error:
        return refused(error)
    flash(f"Run {run_id} is cancelled.")
    return redirect(url_for(".jobs"), 303)


@bp.post("/jobs/<id:run_id>/retry")
def retry_job(run_id: int) -> ResponseReturnValue:
    """What the run left undone is queued."""
    try:
        dispatch.retry(run_id, current_user.username)
    except (RunIsOver, RunInTheWay, QueueUnavailable) as error:
        return refused(error)
    flash(f"Run {run_id} is queued again.")
    return redirect(url_for(".jobs"), 303)


def refused(error: RunIsOver | RunInTheWay | QueueUnavailable) -> ResponseReturnValue:
    """The page with what was in the way."""
    if isinstance(error, QueueUnavailable):
        flash("Redis does not answer, so nothing was queued. Start it and try again.", "error")
        return jobs_page(), 503, {"Retry-After": "10"}
    flash(str(error), "error")
    return jobs_page(), 409


def jobs_page() -> str:
    """The page, or its table."""
    found = runs.list_latest(RUNS_SHOWN)
    if htmx.is_htmx():
        return render_template("admin/_runs.html", runs=found)
    return render_template("admin/jobs.html", runs=found, advice=training.advise())
