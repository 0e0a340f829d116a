"""axe-core on an open page: what keeps somebody out is a failure."""

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
GRAVE = ("serious", "critical")


def find_violations(page: Page) -> list[str]:
    """Every serious or critical violation on the page as it stands now, one line each; [] for none."""
    if not page.evaluate("() => 'axe' in window"):
        # Through the debugger, so that the page keeps its strict security policy.
        page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run({runOnly: rules, resultTypes: ['violations']})", list(RULES))
    return [
        f"{page.url} {violation['impact']} {violation['id']}: {violation['help']}: {node['html'][:120]} "
        f"{node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]
