"""Numbers: fitting, scoring, ranking and the files of a version. Knows nothing of the site around it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from surprise import AlgoBase

from recsite.ml.pickles import UntrustedFile, unpickle


@dataclass(frozen=True)
class ModelStore:
    """Where versions lie, and which of their pickles may be opened."""

    root: Path
    "Holds one folder for each model type; `surprise/latest.pkl` is the active version."
    recorded_sha256: frozenset[str]
    "Hex digests of the pickles that the database recorded when they were written."


find_store: Callable[[], ModelStore] | None = None
"Set by the package around `ml`, which has the database; nothing is unpickled without it."


def load_model(model_type: str = "surprise", model_ext: str = "pkl") -> AlgoBase:
    """The active version as the scikit-surprise object that was fitted.

    `load_model().predict(uid=1, iid=550).est` is what Surprise gives; uid and iid are database ids, as int.
    Raises UntrustedFile when the file is missing or is not byte for byte one that the database recorded.
    """
    if find_store is None:
        raise UntrustedFile("No database is known that records which model files may be opened.")
    store = find_store()
    return unpickle(store.root / model_type / f"latest.{model_ext}", store.recorded_sha256)
