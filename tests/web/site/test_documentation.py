"""The README names every setting and every command, and none that is not there."""

import re
from collections.abc import Iterator

import click
import pytest
from flask import Flask

from recsite import create_app
from recsite.config import ROOT, SETTINGS, Setting

README = ROOT / "README.md"
FROM_FLASK = {"db", "routes", "run", "shell"}
"Commands that Flask and Flask-Migrate bring along."


@pytest.fixture
def readme() -> str:
    """The text of the README."""
    return README.read_text()


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An application that nobody asks anything but its commands."""
    folder = tmp_path_factory.mktemp("docs")
    return create_app({"DATABASE_URL": f"sqlite:///{folder}/db", "SECRET_KEY": "test"})


def first_cells(readme: str, pattern: str) -> list[str]:
    """What the pattern finds in the first cell of each row of the README's tables."""
    return re.findall(rf"^\|\s*`{pattern}", readme, re.MULTILINE)


def leaf_commands(group: click.Group, *above: str) -> Iterator[str]:
    """'train', 'models list', …: every command that does something itself."""
    for name, command in group.commands.items():
        if not above and name in FROM_FLASK:
            continue
        if isinstance(command, click.Group):
            yield from leaf_commands(command, *above, name)
        else:
            yield " ".join((*above, name))


def test_the_table_of_settings_has_each_setting_once(readme: str) -> None:
    assert sorted(first_cells(readme, r"([A-Z][A-Z_]+)`")) == sorted(setting.name for setting in SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_row_of_a_setting_shows_its_default(readme: str, setting: Setting) -> None:
    (default,) = re.findall(rf"^\|\s*`{setting.name}`\s*\|([^|]*)\|", readme, re.MULTILINE)

    assert default.strip() == (f"`{setting.default}`" if setting.default else "–")


def test_the_table_of_commands_has_each_command(readme: str, site: Flask) -> None:
    listed = first_cells(readme, r"flask ([^`]+)`")

    for command in leaf_commands(site.cli):
        assert [each for each in listed if f"{each} ".startswith(f"{command} ")], f"flask {command} is not in the table"


def test_the_table_of_commands_has_no_command_that_is_not_there(readme: str, site: Flask) -> None:
    commands = tuple(f"{command} " for command in leaf_commands(site.cli))

    for listed in first_cells(readme, r"flask ([^`]+)`"):
        assert f"{listed} ".startswith(commands), f"there is no flask {listed}"
