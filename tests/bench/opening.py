"""Time and private memory that a process needs to open a version trained on 2 million ratings.

Private memory is backed by no file; pages of mapped files are in the page cache, once for all processes. The peer is
the unchecked pickle.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from recsite.ml.descent import Parameters
from recsite.ml.files import write_version
from recsite.ml.fit import fit
from recsite.ml.ratings import Ratings
from tests.bench.topn import make_ranker

USERS, MOVIES, RATINGS = 20_000, 10_000, 2_000_000
RUNS = 5
MEASURE = """
import gc, pickle, sys, time
from pathlib import Path
from recsite.ml.files import open_version
def own_bytes():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous")) * 1024
gc.collect()
before, started = own_bytes(), time.perf_counter()
if sys.argv[1] == "arrays":
    kept = open_version(Path(sys.argv[2]), sys.argv[3])
else:
    kept = pickle.loads(Path(sys.argv[2] + ".pkl").read_bytes())
print((time.perf_counter() - started) * 1000, (own_bytes() - before) / 2**20)
"""


def measure(kind: str, folder: Path, manifest_sha256: str) -> tuple[float, float]:
    """Return the median milliseconds and MiB of private memory of fresh processes."""
    results = []
    for _ in range(RUNS):
        command = [sys.executable, "-c", MEASURE, kind, str(folder), manifest_sha256]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        results.append((float(printed[0]), float(printed[1])))
    milliseconds, mebibytes = np.median(np.array(results), axis=0)
    return float(milliseconds), float(mebibytes)


def main() -> None:
    """Print both ways, with the files in the page cache."""
    rng = np.random.default_rng(1)
    pairs = rng.choice(USERS * MOVIES, RATINGS, replace=False)
    ratings = Ratings.from_arrays(pairs // MOVIES + 1, pairs % MOVIES + 1, rng.integers(1, 11, RATINGS) / 2)
    algo = fit(ratings, Parameters(100, 1, 0.01, 0.01, 0.1, 0.1, 1))
    with tempfile.TemporaryDirectory() as root:
        written = write_version(
            Path(root), "model-99", (), algo, make_ranker(MOVIES, 200), np.zeros(USERS, np.int64), {"parameters": {}}
        )
        folder = Path(root) / written.version_name
        print(f"Opening a version of {USERS:,} users × {MOVIES:,} movies × 100 factors, 2,000,000 weights:")  # noqa: T201
        for name, kind in (("arrays, checked and mapped", "arrays"), ("the pickle, unchecked", "pickle")):
            milliseconds, mebibytes = measure(kind, folder, written.manifest_sha256)
            print(f"  {name:<28} {milliseconds:>8.1f} ms  {mebibytes:>7.1f} MiB of its own")  # noqa: T201


if __name__ == "__main__":
    main()
