"""A fitted model as a pickle: written without the training ratings, opened without trusting the file."""

import contextlib
import hashlib
import io
import pickle
from collections.abc import Collection, Iterator
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
"The (module, name) pairs that a pickled SVD holds. They match whole: a prefix would allow what a module imports."


class UntrustedFile(ValueError):
    """A model file is missing, unreadable, changed, truncated or unknown to the database."""


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise UntrustedFile if the block cannot read this file, for whatever reason the system gives."""
    try:
        yield
    except FileNotFoundError as error:
        raise UntrustedFile(f"{path} is not there; restore it, or train and activate a version.") from error
    except OSError as error:
        reason = error.strerror or error.__class__.__name__
        raise UntrustedFile(f"{path} cannot be read: {reason}; correct that, restore it or train again.") from error


class AllowListUnpickler(pickle.Unpickler):
    """An unpickler that refuses every class and function which a pickled SVD does not hold."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return the class, or refuse one that is not on the list before anything of it runs."""
        if (module_name, global_name) not in ALLOWED:
            raise UntrustedFile(f"The model file asks for {module_name}.{global_name}, which no model needs; refused.")
        return super().find_class(module_name, global_name)


def pickled(algo: SVD) -> bytes:
    """Return `{"model": algo}` as bytes; people pass such files on, so its trainset must hold no ratings."""
    return pickle.dumps({"model": algo}, protocol=4)


def unpickle(path: Path, recorded_sha256: Collection[str]) -> AlgoBase:
    """Return the model in this file; the bytes that are unpickled are the bytes that were hashed.

    Raises:
        UntrustedFile: the file cannot be read or is too large, its hash is not recorded, or it does not hold a model.
    """
    with readable(path):
        if path.stat().st_size > LARGEST_PICKLE_BYTES:
            raise UntrustedFile(f"{path} has {path.stat().st_size} bytes; no model is that large.")
        content = path.read_bytes()
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
