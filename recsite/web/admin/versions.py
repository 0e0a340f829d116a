"""Admin pages of model versions: their metrics over time, comparison, activation and rollback."""

from collections.abc import Sequence
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite import jobs, versions
from recsite.errors import NothingToRollBackTo, UntrustedVersion
from recsite.storage.tables import ModelVersion
from recsite.suggestions.quality import acceptance, comparison
from recsite.suggestions.quality.comparison import Comparison
from recsite.versions import evaluation
from recsite.web.admin.charts import Chart, Value, line_chart
from recsite.web.admin.forms import ActivationForm, ReasonForm
from recsite.web.admin.overview import bp
from recsite.web.request import query_string

VERSIONS_CHARTED = 30
ACTIVATIONS_SHOWN = 50


@bp.get("/models/")
def models() -> str:
    """List every version, its metrics over time, and the latest activations."""
    found = versions.list_versions()
    return render_template(
        "admin/models.html",
        versions=found,
        charts=charts_of(found),
        activations=versions.list_activations(ACTIVATIONS_SHOWN),
        lists_of=lists_of,
        missing_reason=evaluation.missing_reason,
    )


@bp.get("/models/compare")
def compare() -> str:
    """Compare any two versions: parameters, metrics, the lists they make, acceptance."""
    old_name, new_name = query_string.text("old"), query_string.text("new")
    context = two_versions(versions.find(old_name), versions.find(new_name)) if old_name and new_name else {}
    return render_template(
        "admin/compare.html", versions=versions.list_versions(), chosen=(old_name, new_name), **context
    )


def two_versions(old: ModelVersion, new: ModelVersion) -> dict[str, Any]:
    """Return the context of the comparison, without lists if the files of a version are missing or changed."""
    if old is new:
        return {"old": old, "new": new}
    online = {each.version_id: each for each in acceptance.measure_versions(acceptance.USUAL_PERIOD)}
    found, problem = None, None
    try:
        found = comparison.compare_two(old, new)
    except UntrustedVersion as error:
        problem = str(error)
    return {
        "old": old,
        "new": new,
        "found": found,
        "problem": problem,
        "figures_found": found.figures if found else comparison.recorded_figures(old, new),
        "online": (online[old.id], online[new.id]),
        "set_ups": comparison.compare_parameters(old, new),
        "text_of": comparison.format_figure,
        "rules": acceptance,
    }


@bp.get("/models/preview")
def preview() -> str:
    """Show what would change if this version became active, with a form to activate it."""
    version_name = query_string.text("version_name") or ""
    return preview_page(version_name, comparison.compare(version_name))


@bp.post("/models/activate")
def activate() -> ResponseReturnValue:
    """Activate the version; a clearly worse one needs `confirmed` and a reason, else the response is a 409."""
    form = ActivationForm.read()
    chosen, reason = form.version_name.data or "", form.reason.data or ""
    try:
        if form.confirmed.data and reason:
            versions.activate(chosen, current_user.username, reason)
        elif worse := comparison.activate_unless_worse(chosen, current_user.username, reason):
            return preview_page(chosen, worse, reason, is_refused=True), 409
    except UntrustedVersion as error:
        flash(str(error), "error")
    else:
        flash(f"{chosen} is active. {jobs.score_after_activation(current_user.username)}")
    return redirect(url_for(".models"), 303)


@bp.post("/models/rollback")
def roll_back() -> ResponseReturnValue:
    """Activate the version that the active one replaced."""
    try:
        version = versions.roll_back(current_user.username, ReasonForm.read().reason.data or "")
    except (NothingToRollBackTo, UntrustedVersion) as error:
        flash(str(error), "error")
    else:
        flash(f"{version.version_name} is active again. {jobs.score_after_activation(current_user.username)}")
    return redirect(url_for(".models"), 303)


def preview_page(version_name: str, found: Comparison | None, reason: str = "", *, is_refused: bool = False) -> str:
    """Render the comparison and the form; after a refusal, show it and keep the reason that was typed."""
    return render_template(
        "admin/preview.html",
        version=versions.find(version_name),
        found=found,
        reason=reason,
        is_refused=is_refused,
        text_of=comparison.format_figure,
    )


def lists_of(version: ModelVersion) -> dict[str, float]:
    """Return the version's ranking metrics on a split by time; empty if there were too few ratings."""
    return comparison.ranking_of(version, "time")


def charts_of(found: Sequence[ModelVersion]) -> list[Chart]:
    """Return the charts of the newest versions, oldest first; none for fewer than two versions."""
    shown = list(reversed(found[:VERSIONS_CHARTED]))
    if len(shown) < 2:
        return []

    def chart(key: str, title: str, hint: str, values: Sequence[float | None]) -> Chart | None:
        known = [
            Value(version.version_name, value, version.is_active)
            for version, value in zip(shown, values, strict=True)
            if value is not None
        ]
        return line_chart(key, title, hint, known, comparison.format_figure) if known else None

    lists = [lists_of(version) for version in shown]
    charts = (
        chart("rmse", "RMSE, stars", "less is better", [version.rmse for version in shown]),
        chart("ndcg", "NDCG@10 by time", "more is better", [each.get("ndcg_at_10") for each in lists]),
        chart(
            "distinct",
            "Different movies in lists of ten",
            "more is wider",
            [each.get("distinct_movies") for each in lists],
        ),
        chart("ratings", "Ratings trained on", "more is steadier", [version.rating_count for version in shown]),
    )
    return [each for each in charts if each]
