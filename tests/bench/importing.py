"""Import of synthetic ratings shaped like MovieLens, twice, on both databases, beside the import of another commit.

    python -m tests.bench.importing --rows 10000000 --old d8c3d82

The other commit is taken from this repository and runs in the same environment.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from recsite.config import ROOT
from tests.bench.synthetic import Size, synthetic_ratings, write_movielens
from tests.processes.servers import running_postgresql

MOVIES = 10_000
RATINGS_OF_A_USER = 140
MEASURED = """
import json, os, resource, sys, time
from pathlib import Path
import flask_migrate
from recsite import create_app
with create_app().app_context():
    flask_migrate.upgrade("migrations")
    {imports}
    started, cpu = time.monotonic(), time.process_time()
    load(Path(sys.argv[1]))
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
written = next(int(line.split()[1]) for line in open("/proc/self/io") if line.startswith("write_bytes"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(dict(seconds=seconds, cpu=cpu, peak=peak, written=written)))
"""
NEW = """from recsite.ratings.importers import detection
    from recsite.ratings.importers.options import Options
    load = lambda path: detection.load(path, Options())"""
OLD = "from recsite.datasets.movielens import load"


def measure(code: Path, imports: str, data: Path, url: str, folder: Path) -> dict[str, float]:
    """Import the data set in a process of its own; return seconds, CPU seconds, peak memory and bytes written."""
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "SECRET_KEY": "x" * 40,
        "MEDIA_ROOT": str(folder / "media"),
        "PYTHONPATH": str(code),
    }
    command = [sys.executable, "-c", MEASURED.format(imports=imports), str(data)]
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


@contextlib.contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Check another commit out into a folder while the block runs."""
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", str(folder), commit], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True, capture_output=True)


def show(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201


def compare(name: str, data: Path, url: str, old_url: str, folder: Path, old: Path | None) -> None:
    """Import into one kind of database, twice with this code and once with the old one, and print the figures."""
    runs = {
        "import": measure(ROOT, NEW, data, url, folder),
        "the same file again": measure(ROOT, NEW, data, url, folder),
    }
    if old:
        runs["the other commit"] = measure(old, OLD, data, old_url, folder)
    first = runs["import"]["seconds"]
    for what, figures in runs.items():
        show(
            f"  {name:<12}{what:<22}{figures['seconds']:>6.0f} s ({figures['seconds'] / first:.2f} of the import)"
            f"{figures['peak'] / 2**20:>8,.0f} MiB{figures['written'] / 1e9:>8.2f} GB written"
        )


def main() -> None:
    """Measure and print. Bytes written are those of this process, so without PostgreSQL's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--old", help="commit to compare with")
    chosen = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = folder / "data"
        ratings = synthetic_ratings(Size(chosen.rows, chosen.rows // RATINGS_OF_A_USER, MOVIES), seed=1)
        write_movielens(data, ratings, MOVIES)
        show(f"{len(ratings):,} ratings")
        old = stack.enter_context(checked_out(chosen.old, folder / "old")) if chosen.old else None
        compare("SQLite", data, f"sqlite:///{folder}/new.sqlite3", f"sqlite:///{folder}/old.sqlite3", folder, old)
        show(f"  the file has {(folder / 'new.sqlite3').stat().st_size / 1e9:.2f} GB")
        new_server, old_server = (stack.enter_context(running_postgresql()) for _ in range(2))
        compare("PostgreSQL", data, new_server, old_server, folder, old)


if __name__ == "__main__":
    main()
