"""A version as files: one pickle for people, and plain arrays with a manifest for serving.

    model-85.pkl                what `pickle.dump({"model": algo})` writes
    model-85/manifest.json      counts, scale, library versions, golden predictions, and the SHA-256 of every other file
    model-85/bi.npy, …          opened memory-mapped, so that all processes of a host share them

Everything is written under a temporary name first, and a file with its final name never changes. Processes may run as
different users, so every file can be read by all of them, whatever the umask.
"""

import hashlib
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from surprise import SVD

from recsite.ml import latest
from recsite.ml.latest import flush
from recsite.ml.pickles import UntrustedFile, pickled, readable
from recsite.ml.ranker import ARRAYS as RANKER_ARRAYS
from recsite.ml.ranker import Ranker
from recsite.ml.rating import ARRAYS as MODEL_ARRAYS
from recsite.ml.rating import RatingModel
from recsite.ml.rating_weights import RatingWeights
from recsite.ml.vocabulary import IntArray

FORMAT, READ_FORMATS = 2, (1, 2)
"""Raise it when older code cannot read what newer code writes. 1: without `rating_weights`, which have been those of
`RatingWeights()`."""
ID_TYPE = "int"
"Type of the raw ids. To Surprise '5' and 5 are two users, and it answers the unknown one with an average."
FILE_MODE, FOLDER_MODE = 0o644, 0o755
LEFTOVER_SECONDS = 24 * 60 * 60
"Age from which a temporary name belongs to a writer that was killed."
GOLDEN_PREDICTIONS = 20
GOLDEN_TOLERANCE = 1e-6
"In stars. On another processor the same numbers may differ in the last bits, not more."


@dataclass(frozen=True)
class WrittenVersion:
    """The facts about a version's files that the database records."""

    version_name: str
    sha256: str
    "Of the pickle, as hex digits."
    manifest_sha256: str


@dataclass(frozen=True)
class OpenedVersion:
    """The part of a version that serving holds in memory."""

    model: RatingModel
    ranker: Ranker
    user_generations: IntArray
    "Rating generation of each of the model's users at the time of training, shape (n_users,)."
    manifest: dict[str, Any]

    def trained_generations(self, user_ids: IntArray) -> IntArray:
        """Return the rating generation that each user was trained on, -1 for an unknown one. Shape of `user_ids`."""
        u = self.model.users.numbers(user_ids, missing="negative")
        return np.where(u >= 0, self.user_generations[u], -1)


def write_version(
    root: Path,
    stem: str,
    taken: Collection[str],
    algo: SVD,
    ranker: Ranker,
    user_generations: IntArray,
    about: dict[str, Any],
) -> WrittenVersion:
    """Write a fitted version under the first free name of stem, stem-2, stem-3, …, with `about` in its manifest.

    1. Remove what killed writers left behind.
    2. Write the arrays, the manifest and the pickle under temporary names and flush them to the disk.
    3. Claim the name by renaming the folder; of two writers only one succeeds.
    4. Move the pickle beside it.
    """
    make_folder(root)
    remove_leftovers(root)
    content = pickled(algo)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
    pickle_path = building.with_suffix(".pkl.part")
    try:
        building.chmod(FOLDER_MODE)
        model = RatingModel.from_surprise(algo)
        arrays = model.as_arrays() | ranker.as_arrays() | {"user_generations": user_generations}
        facts = make_manifest(algo, model, ranker, content)
        manifest_sha256 = write_folder(building, arrays, facts | about)
        pickle_path.write_bytes(content)
        publish(pickle_path)
        version_name = claim_name(root, building, stem, taken)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        pickle_path.unlink(missing_ok=True)
        raise
    pickle_path.replace(root / f"{version_name}.pkl")
    flush(root)
    return WrittenVersion(version_name, hashlib.sha256(content).hexdigest(), manifest_sha256)


def make_manifest(algo: SVD, model: RatingModel, ranker: Ranker, content: bytes) -> dict[str, Any]:
    """Return the manifest's facts about a version; `content` is its pickle."""
    libraries = {name: version_of(name) for name in ("numpy", "scikit-surprise")}
    return {
        "format": FORMAT,
        "libraries": libraries | {"python": platform.python_version()},
        "id_type": ID_TYPE,
        "counts": {"users": len(model.users), "movies": len(model.movies), "ranked": len(ranker.movies)},
        "rating_weights": asdict(ranker.rating_weights),
        "mu": model.mu,
        "scale": model.scale,
        "pickle": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "holds_ratings": False},
        "golden": golden_predictions(model, algo),
    }


def make_folder(path: Path) -> None:
    """Create the folder and its missing parents, readable by every user."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        folder.chmod(FOLDER_MODE)


def publish(path: Path) -> None:
    """Let every user read this new file, and flush it to the disk."""
    path.chmod(FILE_MODE)
    flush(path)


def remove_leftovers(root: Path) -> None:
    """Remove temporary names that are older than any write takes."""
    for path in root.glob(".*"):
        if path.stat().st_mtime < time.time() - LEFTOVER_SECONDS:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def write_folder(folder: Path, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]) -> str:
    """Write the arrays, and a manifest of them and the facts, into this folder; return the manifest's SHA-256."""
    listed = {}
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        np.save(path, array, allow_pickle=False)
        publish(path)
        listed[name] = {"sha256": sha256_of(path), "shape": list(array.shape)}
    path = folder / "manifest.json"
    path.write_text(json.dumps(facts | {"arrays": listed}, indent=1))
    publish(path)
    flush(folder)
    return sha256_of(path)


def golden_predictions(model: RatingModel, algo: SVD) -> list[list[float]]:
    """Return [user id, movie id, prediction in stars] by Surprise for pairs spread over the users and movies."""
    n = min(GOLDEN_PREDICTIONS, len(model.users), len(model.movies))
    users, movies = (
        vocabulary.ids[np.linspace(0, len(vocabulary) - 1, n).astype(int)].tolist()
        for vocabulary in (model.users, model.movies)
    )
    return [[user, movie, float(algo.predict(user, movie).est)] for user, movie in zip(users, movies, strict=True)]


def claim_name(root: Path, building: Path, stem: str, taken: Collection[str]) -> str:
    """Rename the folder to the first name that neither the database nor the disk has; return the name."""
    name, number = stem, 1
    while True:
        if name not in taken and not (root / f"{name}.pkl").exists():
            try:
                building.rename(root / name)
                return name
            except OSError:
                # Another training took this name; a rename never replaces a folder that holds files.
                if not (root / name).exists():
                    raise
        number += 1
        name = f"{stem}-{number}"


def open_version(folder: Path, manifest_sha256: str) -> OpenedVersion:
    """Return a version with its arrays memory-mapped; nothing is unpickled.

    Raises:
        UntrustedFile: a file cannot be read or is not the recorded one, or a golden prediction comes out differently.
    """
    path = folder / "manifest.json"
    with readable(path):
        content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest_sha256:
        raise UntrustedFile(f"{path} is not the one that the database recorded; restore it or train again.")
    manifest = json.loads(content)
    if manifest["format"] not in READ_FORMATS or manifest["id_type"] != ID_TYPE:
        raise UntrustedFile(
            f"{path} has format {manifest['format']} and {manifest['id_type']} ids; this recsite reads formats "
            f"{READ_FORMATS[0]} to {FORMAT} and {ID_TYPE} ids. Train again, or install the recsite that wrote it."
        )
    arrays = {name: open_array(folder / f"{name}.npy", listed) for name, listed in manifest["arrays"].items()}
    missing = {*MODEL_ARRAYS, *RANKER_ARRAYS, "user_generations"} - arrays.keys()
    if missing:
        raise UntrustedFile(f"{path} names no {', '.join(sorted(missing))}; train again.")
    model = RatingModel.from_arrays(arrays, manifest["mu"], tuple(manifest["scale"]))
    check_golden(model, manifest["golden"], folder)
    ranker = Ranker.from_arrays(arrays, RatingWeights(**manifest.get("rating_weights", {})))
    return OpenedVersion(model, ranker, arrays["user_generations"], manifest)


def open_array(path: Path, listed: dict[str, Any]) -> NDArray[Any]:
    """Return the array in this file, memory-mapped, or refuse a file that is not the listed one.

    The hash covers the size: a file that was cut short is refused and never mapped. To read a part of a mapped file
    that is cut off later would kill the process.
    """
    with readable(path):
        if sha256_of(path) != listed["sha256"]:
            raise UntrustedFile(f"{path} is not the one that its manifest names; restore it or train again.")
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def check_golden(model: RatingModel, golden: list[list[float]], folder: Path) -> None:
    """Check that the model predicts what Surprise predicted when the version was written."""
    for user_id, movie_id, recorded in golden:
        found = model.score(np.array([user_id], dtype=np.int64), np.array([movie_id], dtype=np.int64))[0, 0]
        if not abs(found - recorded) <= GOLDEN_TOLERANCE:
            raise UntrustedFile(f"{folder} predicts {found} for user {user_id} and movie {movie_id}, not {recorded}.")


def point_latest_at(root: Path, version_name: str) -> None:
    """Make latest.pkl this version, in one step; raise OSError if it cannot be replaced."""
    latest.point_at(root / "latest.pkl", f"{version_name}.pkl")


def is_latest(root: Path, version_name: str) -> bool:
    """Return whether latest.pkl is this version."""
    return latest.is_current(root / "latest.pkl", f"{version_name}.pkl")


def remove_version(root: Path, version_name: str) -> None:
    """Remove a version's files; files that are missing already are ignored."""
    (root / f"{version_name}.pkl").unlink(missing_ok=True)
    shutil.rmtree(root / version_name, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
