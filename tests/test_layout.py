"""The layout: which package may import which, and what may stand where.

Imports go down only. `FLOORS` lists the packages from top to bottom; packages on one floor do not import each other.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from recsite.config import ROOT

PACKAGE = ROOT / "recsite"
FLOORS = (
    {"__init__"},
    {"web", "cli"},
    {"jobs"},
    {"suggestions"},
    {"accounts"},
    {"versions"},
    {"ratings"},
    {"movies"},
    {"storage"},
    {"ml", "config", "errors", "extensions"},
)
FEATURES = {"suggestions", "accounts", "versions", "ratings", "movies"}
"They know nothing of requests, the queue or the command line."
TOP_LEVEL = {
    *("recsite", "migrations", "instance", "media", "tests", "deploy"),
    *("wsgi.py", "requirements.txt", "setup.cfg", "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "Procfile"),
}
LONGEST_FILE = 300
"Lines."
MOST_ENTRIES = 14

PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))
OUR_FILES = sorted(
    path
    for folder, pattern in (
        (PACKAGE, "*.py"),
        (PACKAGE, "*.html"),
        (ROOT / "tests", "*.py"),
        (ROOT / "deploy", "*.py"),
        (ROOT, "Makefile"),
    )
    for path in folder.rglob(pattern)
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


def name_of(path: Path) -> str:
    """Return the path as a reader of a failure wants to see it."""
    return str(path.relative_to(ROOT))


def package_of(path: Path) -> str:
    """Return the top-level module or package of recsite that this file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def find_imports(path: Path) -> Iterator[str]:
    """Yield every imported name in full: 'numpy', 'recsite.storage.tables.User'."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.relative_to(ROOT).parts
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*start, *(node.module or "").split("."))).rstrip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def packages_imported_by(path: Path) -> set[str]:
    """Return the top-level modules and packages of recsite that the file imports."""
    return {name.split(".")[1] for name in find_imports(path) if name.startswith("recsite.")}


def test_every_module_has_a_floor() -> None:
    assert set().union(*FLOORS) == {package_of(path) for path in PYTHON_FILES}


def test_imports_go_down_only() -> None:
    wrong = []
    for path in PYTHON_FILES:
        own = package_of(path)
        floor = next(number for number, packages in enumerate(FLOORS) if own in packages)
        allowed = {own}.union(*FLOORS[floor + 1 :])
        wrong += [f"{name_of(path)} imports {name}" for name in packages_imported_by(path) - allowed]
    assert wrong == []


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    modules = {module_name(path): path for path in PYTHON_FILES}
    imports = {
        name: {owner for found in find_imports(path) if (owner := owner_of(found, modules)) not in (None, name)}
        for name, path in modules.items()
    }
    done: set[str] = set()
    while ready := {name for name, needed in imports.items() if name not in done and needed <= done}:
        done |= ready
    assert sorted(set(modules) - done) == []


def module_name(path: Path) -> str:
    """Return the dotted name of a file of recsite."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def owner_of(imported: str, modules: dict[str, Path]) -> str | None:
    """Return the module that an imported name comes from; None outside of recsite."""
    if imported in modules:
        return imported
    parent = imported.rpartition(".")[0]
    return parent if parent in modules else None


def test_numbers_import_numeric_libraries_only() -> None:
    # SciPy comes along with Surprise; numba compiles NumPy's loops.
    allowed = {"numba", "numpy", "recsite", "scipy", "surprise"} | sys.stdlib_module_names
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in PYTHON_FILES
        if package_of(path) == "ml"
        for name in find_imports(path)
        if name.split(".")[0] not in allowed
    ]
    assert wrong == []


def test_features_know_nothing_of_requests_the_queue_or_the_command_line() -> None:
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in PYTHON_FILES
        if package_of(path) in FEATURES
        for name in find_imports(path)
        if name.split(".")[0] in ("click", "flask", "rq") and name not in ("flask.current_app", "flask.Flask")
    ]
    assert wrong == []


def test_web_and_commands_neither_query_nor_compute() -> None:
    wrong = []
    for path in PYTHON_FILES:
        if package_of(path) not in ("web", "cli"):
            continue
        called = {
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        wrong += [f"{name_of(path)} calls select()" for _ in called & {"select"}]
        wrong += [f"{name_of(path)} imports {name}" for name in find_imports(path) if name.split(".")[0] == "numpy"]
    assert wrong == []


def test_web_saves_what_users_say_through_suggestions_alone() -> None:
    # Only suggestions.feedback saves a rating and brings the user's list up to date in one transaction.
    low_level = {
        *("ratings.save_rating", "ratings.delete_rating", "ratings.save_missing_ratings", "ratings.count_change"),
        *("dismissals.save_dismissal", "dismissals.delete_dismissal", "user_admin.remove_rating"),
        *("history.save", "history.undo", "suggestions.refresh", "suggestions.rescore"),
    }
    wrong = [
        f"{name_of(path)} calls {called}"
        for path in PYTHON_FILES
        if package_of(path) == "web"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in low_level
    ]
    assert wrong == []


def test_imports_stand_at_the_top() -> None:
    wrong = [
        f"{name_of(path)}:{each.lineno}"
        for path in PYTHON_FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for each in ast.walk(node)
        if isinstance(each, ast.Import | ast.ImportFrom)
    ]
    assert wrong == []


def test_every_package_says_what_it_is_for() -> None:
    wrong = [
        name_of(path)
        for path in PACKAGE.glob("*/__init__.py")
        if len((ast.get_docstring(ast.parse(path.read_text())) or "").split(". ")) < 2
    ]
    assert wrong == []


def test_the_top_level_holds_what_its_owner_asked_for_and_nothing_else() -> None:
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - {"__pycache__"}

    assert found <= TOP_LEVEL


def test_folders_stay_small() -> None:
    for folder in (PACKAGE, ROOT / "tests"):
        entries = {path.name for path in folder.iterdir()} - {"__pycache__"}
        assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_no_file_is_long() -> None:
    assert [name_of(path) for path in OUR_FILES if len(path.read_text().splitlines()) > LONGEST_FILE] == []
