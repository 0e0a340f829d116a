"""What the scheduled training does with its version: AUTO_ACTIVATE decides, and the audit log says why."""

from flask import current_app

from recsite import versions
from recsite.extensions import db
from recsite.storage import audit
from recsite.suggestions.quality import comparison
from recsite.suggestions.quality.comparison import Comparison

DECISIVE = ("NDCG@10 by time", "RMSE")
"Names of the figures that say whether a version is better: the first one that both versions have."


def activate_if_allowed(version_name: str, by: str) -> tuple[bool, str]:
    """Activate the version if AUTO_ACTIVATE allows it; return whether it is active, and why or why not.

    The audit log has the reason in either case. Without an active version there is nothing to compare with, and only
    'never' keeps it from being activated.

    Raises:
        VersionNotFound: no version has this name.
        UntrustedVersion: its files cannot be read or are changed.
    """
    policy: str = current_app.config["AUTO_ACTIVATE"]
    objection, reason = judge(policy, None if policy == "never" else comparison.compare(version_name))
    if objection is not None:
        audit.record(by, "leave inactive", "version", version_name, reason=objection)
        db.session.commit()
        return False, objection
    versions.activate(version_name, by, reason)
    return True, reason


def judge(policy: str, found: Comparison | None) -> tuple[str | None, str]:
    """Return the objection to an activation, None if there is none, and otherwise the reason for it."""
    prefix = f"AUTO_ACTIVATE is {policy}"
    if policy == "never":
        return f"{prefix}.", ""
    if found is None:
        return None, f"{prefix}, and no version is active."
    if found.is_clearly_worse:
        return f"It is clearly worse than {found.active_name}. {' '.join(found.objections)}", ""
    change = describe_decisive(found)
    if policy == "if-better" and not is_better(found):
        return f"{prefix}, and it is not better than {found.active_name}. {change}", ""
    return None, f"{prefix}, and it is not clearly worse than {found.active_name}. {change}"


def is_better(found: Comparison) -> bool:
    """Return whether the decisive figure is better; False where the versions have none in common."""
    figures = {figure.name: figure for figure in found.figures}
    figure = next((figures[name] for name in DECISIVE if name in figures), None)
    if figure is None or figure.tolerated is None:
        return False
    return (figure.proposed - figure.active) * figure.tolerated < 0


def describe_decisive(found: Comparison) -> str:
    """Return a sentence with the decisive figures of both versions."""
    said = [
        f"{each.name}: {comparison.format_figure(each.active)} before, {comparison.format_figure(each.proposed)} now"
        for each in found.figures
        if each.name in DECISIVE
    ]
    return f"{'; '.join(said)}." if said else ""
