"""Writing a fitted model as a pickle, and opening one without trusting it."""

import copy
import hashlib
import io
import pickle
from collections.abc import Collection
from pathlib import Path
from typing import Any

from surprise import SVD, AlgoBase

LARGEST_PICKLE_BYTES = 8 * 1024**3

ALLOWED = frozenset(
    {
        ("builtins", "list"),
        ("collections", "defaultdict"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("surprise.prediction_algorithms.matrix_factorization", "SVD"),
        ("surprise.trainset", "Trainset"),
    }
)
"The (module, name) pairs that a pickled SVD holds. Matched whole: a prefix would let through what a module imports."


class UntrustedFile(ValueError):
    """A model file is missing, changed, truncated or not one that the database knows."""


class AllowListUnpickler(pickle.Unpickler):
    """Refuses every class and function but those that a pickled SVD holds."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """The class, if it is on the list; raises UntrustedFile before anything of it runs."""
        if (module_name, global_name) not in ALLOWED:
            raise UntrustedFile(f"The model file asks for {module_name}.{global_name}, which no model needs; refused.")
        return super().find_class(module_name, global_name)


def pickled(algo: SVD) -> bytes:
    """`{"model": algo}` as bytes, without the training ratings.

    Surprise's SVD predicts from its factors and asks its trainset only for the id maps, the mean and whether a user
    or item is known; every rating of every user would otherwise travel in a file that people pass around.
    """
    trainset = copy.copy(algo.trainset)
    trainset.global_mean  # noqa: B018  # worked out once from the ratings that are left out below
    trainset.ur = dict.fromkeys(trainset.ur, ())
    trainset.ir = dict.fromkeys(trainset.ir, ())
    slim = copy.copy(algo)
    slim.trainset = trainset
    return pickle.dumps({"model": slim}, protocol=4)


def unpickle(path: Path, recorded_sha256: Collection[str]) -> AlgoBase:
    """The model in this file; hashed first, and opened from the very bytes that were hashed."""
    try:
        if path.stat().st_size > LARGEST_PICKLE_BYTES:
            raise UntrustedFile(f"{path} has {path.stat().st_size} bytes; no model is that large.")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UntrustedFile(f"{path} is not there; train and activate a version, or restore the file.") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 not in recorded_sha256:
        raise UntrustedFile(
            f"{path} has SHA-256 {sha256[:12]}…, which no version in the database has: it was changed, cut short or "
            "comes from elsewhere, so it is not opened. 'flask models verify' shows every version's state."
        )
    model = AllowListUnpickler(io.BytesIO(content)).load()["model"]
    if not isinstance(model, AlgoBase):
        raise UntrustedFile(f"{path} holds a {type(model).__name__}, not a scikit-surprise model.")
    return model
