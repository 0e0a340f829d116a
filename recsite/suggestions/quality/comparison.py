"""A version held against the active one before it takes over: its figures, and the lists that people would see."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from recsite import versions
from recsite.errors import UntrustedVersion
from recsite.extensions import db
from recsite.ml.experiments import LIST_LENGTH
from recsite.ml.files import open_version
from recsite.ml.pickles import UntrustedFile
from recsite.storage.tables import ModelVersion, Movie, Rating, User
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.ranking import read_user_ratings, score_block
from recsite.versions.active import LoadedVersion, recommender

SAMPLED_USERS = 200
"Lists of this many people are compared: a second's work, and a share of them is known to a few per cent."
SAMPLE_SEED = 1
"Fixed, so that two previews of one version show the same."

RMSE_MAY_RISE = 0.02
"Other folds alone move it by 0.3 % on 30,000 ratings and by 1 % on 2,000."
NDCG_MAY_FALL = 0.05
"Five per cent fewer ratings move it by 2 % on 200 users."
COVERAGE_MAY_FALL = 0.30
"Lists may grow bolder or tamer; where a third of the movies is never shown any more, all get what is popular."

RANKING_FIGURES = {
    "ndcg_at_10": "NDCG@10",
    "recall_at_10": "recall@10",
    "distinct_movies": "different movies",
    "mean_overlap": "overlap of two users",
    "popularity_lift": "popularity lift",
}
"What a version records for each split, and what people call it."


@dataclass(frozen=True)
class Figure:
    """One number of both versions."""

    name: str
    active: float
    proposed: float
    tolerated: float | None = None
    "The relative change that is still no objection: 0.02 = 2 % more, -0.05 = 5 % less. None: shown, not judged."

    @property
    def change(self) -> float | None:
        """Relative to the active version: 0.02 = 2 % more; None where that one has zero."""
        return self.proposed / self.active - 1 if self.active else None

    @property
    def objection(self) -> str | None:
        """The sentence that this figure has against the proposed version, if it has one."""
        change = self.change
        if change is None or self.tolerated is None or change / self.tolerated <= 1:
            return None
        direction = "higher" if change > 0 else "lower"
        return (
            f"{self.name} is {abs(change):.1%} {direction}: {text_of(self.active)} before, {text_of(self.proposed)} "
            f"now; up to {abs(self.tolerated):.1%} would pass."
        )


@dataclass(frozen=True)
class MovedMovie:
    """A movie that comes into lists, or goes out of them."""

    movie_id: int
    title: str
    lists: int
    "Of how many users."


@dataclass(frozen=True)
class Comparison:
    """What would change if the proposed version took over from the active one."""

    proposed_name: str
    active_name: str
    "What the other one is held against: the active version, or any that an admin chose."
    figures: tuple[Figure, ...]
    "Measured on held-out ratings when each was trained; the last one on the sampled lists."
    users: int
    "Drawn from those who have ratings."
    overlap: float | None
    "The mean share of a user's ten movies that both versions show; None where nobody has a list."
    entering: tuple[MovedMovie, ...]
    "In most lists first."
    leaving: tuple[MovedMovie, ...]
    "From most lists first."

    @property
    def objections(self) -> tuple[str, ...]:
        """What speaks clearly against the proposed version, a sentence each."""
        return tuple(figure.objection for figure in self.figures if figure.objection)

    @property
    def is_clearly_worse(self) -> bool:
        """Whether anything does."""
        return bool(self.objections)


def activate_unless_worse(version_name: str, by: str, reason: str = "") -> Comparison | None:
    """Activate the version, unless it is clearly worse: then the comparison that says why comes back.

    None when it is active now. The first version is always activated. Raises VersionNotFound, UntrustedVersion.
    """
    found = compare(version_name)
    if found is not None and found.is_clearly_worse:
        return found
    versions.activate(version_name, by, reason)
    return None


def compare(version_name: str) -> Comparison | None:
    """The version beside the active one; None where no other version is active. Writes nothing.

    1. Open the version's files, beside those that serve.
    2. Draw users who have ratings, and let both versions make the ten best movies of each.
    3. Put the figures side by side that were recorded with each.

    Raises VersionNotFound, UntrustedVersion.
    """
    proposed = versions.find(version_name)
    recommender.follow_now()
    serving = recommender.current()
    if serving is None or serving.version_id == proposed.id:
        return None
    return compare_two(db.session.get_one(ModelVersion, serving.version_id), proposed)


def compare_two(active: ModelVersion, proposed: ModelVersion) -> Comparison:
    """What would change if `proposed` took over from the other one, active or not; raises UntrustedVersion."""
    user_ids = draw_users(SAMPLED_USERS, SAMPLE_SEED)
    before, after = make_lists((opened(active), opened(proposed)), user_ids)
    pairs = list(zip(before, after, strict=True))
    coverage = Figure(
        f"Movies in the lists of {len(user_ids)} users",
        len(set().union(*before)),
        len(set().union(*after)),
        -COVERAGE_MAY_FALL,
    )
    return Comparison(
        proposed_name=proposed.version_name,
        active_name=active.version_name,
        figures=(*recorded_figures(active, proposed), coverage),
        users=len(user_ids),
        overlap=mean_overlap(pairs),
        entering=moved(Counter(movie_id for old, new in pairs for movie_id in new - old)),
        leaving=moved(Counter(movie_id for old, new in pairs for movie_id in old - new)),
    )


def set_ups(*compared: ModelVersion) -> list[tuple[str, list[object]]]:
    """Each parameter of these versions' trainings with its values, None where a version does not have it."""
    chosen = [flat(version.parameters) for version in compared]
    names = dict.fromkeys(name for each in chosen for name in each)
    return [(name, [each.get(name) for each in chosen]) for name in names]


def flat(parameters: dict[str, Any], above: str = "") -> dict[str, object]:
    """Nested parameters by their full names, as in 'ranker weights'."""
    found: dict[str, object] = {}
    for name, value in parameters.items():
        full = f"{above}{name.replace('_', ' ')}"
        found |= flat(value, f"{full} ") if isinstance(value, dict) else {full: value}
    return found


def opened(version: ModelVersion) -> LoadedVersion:
    """The version in memory, the loaded one where that is it; raises UntrustedVersion."""
    loaded = recommender.current()
    if loaded is not None and loaded.version_id == version.id:
        return loaded
    folder = versions.folder() / version.version_name
    try:
        return LoadedVersion(version.id, version.version_name, open_version(folder, version.manifest_sha256))
    except UntrustedFile as error:
        problem = versions.find_problem(version) or error
        raise UntrustedVersion(f"{version.version_name} cannot be used: {problem}") from error


def draw_users(n: int, seed: int) -> list[int]:
    """The ids of `n` users who have ratings, or of all, ascending; the same users for the same seed."""
    has_ratings = sa.exists().where(Rating.user_id == User.id)
    user_ids = db.session.scalars(sa.select(User.id).where(has_ratings).order_by(User.id)).all()
    return sorted(random.Random(seed).sample(user_ids, min(n, len(user_ids))))


def make_lists(loaded: Sequence[LoadedVersion], user_ids: Sequence[int]) -> list[list[set[int]]]:
    """For each version the ten best movies of each user, from the same ratings and the same catalogue."""
    users = [user for user in read_user_ratings(user_ids) if len(user.values)]
    if not users:
        return [[] for _ in loaded]
    generation = catalog_generation()
    return [
        [
            set(scored.movie_ids.tolist())
            for scored in score_block(version, find_candidates(version, generation), users, LIST_LENGTH)
        ]
        for version in loaded
    ]


def mean_overlap(pairs: Sequence[tuple[set[int], set[int]]]) -> float | None:
    """The mean share of the longer list that stands in both; None without lists."""
    shares = [len(old & new) / max(len(old), len(new)) for old, new in pairs if old or new]
    return sum(shares) / len(shares) if shares else None


def moved(lists: Counter[int]) -> tuple[MovedMovie, ...]:
    """These movies with their titles, those of most lists first."""
    rows = db.session.execute(sa.select(Movie.id, Movie.title).where(Movie.id.in_(lists))).all()
    return tuple(sorted((MovedMovie(*row, lists[row.id]) for row in rows), key=lambda each: (-each.lists, each.title)))


def recorded_figures(active: ModelVersion, proposed: ModelVersion) -> list[Figure]:
    """What was measured when each version was trained, where both have it.

    A figure from n ratings, or users, is known to about 1/√n of itself, so that a small site tolerates more.
    """
    by_ratings = min(active.rating_count, proposed.rating_count) ** -0.5
    by_users = min(active.user_count, proposed.user_count) ** -0.5
    figures = [
        Figure("RMSE", active.rmse, proposed.rmse, max(RMSE_MAY_RISE, by_ratings)),
        Figure("MAE", active.mae, proposed.mae),
    ]
    for split, how in (("time", "by time"), ("random", "at random")):
        ours, theirs = ranking_of(active, split), ranking_of(proposed, split)
        for key, name in RANKING_FIGURES.items():
            if key in ours and key in theirs:
                is_judged = (split, key) == ("time", "ndcg_at_10")
                tolerated = -max(NDCG_MAY_FALL, by_users) if is_judged else None
                figures.append(Figure(f"{name} {how}", ours[key], theirs[key], tolerated))
    return figures


def ranking_of(version: ModelVersion, split: str) -> dict[str, float]:
    """The ranking quality that was recorded for this split; empty for a version of too few ratings."""
    found: dict[str, float] = version.metrics.get("ranking", {}).get(split, {}).get("version", {})
    return found


def text_of(figure: float) -> str:
    """A count as 1,234, anything else with four decimals."""
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.4f}"
