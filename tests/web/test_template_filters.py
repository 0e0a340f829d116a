"""Numbers, plurals and headings of tables in templates."""

import re

import pytest

from recsite.config import ROOT
from recsite.web.template_filters import plural, thousands

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
