"""For admins: the versions of the model, which one is active, training another; and hiding movies."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from .. import catalog, comparison, jobs, versions
from ..comparison import Comparison
from ..errors import NothingToRollBackTo, QueueUnavailable, UntrustedVersion
from ..extensions import login_manager, queueing
from ..models import LARGEST_ID
from . import options

bp = Blueprint("admin", __name__, url_prefix="/admin")

LONGEST_REASON = 500


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
def index() -> ResponseReturnValue:
    """The models are what there is to look after."""
    return redirect(url_for(".models"))


@bp.get("/models/")
def models() -> str:
    """Every version, every activation, and a form to train."""
    return render_template(
        "admin/models.html", versions=versions.list_versions(), activations=versions.list_activations()
    )


@bp.get("/models/preview")
def preview() -> str:
    """What would change if this version took over from the active one, and a form to let it."""
    version_name = options.one("version_name") or ""
    return preview_page(version_name, comparison.compare(version_name))


@bp.post("/models/activate")
def activate() -> ResponseReturnValue:
    """This version answers from now on, unless its files are not what was recorded.

    One that is clearly worse takes `confirmed` and a reason; without them the answer is a 409 that asks for both.
    """
    chosen, reason = options.field("version_name"), options.field("reason", LONGEST_REASON).strip()
    try:
        if options.field("confirmed") == "true" and reason:
            versions.activate(chosen, current_user.username, reason)
        elif worse := comparison.activate_unless_worse(chosen, current_user.username, reason):
            return preview_page(chosen, worse, reason, is_refused=True), 409
    except UntrustedVersion as error:
        flash(str(error), "error")
    else:
        flash(f"{chosen} is active.")
    return redirect(url_for(".models"), 303)


@bp.post("/models/rollback")
def roll_back() -> ResponseReturnValue:
    """The version that the active one replaced answers again."""
    try:
        version = versions.roll_back(current_user.username, options.field("reason", LONGEST_REASON))
    except (NothingToRollBackTo, UntrustedVersion) as error:
        flash(str(error), "error")
    else:
        flash(f"{version.version_name} is active again.")
    return redirect(url_for(".models"), 303)


@bp.post("/models/train")
def train() -> ResponseReturnValue:
    """A training is queued for a worker; a 503 when there is no queue to put it in."""
    try:
        job = queueing.enqueue(
            jobs.train,
            activate="activate" in request.form,
            by=current_user.username,
            description="train a version",
            factors=options.whole_field("factors", 1, 2000),
            epochs=options.whole_field("epochs", 1, 1000),
            folds=options.whole_field("folds", 2, 20),
            seed=options.whole_field("seed", 0, 2**32 - 1),
        )
    except QueueUnavailable:
        flash("Redis does not answer, so no training was queued. Start it and try again.", "error")
        return models(), 503, {"Retry-After": "10"}
    flash(f"Training is queued as job {job.id}; the version stands here when it is done.")
    return redirect(url_for(".models"), 303)


@bp.post("/movies/hide")
def hide_movie() -> ResponseReturnValue:
    """The movie is in no list from now on."""
    movie_id = options.whole_field("movie_id", 1, LARGEST_ID)
    catalog.hide(movie_id)
    return redirect(url_for("movies.detail", movie_id=movie_id), 303)


@bp.post("/movies/show")
def show_movie() -> ResponseReturnValue:
    """The movie is there again for everybody."""
    movie_id = options.whole_field("movie_id", 1, LARGEST_ID)
    catalog.show(movie_id)
    return redirect(url_for("movies.detail", movie_id=movie_id), 303)


def preview_page(version_name: str, found: Comparison | None, reason: str = "", *, is_refused: bool = False) -> str:
    """The comparison and the form to activate; when refused it says so, and keeps the reason that was given."""
    return render_template(
        "admin/preview.html",
        version=versions.find(version_name),
        found=found,
        reason=reason,
        is_refused=is_refused,
        text_of=comparison.text_of,
    )
