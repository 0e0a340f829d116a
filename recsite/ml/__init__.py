"""Numbers: fitting, scoring, ranking and the files of a version.

It may import numpy, scipy, numba and scikit-surprise, and nothing else of recsite. Start with `rating.py` (predicted
ratings) and `ranker.py` (the order of lists); `candidates.py` makes lists of both.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from surprise import AlgoBase

from recsite.ml.pickles import UntrustedFile, unpickle

ModelStore = tuple[Path, Collection[str]]
"The folder above all model types, and the SHA-256 of each pickle that the database recorded, as hex digits."

_find_store: Callable[[], ModelStore] | None = None


def register_store(find_store: Callable[[], ModelStore]) -> None:
    """Let `load_model` find the files by this function."""
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
    root, recorded_sha256 = _find_store()
    return unpickle(root / model_type / f"latest.{model_ext}", recorded_sha256)
