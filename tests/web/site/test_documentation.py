"""The documents name every setting and every command, and nothing that does not exist."""

import re
from collections.abc import Iterator

import click
import pytest
from flask import Flask

from recsite import __version__, create_app
from recsite.config import ROOT, SETTINGS

README = (ROOT / "README.md").read_text()
DEPLOYMENT = (ROOT / "deploy" / "README.md").read_text()
DOCUMENTS = (
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "deploy/README.md", "tests/bench/README.md")),
    *(ROOT / ".github" / name for name in ("CONTRIBUTING.md", "SECURITY.md")),
)
FROM_FLASK = {"db", "routes", "run", "shell"}
"Commands that Flask and Flask-Migrate bring along."


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An application without tables, for its commands."""
    folder = tmp_path_factory.mktemp("docs")
    return create_app({"DATABASE_URL": f"sqlite:///{folder}/db", "SECRET_KEY": "test"})


def first_cells(text: str, pattern: str) -> list[str]:
    """Return what the pattern finds in the first cell of each table row."""
    return re.findall(rf"^\|\s*`{pattern}", text, re.MULTILINE)


def leaf_commands(group: click.Group, *above: str) -> Iterator[str]:
    """Yield the name of every command that is not a group, such as 'models list'."""
    for name, command in group.commands.items():
        if (not above and name in FROM_FLASK) or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from leaf_commands(command, *above, name)
        else:
            yield " ".join((*above, name))


def test_the_table_of_settings_has_each_setting_once() -> None:
    assert sorted(first_cells(DEPLOYMENT, r"([A-Z][A-Z_]+)`")) == sorted(setting.name for setting in SETTINGS)


def test_the_row_of_a_setting_shows_its_default() -> None:
    for setting in SETTINGS:
        (default,) = re.findall(rf"^\|\s*`{setting.name}`\s*\|([^|]*)\|", DEPLOYMENT, re.MULTILINE)

        assert default.strip() == (f"`{setting.default}`" if setting.default else "–"), setting.name


def test_the_table_of_commands_has_each_command(site: Flask) -> None:
    listed = first_cells(README, r"flask ([^`]+)`")

    for command in leaf_commands(site.cli):
        assert [each for each in listed if f"{each} ".startswith(f"{command} ")], f"flask {command} is not in the table"


def test_the_table_of_commands_has_no_command_that_does_not_exist(site: Flask) -> None:
    # A path in place of a command of the group is found out.
    commands = ("import PATH ", *(f"{command} " for command in leaf_commands(site.cli)))

    for listed in first_cells(README, r"flask ([^`]+)`"):
        assert f"{listed} ".startswith(commands), f"there is no flask {listed}"


def test_links_between_documents_lead_to_files() -> None:
    for document in DOCUMENTS:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"


def test_the_changelog_has_the_current_version() -> None:
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
