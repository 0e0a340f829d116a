"""What the scheduled training does with its version: AUTO_ACTIVATE decides, and the audit log says why."""

from flask import current_app

from recsite import versions
from recsite.extensions import db
from recsite.storage import audit
from recsite.suggestions.quality import comparison
from recsite.suggestions.quality.comparison import Comparison


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
    change = comparison.describe_decisive(found.figures)
    if policy == "if-better" and not comparison.is_better(found.figures):
        return f"{prefix}, and it is not better than {found.active_name}. {change}", ""
    return None, f"{prefix}, and it is not clearly worse than {found.active_name}. {change}"
