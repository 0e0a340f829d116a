"""The independent pieces of a training, and the folder in which processes share its ratings and results.

A training is prepared once, its pieces are done in any order by any number of processes, and then a last step makes the
version of their results. A piece that is done again, as after a killed worker, leaves the same results.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recsite.errors import TrainingGone
from recsite.ml.descent import Parameters, fit_model
from recsite.ml.ease import fit_ranker
from recsite.ml.fit import fold_errors
from recsite.ml.ranker import Ranker, RankerParameters
from recsite.ml.rating import RatingModel
from recsite.ml.ratings import SCALE, NumberedRatings, Ratings
from recsite.ml.vocabulary import IntArray
from recsite.storage import media
from recsite.versions import evaluation

RATINGS = ("user_ids", "movie_ids", "values", "timestamps")
FACTS = "facts.json"
VERSION = "version"
"The piece that fits what is served: on all ratings."


@dataclass(frozen=True)
class SetUp:
    """Everything that a training depends on besides the ratings."""

    model: Parameters
    ranker: RankerParameters
    folds: int
    "Number of held-out folds for RMSE and MAE."
    ranking: str
    "The order of lists: 'ease' or 'value'."

    @property
    def pieces(self) -> list[str]:
        """The names of the pieces, the longest first so that no worker ends long after the others."""
        return [VERSION, *evaluation.SPLITS, *(f"fold {fold + 1}" for fold in range(self.folds))]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SetUp":
        """Return the set-up of `dataclasses.asdict`."""
        model, ranker = Parameters(**values["model"]), RankerParameters(**values["ranker"])
        return cls(model, ranker, values["folds"], values["ranking"])


class Workspace:
    """The folder of one training: the ratings and the set-up, written once, and the result of each piece.

    Where `is_shared`, it stands under MEDIA_URL too, so that workers of other hosts find it.
    """

    def __init__(self, root: Path, *, is_shared: bool = False) -> None:
        self.root = root
        self.is_shared = is_shared
        self.key = f"ml/training/{root.name}"

    def create(self, set_up: SetUp, ratings: Ratings, user_generations: IntArray) -> None:
        """Write what the pieces need, in place of what an earlier attempt left."""
        self.remove()
        if self.is_shared:
            # One training is queued or running at a time, so the others there have ended or failed.
            media.connect().remove(str(Path(self.key).parent))
        arrays = {name: getattr(ratings, name) for name in RATINGS} | {"user_generations": user_generations}
        self.publish("data", arrays, {"set_up": asdict(set_up)})

    def publish(self, name: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Write arrays and facts into a new folder and rename it to `name`; an existing one stays as it is."""
        self.root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=self.root))
        for array_name, array in arrays.items():
            np.save(building / f"{array_name}.npy", array, allow_pickle=False)
        (building / FACTS).write_text(json.dumps(facts))
        if self.is_shared:
            # The facts come last: a folder without them is not there yet.
            for path in sorted(building.iterdir(), key=lambda path: path.name == FACTS):
                media.connect().upload(path, f"{self.key}/{name}/{path.name}")
        self.rename(building, name)

    def facts(self, name: str) -> dict[str, Any]:
        """Return the facts of a published folder, which is fetched if only another host has it.

        Raises:
            TrainingGone: it is not there.
        """
        path = self.root / name / FACTS
        if self.is_shared and not path.exists():
            self.fetch(name)
        try:
            found: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise TrainingGone(self.key if self.is_shared else str(self.root)) from error
        return found

    def fetch(self, name: str) -> None:
        """Copy a folder from MEDIA_URL, unless it is missing or incomplete there."""
        store, key = media.connect(), f"{self.key}/{name}"
        names = store.list_folder(key)
        if FACTS not in names:
            return
        self.root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=self.root))
        for file_name in names:
            store.download(f"{key}/{file_name}", building / file_name)
        self.rename(building, name)

    def rename(self, building: Path, name: str) -> None:
        """Rename a complete folder to its final name; remove it where another process has published the same."""
        try:
            building.rename(self.root / name)
        except OSError:
            # Two processes fetched it, or a worker whose lease had expired finished the same piece.
            shutil.rmtree(building)

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of a published folder, memory-mapped: the processes of a host share them."""
        self.facts(name)
        return {
            path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in (self.root / name).glob("*.npy")
        }

    def ratings(self) -> Ratings:
        """Return the ratings of the training, by user and movie."""
        arrays = self.arrays("data")
        return Ratings(*(arrays[name] for name in RATINGS))

    def set_up(self) -> SetUp:
        """Return the set-up of the training."""
        return SetUp.from_dict(self.facts("data")["set_up"])

    def remove(self) -> None:
        """Remove the folder, here and under MEDIA_URL; one that is not there is ignored."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self.is_shared:
            media.connect().remove(self.key)


def do_piece(
    workspace: Workspace, piece: str, threads: int | None = None, check: Callable[[], None] | None = None
) -> None:
    """Do a piece of the training and publish its result in the workspace.

    `threads` (None: one a core) limits what runs at once. `check` is called after each epoch of the rating model's fit
    for the version and for folds, and may raise an error to end the piece.

    Raises:
        TrainingGone: the workspace is not there.
        TrainingDiverged: a fit gave numbers that are not finite.
    """
    set_up, ratings = workspace.set_up(), workspace.ratings()

    def after_epoch(epoch: int, model: RatingModel) -> bool:
        if check:
            check()
        return False

    with evaluation.divergence_named(set_up.model), threadpool_limits(threads, "blas"):
        if piece == VERSION:
            model = fit_model(NumberedRatings.of(ratings), set_up.model, threads, after_epoch)
            ranker = fit_ranker(ratings, set_up.ranker, threads)
            workspace.publish(VERSION, model.as_arrays() | ranker.as_arrays(), {"mu": model.mu})
        elif piece in evaluation.SPLITS:
            figures = evaluation.split_figures(ratings, piece, set_up.ranking, set_up.model, set_up.ranker, threads)
            workspace.publish(piece, {}, figures)
        else:
            fold = int(piece.removeprefix("fold ")) - 1
            numbered = NumberedRatings.of(ratings)
            rmse, mae = fold_errors(numbered, set_up.model, set_up.folds, fold, threads, after_epoch)
            workspace.publish(piece, {}, {"rmse": rmse, "mae": mae})


def read_version(workspace: Workspace) -> tuple[RatingModel, Ranker]:
    """Return what the piece `VERSION` has fitted."""
    arrays = workspace.arrays(VERSION)
    model = RatingModel.from_arrays(arrays, workspace.facts(VERSION)["mu"], SCALE)
    return model, Ranker.from_arrays(arrays, workspace.set_up().ranker.rating_weights)
