"""Numbers, plurals and headings of tables in templates."""

import re
from datetime import UTC, date, datetime

import pytest

from recsite.config import ROOT
from recsite.web.template_filters import day, plural, thousands

TEMPLATES = sorted((ROOT / "recsite/web/templates").rglob("*.html"))


@pytest.mark.parametrize(
    ("number", "words"),
    ((0, "0 ratings"), (1, "1 rating"), (1234, "1,234 ratings"), (0.5, "0.5 ratings"), (1.0, "1 rating")),
)
def test_a_number_stands_with_its_noun(number: float, words: str) -> None:
    assert plural(number, "rating") == words


def test_thousands_are_separated() -> None:
    assert [thousands(number) for number in (999, 1000, 1_234_567, 4.5)] == ["999", "1,000", "1,234,567", "4.5"]


def test_every_heading_of_a_table_has_words_and_a_scope() -> None:
    wrong = [
        f"{path.name}: {heading}"
        for path in TEMPLATES
        for heading in re.findall(r"<th\b[^>]*>(?:</th>)?", path.read_text())
        if "scope=" not in heading or heading.endswith("</th>")
    ]

    assert wrong == []


def test_no_template_counts_by_hand() -> None:
    assert [path.name for path in TEMPLATES if '{:,}"' in path.read_text() or '== 1 else "s"' in path.read_text()] == []


def test_a_day_has_no_leading_zero() -> None:
    assert [day(date(2026, 1, 5)), day(datetime(2026, 11, 25, 23, 59, tzinfo=UTC))] == [
        "5 January 2026",
        "25 November 2026",
    ]


def test_no_date_has_a_format_of_one_system_alone() -> None:
    sources = [*TEMPLATES, *(ROOT / "recsite").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]

    assert [path.name for path in sources if re.search(r"%[-#][a-zA-Z]", path.read_text())] == []
