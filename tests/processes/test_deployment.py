"""The compose file, the image and the Procfile agree with the commands and settings of the site."""

import re
import shlex
from typing import Any

import click
import pytest
import yaml
from flask import Flask

from recsite import create_app
from recsite.config import ROOT, SETTINGS

COMPOSE = ROOT / "deploy" / "compose.yaml"
OPTIONAL_SETTINGS = ("WEBHOOK_URL", "WEBHOOK_KEY", "WIDGET_KEY")
"Of deploy/.env; without one, what it is for is turned off."
OURS = ("migrate", "web", "worker", "cron")


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An application without tables, for its commands."""
    folder = tmp_path_factory.mktemp("deployment")
    return create_app({"DATABASE_URL": f"sqlite:///{folder}/db", "SECRET_KEY": "test"})


def load_services() -> dict[str, dict[str, Any]]:
    """Return the services of the compose file, by name."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def parse(site: Flask, command_line: str) -> None:
    """Parse a `flask …` command line; raises click.UsageError where click would refuse it."""
    program, *words = shlex.split(command_line)
    assert program == "flask", command_line
    command: click.Command = site.cli
    while isinstance(command, click.Group):
        assert words[0] in command.commands, command_line
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words, resilient_parsing=False)


def test_the_compose_file_has_the_four_processes_and_their_servers() -> None:
    assert sorted(load_services()) == sorted((*OURS, "postgres", "redis", "cache"))


def test_every_process_runs_a_command_of_the_site(site: Flask) -> None:
    for name in OURS:
        parse(site, load_services()[name]["command"])


def test_web_worker_and_cron_wait_until_the_database_is_migrated() -> None:
    services = load_services()

    for name in ("web", "worker", "cron"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name
    assert services["migrate"]["command"] == "flask db upgrade"


def test_the_compose_file_sets_settings_that_exist_and_no_password_of_its_own() -> None:
    known = {setting.name for setting in SETTINGS}

    for name in OURS:
        assert set(load_services()[name]["environment"]) <= known, name
    for variable, default in re.findall(r"\$\{(\w+)(:[^}]*)?\}", COMPOSE.read_text()):
        if variable in OPTIONAL_SETTINGS:
            assert default == ":-", f"{variable} has a default"
        elif re.search("PASSWORD|KEY", variable):
            assert default.startswith(":?"), f"{variable} has a default"


def test_the_compose_file_passes_the_optional_settings_on() -> None:
    for name in OURS:
        environment = load_services()[name]["environment"]
        for setting in OPTIONAL_SETTINGS:
            assert environment[setting] == f"${{{setting}:-}}", name


def test_only_the_web_server_has_a_port_and_only_on_this_machine() -> None:
    ports = {name: service["ports"] for name, service in load_services().items() if "ports" in service}

    assert ports == {"web": ["127.0.0.1:8000:8000"]}


def test_the_image_and_the_procfile_run_commands_of_the_site(site: Flask) -> None:
    (words,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    parse(site, shlex.join(yaml.safe_load(words)))
    for command_line in re.findall(r"until (flask [^;]*);", (ROOT / "Procfile").read_text()):
        parse(site, command_line.replace("$WEB_PORT", "5000"))


def test_the_image_has_no_build_tools_and_cannot_change_its_code() -> None:
    _, _, final = (ROOT / "deploy" / "Dockerfile").read_text().rpartition("\nFROM ")

    assert "build-essential" not in final
    assert "USER recsite" in final
    assert "COPY . ." in final  # as root: without --chown
    assert re.findall(r"chown recsite (.*)", final) == ["instance media"]


def test_secrets_and_data_get_neither_into_the_image_nor_into_git() -> None:
    image, git = ((ROOT / name).read_text().splitlines() for name in (".dockerignore", ".gitignore"))

    assert {"**/.env", ".*", "instance/*", "media/*"} <= set(image)
    assert {".env", "instance/*", "media/*"} <= set(git)


def test_make_run_draws_a_password_for_its_redis() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert "REDIS_PASSWORD=$$(head -c 24 /dev/urandom" in makefile
    assert len(re.findall(r"REDIS_URL=redis://:\$\$REDIS_PASSWORD@127.0.0.1", makefile)) == 2
