"""What every open page has to hold: nothing keeps somebody out, and nothing is cut off at the side."""

from collections.abc import Iterable
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

from tests.browser.conftest import NARROW, WIDE

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
COLOUR_RULES = ("color-contrast", "link-in-text-block")
"The rules whose result depends on the colours, which is all that differs in a dark page."
GRAVE = ("serious", "critical")
SMALLEST = 320
"CSS pixels; WCAG 2.2, 1.4.10: a page of this width has to be scrolled in one direction only."
RUN_AXE = "only => axe.run({runOnly: only, resultTypes: ['violations']}).then(found => found.violations)"


def find_violations(page: Page) -> list[str]:
    """Every serious or critical violation on the page as it stands now, light and dark, one line each; [] for none."""
    if not page.evaluate("() => 'axe' in window"):
        # Through the debugger, so that the page keeps its strict security policy.
        page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    violations = run_axe(page, "tag", TAGS)
    page.emulate_media(color_scheme="dark")
    violations += run_axe(page, "rule", COLOUR_RULES)
    page.emulate_media(color_scheme="light")
    return violations


def run_axe(page: Page, kind: str, names: Iterable[str]) -> list[str]:
    """Every serious or critical violation of the rules of this kind, one line each."""
    found: list[dict[str, Any]] = page.evaluate(RUN_AXE, {"type": kind, "values": list(names)})
    return [
        f"{page.url} {violation['impact']} {violation['id']}: {violation['help']}: {node['html'][:120]} "
        f"{node['failureSummary']}"
        for violation in found
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def find_overflows(page: Page) -> list[str]:
    """Return the widths of windows in which the page has to be scrolled sideways; [] for none."""
    before = page.viewport_size
    overflows = []
    for width in (SMALLEST, NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            overflows.append(f"{page.url} at {width}")
    if before is not None:
        page.set_viewport_size(before)
    return overflows


def find_problems(page: Page, paths: Iterable[str]) -> list[str]:
    """Return the violations and overflows of these pages of the site, one line each; [] for none."""
    problems = []
    for path in paths:
        page.goto(path)
        problems += find_violations(page) + find_overflows(page)
    return problems
