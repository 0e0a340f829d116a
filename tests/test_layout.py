"""The house: three doors, some rooms, the tools they share, and a workshop without windows.

Calls go inward, from doors to rooms to tools. A new module gets its place in the lists below.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsite.config import ROOT

PACKAGE = ROOT / "recsite"
DOORS = {"cli", "dispatch", "jobs", "schedule", "views", "worker"}
"Parse, one call, answer. `dispatch` puts work into the queue, `schedule` and `worker` are the loops around it."
ROOMS = {
    *(
        "accounts",
        "audit",
        "blocks",
        "catalog",
        "comparison",
        "curation",
        "datasets",
        "demo",
        "dismissals",
        "erasure",
        "evaluation",
        "exports",
        "health",
        "history",
        "members",
        "my_data",
        "overview",
        "quality",
        "ratings",
        "reach",
        "runs",
        "suggestions",
        "training",
        "versions",
    ),
}
"Plain functions named after the thing."
TOOLS = {
    "account_models",
    "answers",
    "arrays",
    "cache",
    "config",
    "connections",
    "errors",
    "extensions",
    "memory",
    "models",
    "outages",
    "patience",
    "progress",
    "queries",
    "queueing",
    "recommender",
    "run_models",
}
WORKSHOP = {"ml"}
PROGRAMS = {"devready", "devredis"}
"Run by themselves on a development machine; the site does not import them."

TOP_LEVEL = {
    *("recsite", "migrations", "instance", "media", "tests"),
    # How the site is served: settings of gunicorn, compose file, and what to do with them.
    "deploy",
    *("wsgi.py", "requirements.txt", "setup.cfg", "README.md", "LICENSE", "Makefile", "Procfile"),
}
LONGEST_FILE = 320
"Lines. A file that takes longer to read holds more than one thing."

PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))
OUR_FILES = sorted(
    path
    for folder, pattern in ((PACKAGE, "*.py"), (PACKAGE, "*.html"), (ROOT / "tests", "*.py"), (ROOT, "Makefile"))
    for path in folder.rglob(pattern)
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


def name_of(path: Path) -> str:
    """How the test calls this file."""
    return str(path.relative_to(ROOT))


def place_of(path: Path) -> str:
    """The module or package of recsite that this file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def in_place(*places: str) -> list[Path]:
    """The files of these modules and packages."""
    return [path for path in PYTHON_FILES if place_of(path) in places]


def find_imports(path: Path) -> Iterator[str]:
    """Every name that the file imports, in full: 'numpy', 'recsite.models.User', 'recsite.jobs'."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.relative_to(ROOT).parts
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*start, *(node.module or "").split("."))).rstrip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def places_used_by(path: Path) -> set[str]:
    """The modules and packages of recsite that the file imports."""
    return {name.split(".")[1] for name in find_imports(path) if name.startswith("recsite.")}


def test_every_module_has_one_place() -> None:
    listed = [*DOORS, *ROOMS, *TOOLS, *WORKSHOP, *PROGRAMS]

    assert sorted(listed) == sorted({place_of(path) for path in PYTHON_FILES} - {"__init__"})


@pytest.mark.parametrize("path", in_place(*ROOMS), ids=name_of)
def test_no_room_imports_a_door(path: Path) -> None:
    assert places_used_by(path) & (DOORS | PROGRAMS) == set()


@pytest.mark.parametrize("path", in_place(*TOOLS), ids=name_of)
def test_no_tool_imports_a_room_or_a_door(path: Path) -> None:
    assert places_used_by(path) & (DOORS | ROOMS | PROGRAMS) == set()


@pytest.mark.parametrize("path", in_place(*WORKSHOP), ids=name_of)
def test_the_workshop_has_no_windows(path: Path) -> None:
    # SciPy comes along with Surprise; numba compiles NumPy's loops.
    allowed = {"numba", "numpy", "recsite", "scipy", "surprise"} | sys.stdlib_module_names

    assert {name.split(".")[0] for name in find_imports(path)} <= allowed
    assert places_used_by(path) <= {"ml"}


@pytest.mark.parametrize("path", in_place(*ROOMS), ids=name_of)
def test_no_room_knows_of_requests_the_queue_or_the_command_line(path: Path) -> None:
    outside = {name for name in find_imports(path) if name.split(".")[0] in ("click", "flask", "rq")}

    assert outside <= {"flask.current_app"}


@pytest.mark.parametrize("path", in_place(*DOORS), ids=name_of)
def test_no_door_does_a_rooms_work(path: Path) -> None:
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }

    assert "select" not in called
    assert not any(name.split(".")[0] == "numpy" for name in find_imports(path))


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name_of)
def test_imports_stand_at_the_top(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    inside = [
        each.lineno for node in functions for each in ast.walk(node) if isinstance(each, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


def test_the_top_level_holds_what_its_owner_asked_for_and_nothing_else() -> None:
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - {"__pycache__"}

    assert found <= TOP_LEVEL


@pytest.mark.parametrize("path", OUR_FILES, ids=name_of)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
