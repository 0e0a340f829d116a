"""Numbers: fitting, scoring, ranking and the files of a version.

It may import numpy, scipy, numba and scikit-surprise, and nothing else of recsite. Start with `rating.py` (predicted
ratings) and `ranker.py` (the order of lists); `candidates.py` makes lists of both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from surprise import AlgoBase

from recsite.ml.pickles import UntrustedFile, unpickle


@dataclass(frozen=True)
class ModelStore:
    """The folder of the versions, and which of their pickles may be opened."""

    root: Path
    "Holds one folder for each model type; `surprise/latest.pkl` is the active version."
    recorded_sha256: frozenset[str]
    "Hex digests of the pickles, as the database recorded them when they were written."


_find_store: Callable[[], ModelStore] | None = None


def register_store(find_store: Callable[[], ModelStore]) -> None:
    """Let `load_model` find the files and their recorded hashes by this function."""
    global _find_store
    _find_store = find_store


def load_model(model_type: str = "surprise", model_ext: str = "pkl") -> AlgoBase:
    """Return the active version as the scikit-surprise object that was fitted.

    `load_model().predict(uid=1, iid=550).est` is what Surprise gives; uid and iid are database ids, as int.

    Raises:
        UntrustedFile: the file is missing or is not byte for byte one that the database recorded.
    """
    if _find_store is None:
        raise UntrustedFile("No database is registered that records which model files may be opened.")
    store = _find_store()
    return unpickle(store.root / model_type / f"latest.{model_ext}", store.recorded_sha256)
