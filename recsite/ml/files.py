"""A version as files: one pickle for people, and plain arrays with a manifest for serving.

    model-85.pkl                what `pickle.dump({"model": algo})` writes
    model-85/manifest.json      counts, scale, library versions, golden predictions, and the SHA-256 of every other file
    model-85/bi.npy, …          opened memory-mapped, so that all processes of a host share them

Everything is written under a temporary name first and never changes under its final one.
"""

import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import version as version_of
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from surprise import SVD

from recsite.ml.pickles import UntrustedFile, pickled
from recsite.ml.ranker import ARRAYS as RANKER_ARRAYS
from recsite.ml.ranker import Ranker
from recsite.ml.rating import RatingModel

FORMAT = 1
"Goes up when a version written today could not be read by the code of yesterday."
ID_TYPE = "int"
"Surprise finds '5' and 5 to be two users, and answers the unknown one with an average."
LEFT_BEHIND_SECONDS = 24 * 60 * 60
"How old a temporary name is of which nobody is at work any more."
GOLDEN_PREDICTIONS = 20
GOLDEN_TOLERANCE = 1e-6
"In stars. The same numbers on another processor may differ in the last bits, not more."


@dataclass(frozen=True)
class WrittenVersion:
    """What the database records of a version's files."""

    version_name: str
    sha256: str
    manifest_sha256: str


@dataclass(frozen=True)
class OpenedVersion:
    """What serving holds of a version."""

    model: RatingModel
    "What is shown."
    ranker: Ranker
    "What orders."
    user_generations: NDArray[np.int64]
    "The rating generation of each of the model's users when they were trained on."
    manifest: dict[str, Any]


def write_version(
    root: Path,
    stem: str,
    taken: Collection[str],
    algo: SVD,
    ranker: Ranker,
    user_generations: NDArray[np.int64],
    about: dict[str, Any],
) -> WrittenVersion:
    """Write what was fitted under the first free name of stem, stem-2, stem-3, …; all or nothing.

    `about` goes into the manifest as it is.

    1. Clear away what a writer that was killed left behind.
    2. Write the arrays, the manifest and the pickle under temporary names and flush them to the disk.
    3. Claim the name by renaming the folder: of two writers only one can.
    4. Move the pickle beside it.
    """
    root.mkdir(parents=True, exist_ok=True)
    clear_leftovers(root)
    model = RatingModel.from_surprise(algo)
    arrays = {name: getattr(model, name) for name in RatingModel.array_names()}
    arrays |= ranker.as_arrays() | {"user_generations": user_generations}
    content = pickled(algo)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
    try:
        building.chmod(0o755)
        facts = {
            "format": FORMAT,
            "libraries": {name: version_of(name) for name in ("numpy", "scikit-surprise")}
            | {"python": platform.python_version()},
            "id_type": ID_TYPE,
            "counts": {"users": len(model.user_ids), "movies": len(model.movie_ids), "ranked": len(ranker.movie_ids)},
            "mu": model.mu,
            "scale": model.scale,
            "pickle": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "holds_ratings": False},
            "golden": golden_predictions(model, algo),
        }
        manifest_sha256 = write_folder(building, arrays, facts | about)
        pickle_path = building.with_suffix(".pkl.part")
        write_flushed(pickle_path, content)
        version_name = claim_name(root, building, stem, taken)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        building.with_suffix(".pkl.part").unlink(missing_ok=True)
        raise
    pickle_path.replace(root / f"{version_name}.pkl")
    flush_folder(root)
    return WrittenVersion(version_name, hashlib.sha256(content).hexdigest(), manifest_sha256)


def clear_leftovers(root: Path) -> None:
    """No temporary name is left that is older than any writing takes."""
    for path in root.glob(".building-*"):
        if path.stat().st_mtime < time.time() - LEFT_BEHIND_SECONDS:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def write_folder(folder: Path, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]) -> str:
    """Write the arrays and a manifest of them and of the facts into this folder; returns the manifest's SHA-256."""
    listed = {}
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        np.save(path, array, allow_pickle=False)
        flush_file(path)
        listed[name] = {"sha256": sha256_of(path), "shape": list(array.shape)}
    path = folder / "manifest.json"
    write_flushed(path, json.dumps(facts | {"arrays": listed}, indent=1).encode())
    flush_folder(folder)
    return sha256_of(path)


def golden_predictions(model: RatingModel, algo: SVD) -> list[list[float]]:
    """Some [user id, movie id, prediction in stars] by Surprise itself, spread over the model's users and movies."""
    n = min(GOLDEN_PREDICTIONS, len(model.user_ids), len(model.movie_ids))
    users = model.user_ids[np.linspace(0, len(model.user_ids) - 1, n).astype(int)].tolist()
    movies = model.movie_ids[np.linspace(0, len(model.movie_ids) - 1, n).astype(int)].tolist()
    return [[user, movie, float(algo.predict(user, movie).est)] for user, movie in zip(users, movies, strict=True)]


def names_from(stem: str) -> Iterator[str]:
    """stem, stem-2, stem-3, …"""
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def claim_name(root: Path, building: Path, stem: str, taken: Collection[str]) -> str:
    """Rename the folder to the first name that neither the database nor the disk has; returns the name."""
    for name in names_from(stem):
        if name in taken or (root / f"{name}.pkl").exists():
            continue
        try:
            building.rename(root / name)
        except OSError:
            if not (root / name).exists():
                raise
            continue  # Another training took this name since; a rename never replaces a folder that holds files.
        return name
    raise AssertionError("names_from never ends")


def open_version(folder: Path, manifest_sha256: str) -> OpenedVersion:
    """The arrays of a version, memory-mapped, and its manifest; nothing is unpickled.

    Raises UntrustedFile, naming the file, unless the manifest is the recorded one, every array is the manifest's, and
    the golden predictions come out as Surprise made them.
    """
    path = folder / "manifest.json"
    content = read_or_refuse(path)
    if hashlib.sha256(content).hexdigest() != manifest_sha256:
        raise UntrustedFile(f"{path} is not the one that the database recorded; restore it or train again.")
    manifest = json.loads(content)
    if (manifest["format"], manifest["id_type"]) != (FORMAT, ID_TYPE):
        raise UntrustedFile(
            f"{path} has format {manifest['format']} and {manifest['id_type']} ids; this recsite reads format {FORMAT} "
            f"and {ID_TYPE} ids. Train again, or install the recsite that wrote it."
        )
    arrays = {name: open_array(folder / f"{name}.npy", wanted) for name, wanted in manifest["arrays"].items()}
    missing = {*RatingModel.array_names(), *RANKER_ARRAYS, "user_generations"} - arrays.keys()
    if missing:
        raise UntrustedFile(f"{path} names no {', '.join(sorted(missing))}; train again.")
    model = RatingModel.from_arrays(arrays, manifest["mu"], tuple(manifest["scale"]))
    check_golden(model, manifest["golden"], folder)
    return OpenedVersion(model, Ranker.from_arrays(arrays), arrays["user_generations"], manifest)


def open_array(path: Path, wanted: dict[str, Any]) -> NDArray[Any]:
    """A memory-mapped array whose bytes and shape are those of the manifest."""
    if not path.exists() or sha256_of(path) != wanted["sha256"]:
        raise UntrustedFile(f"{path} is missing or not the one that its manifest names; restore it or train again.")
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if list(array.shape) != wanted["shape"]:
        raise UntrustedFile(f"{path} has the shape {array.shape}, not {wanted['shape']}; train again.")
    return array


def check_golden(model: RatingModel, golden: list[list[float]], folder: Path) -> None:
    """Raise UntrustedFile unless the model still predicts what Surprise predicted when it was written."""
    for user_id, movie_id, wanted in golden:
        got = model.score(np.array([user_id], dtype=np.int64), np.array([movie_id], dtype=np.int64))[0, 0]
        if not abs(got - wanted) <= GOLDEN_TOLERANCE:
            raise UntrustedFile(f"{folder} predicts {got} for user {user_id} and movie {movie_id}, not {wanted}.")


def point_latest_at(root: Path, version_name: str, model_ext: str = "pkl") -> None:
    """Make latest.pkl a link to this version in one step; there is no moment without it."""
    latest = root / f"latest.{model_ext}"
    link = root / f".latest-{os.getpid()}-{os.urandom(4).hex()}"
    link.symlink_to(f"{version_name}.{model_ext}")
    link.replace(latest)
    flush_folder(root)


def remove_version(root: Path, version_name: str) -> None:
    """Remove a version's files; those that are gone already are no fault."""
    (root / f"{version_name}.pkl").unlink(missing_ok=True)
    shutil.rmtree(root / version_name, ignore_errors=True)


def read_or_refuse(path: Path) -> bytes:
    """The file's bytes; raises UntrustedFile when it is not there."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UntrustedFile(f"{path} is not there; restore it or train again.") from error


def sha256_of(path: Path) -> str:
    """The file's SHA-256 as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_flushed(path: Path, content: bytes) -> None:
    """Write the file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def flush_file(path: Path) -> None:
    """Wait until what was written to this file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the names in this folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
