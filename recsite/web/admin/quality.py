"""For admins: what became of suggestions, by version, and how much of the catalogue they show."""

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
"Of one page."


@bp.get("/quality/")
def online_quality() -> str:
    """Each version's acceptance, its predictions beside what was given, and the calibration of one."""
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
    """What the lists show of the catalogue: never, by almost everybody, and over time."""
    return reach_page()


@bp.post("/reach/measure")
def measure_reach() -> ResponseReturnValue:
    """A worker counts the lists anew; a 503 when there is no queue to put that in."""
    try:
        jobs.start("reach", current_user.username)
    except QueueUnavailable as error:
        return show_again(reach_page, error)
    flash("A worker counts the lists; the figures stand here when it is done.")
    return redirect(url_for(".catalog_reach"), 303)


def reach_page() -> str:
    """The last measure, the measures over time, and the movies behind them."""
    measures = coverage.measures()
    return render_template(
        "admin/reach.html",
        measures=measures,
        charts=charts.reach_charts(measures),
        most=coverage.most_suggested(MOST_SUGGESTED),
        never=coverage.never_suggested(query_string.page_number(), NEVER_SUGGESTED),
        share=coverage.WIDESPREAD_SHARE,
    )
