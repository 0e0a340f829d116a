"""Machines that differ from a developer's: another user id, no home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from recsite.config import ROOT

STRANGER = 54321
"A user id without an entry in /etc/passwd, as containers have them."
# The capability lets the stranger read a Python below the home of root; it allows no write.
AS_STRANGER = (
    *("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="another user id takes root and setpriv"
)


def run_flask(
    *arguments: str, settings: dict[str, str], prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a `flask …` command with a home that does not exist and cannot be made."""
    environ = {name: value for name, value in os.environ.items() if name not in ("USER", "LOGNAME", "USERNAME")}
    return subprocess.run(
        [*prefix, sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env=environ | {"HOME": "/proc/nowhere", "SECRET_KEY": "test"} | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def settings(tmp_path: Path, migrated_sqlite: Path) -> dict[str, str]:
    """The settings of a site in a folder that the stranger may write to."""
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copyfile(migrated_sqlite, folder / "recsite.sqlite3")
    if os.geteuid() == 0:
        os.chown(folder, STRANGER, STRANGER)
        os.chown(folder / "recsite.sqlite3", STRANGER, STRANGER)
    return {"DATABASE_URL": f"sqlite:///{folder}/recsite.sqlite3", "MEDIA_ROOT": str(folder / "media")}


def read_authors(settings: dict[str, str]) -> list[str]:
    """Return the names in the audit log."""
    engine = sa.create_engine(settings["DATABASE_URL"])
    with engine.connect() as connection:
        names = connection.execute(sa.text("SELECT DISTINCT by FROM audit_entries")).scalars().all()
    engine.dispose()
    return list(names)


def test_commands_work_without_a_home(settings: dict[str, str]) -> None:
    done = run_flask("users", "create", "erin", settings=settings)

    assert done.returncode == 0, done.stderr


@needs_root
def test_the_audit_log_names_a_user_id_without_a_name(settings: dict[str, str]) -> None:
    done = run_flask("users", "create", "erin", settings=settings, prefix=AS_STRANGER)

    assert done.returncode == 0, done.stderr
    assert read_authors(settings) == [f"uid {STRANGER} (command line)"]


@needs_root
def test_a_user_id_without_a_name_can_examine_the_site(settings: dict[str, str]) -> None:
    done = run_flask("doctor", settings=settings, prefix=AS_STRANGER)

    assert "Traceback" not in done.stderr
    assert "database   ok" in done.stdout
