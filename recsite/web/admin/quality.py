"""Admin pages of quality: acceptance of suggestions by version, calibration, and coverage of the catalogue."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite import jobs, versions
from recsite.errors import QueueUnavailable
from recsite.suggestions.quality import acceptance, coverage
from recsite.web.admin import charts
from recsite.web.admin.overview import bp
from recsite.web.request import query_string
from recsite.web.request.errors import show_again

MOST_SUGGESTED = 15
NEVER_SUGGESTED = 25
"Movies per page."


@bp.get("/quality/")
def online_quality() -> str:
    """Show each version's acceptance and error on later ratings, and the calibration of one version."""
    periods = [str(each) for each in acceptance.PERIODS]
    days = int(query_string.choice("days", periods, default=str(acceptance.USUAL_PERIOD)))
    found = acceptance.measure_versions(days)
    active = versions.find_active()
    name = query_string.text("version") or (active.version_name if active else None)
    chosen = next((each for each in found if each.version_name == name), None)
    deciles = acceptance.deciles(chosen.version_id, days) if chosen else []
    return render_template(
        "admin/quality.html",
        found=found,
        active=active,
        chosen=chosen,
        days=days,
        deciles=deciles,
        marks=charts.calibration_marks(deciles),
        side=charts.SIDE,
        rules=acceptance,
        measure=coverage.last_measure(),
    )


@bp.get("/reach/")
def catalog_reach() -> str:
    """Show how much of the catalogue the lists cover over time, and the movies suggested most and never."""
    return reach_page()


@bp.post("/reach/measure")
def measure_reach() -> ResponseReturnValue:
    """Queue a measurement of the lists; answer 503 without Redis."""
    try:
        jobs.start("reach", current_user.username)
    except QueueUnavailable as error:
        return show_again(reach_page, error)
    flash("A worker counts the lists; the figures stand here when it is done.")
    return redirect(url_for(".catalog_reach"), 303)


def reach_page() -> str:
    """Render the coverage over time and the movies behind it."""
    measures = coverage.measures()
    return render_template(
        "admin/reach.html",
        measures=measures,
        charts=charts.reach_charts(measures),
        most=coverage.most_suggested(MOST_SUGGESTED),
        never=coverage.never_suggested(query_string.page_number(), NEVER_SUGGESTED),
        share=coverage.WIDESPREAD_SHARE,
    )
