"""The comparison of a version with the active one before it takes over: recorded figures, and lists of a sample."""

import math
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
from recsite.ml.pickles import UntrustedFile
from recsite.storage import media
from recsite.storage.tables import ModelVersion, Movie, Rating, User
from recsite.suggestions.candidates import catalog_generation, find_candidates
from recsite.suggestions.ranking import make_scored_lists, read_user_ratings
from recsite.versions import copies
from recsite.versions.active import LoadedVersion, recommender

SAMPLED_USERS = 200
"Number of users whose lists are compared: it takes a second, and gives shares to within a few per cent."
SAMPLE_SEED = 1
"Seed of the sample; fixed, so that two previews of one version show the same."

RMSE_MAY_RISE = 0.02
"Relative. Other folds alone change RMSE by 0.3 % on 30,000 ratings and by 1 % on 2,000."
NDCG_MAY_FALL = 0.05
"Relative. Five per cent fewer ratings change NDCG by 2 % on 200 users."
COVERAGE_MAY_FALL = 0.30
"Relative. Where a third of the movies is no longer shown, everybody gets what is popular."

DECISIVE = ("NDCG@10 by time", "RMSE")
"Names of the figures that say whether a version is better: the first one that both versions have."
RANKING_FIGURES = {
    "ndcg_at_10": "NDCG@10",
    "recall_at_10": "recall@10",
    "distinct_movies": "different movies",
    "mean_overlap": "overlap of two users",
    "popularity_lift": "popularity lift",
}
"The figures that a version records for each split, with their labels."


@dataclass(frozen=True)
class Figure:
    """One figure of both versions."""

    name: str
    active: float
    proposed: float
    tolerated: float | None = None
    "Relative change up to which there is no objection, as 0.02 or -0.05; None for a figure that is not judged."

    @property
    def change(self) -> float | None:
        """Return the change relative to the active version: 0.02 = 2 % more; None where that version has zero."""
        return self.proposed / self.active - 1 if self.active else None

    @property
    def objection(self) -> str | None:
        """Return the objection to the proposed version as a sentence; None where the change is tolerated."""
        change = self.change
        if change is None or self.tolerated is None or change / self.tolerated <= 1:
            return None
        direction = "higher" if change > 0 else "lower"
        before, after = format_figure(self.active), format_figure(self.proposed)
        return (
            f"{self.name} is {abs(change):.1%} {direction}: {before} before, {after} now; "
            f"up to {abs(self.tolerated):.1%} would pass."
        )


@dataclass(frozen=True)
class MovedMovie:
    """A movie that enters lists, or leaves them."""

    movie_id: int
    title: str
    lists: int
    "Number of lists that it enters or leaves."


@dataclass(frozen=True)
class Comparison:
    """The changes if the proposed version took over from the active one."""

    proposed_name: str
    active_name: str
    "The version that the proposed one is compared with: the active one, or any that an admin chose."
    figures: tuple[Figure, ...]
    "Figures on held-out ratings, measured when each version was trained; the last figure is from the sampled lists."
    users: int
    "Number of sampled users, all with ratings."
    overlap: float | None
    "Mean share of a user's ten movies that both versions show; None where nobody has a list."
    entering: tuple[MovedMovie, ...]
    leaving: tuple[MovedMovie, ...]
    "The movies that enter and leave lists; those of most lists come first."

    @property
    def objections(self) -> tuple[str, ...]:
        """Return the objections to the proposed version, a sentence each."""
        return tuple(figure.objection for figure in self.figures if figure.objection)

    @property
    def is_clearly_worse(self) -> bool:
        """Return whether there is an objection."""
        return bool(self.objections)


def activate_unless_worse(version_name: str, by: str, reason: str = "") -> Comparison | None:
    """Activate the version and return None, or return the comparison that shows it to be clearly worse.

    The first version is always activated.

    Raises:
        VersionNotFound: no version has this name.
        UntrustedVersion: its files are missing or changed.
    """
    found = compare(version_name)
    if found is not None and found.is_clearly_worse:
        return found
    versions.activate(version_name, by, reason)
    return None


def compare(version_name: str) -> Comparison | None:
    """Return the comparison of the version with the active one; None where no other version is active.

    Raises:
        VersionNotFound: no version has this name.
        UntrustedVersion: its files are missing or changed.
    """
    proposed = versions.find(version_name)
    recommender.follow_now()
    serving = recommender.current()
    if serving is None and media.is_shared() and recommender.problem():
        # Without the comparison a worse version would be activated, because the bucket was out for a moment.
        raise UntrustedVersion(f"{version_name} cannot be compared with the active version: {recommender.problem()}")
    if serving is None or serving.version_id == proposed.id:
        return None
    return compare_two(db.session.get_one(ModelVersion, serving.version_id), proposed)


def compare_two(active: ModelVersion, proposed: ModelVersion) -> Comparison:
    """Return the changes if `proposed` took over from the other version, which need not be active.

    Raises:
        UntrustedVersion: the files of one of them are missing or changed.
    """
    user_ids = sample_user_ids(SAMPLED_USERS, SAMPLE_SEED)
    before, after = sample_lists((load_version(active), load_version(proposed)), user_ids)
    pairs = list(zip(before, after, strict=True))
    shown, shown_now = (len(set().union(*lists)) for lists in (before, after))
    coverage = Figure(f"Movies in the lists of {len(user_ids)} users", shown, shown_now, -COVERAGE_MAY_FALL)
    return Comparison(
        proposed_name=proposed.version_name,
        active_name=active.version_name,
        figures=(*recorded_figures(active, proposed), coverage),
        users=len(user_ids),
        overlap=mean_overlap(pairs),
        entering=movies_in(Counter(movie_id for old, new in pairs for movie_id in new - old)),
        leaving=movies_in(Counter(movie_id for old, new in pairs for movie_id in old - new)),
    )


def compare_parameters(*compared: ModelVersion) -> list[tuple[str, list[object]]]:
    """Return each training parameter with its value in each of these versions, None where a version has none."""
    parameters = [flatten_names(version.parameters) for version in compared]
    names = dict.fromkeys(name for each in parameters for name in each)
    return [(name, [each.get(name) for each in parameters]) for name in names]


def flatten_names(parameters: dict[str, Any], prefix: str = "") -> dict[str, object]:
    """Return nested parameters by their full names, as 'ranker weights'."""
    found: dict[str, object] = {}
    for name, value in parameters.items():
        full = f"{prefix}{name.replace('_', ' ')}"
        found |= flatten_names(value, f"{full} ") if isinstance(value, dict) else {full: value}
    return found


def load_version(version: ModelVersion) -> LoadedVersion:
    """Return the version in memory; the active version is loaded already."""
    loaded = recommender.current()
    if loaded is not None and loaded.version_id == version.id:
        return loaded
    try:
        return LoadedVersion(version.id, version.version_name, copies.open_or_fetch(version))
    except UntrustedFile as error:
        problem = versions.find_problem(version) or error
        raise UntrustedVersion(f"{version.version_name} cannot be used: {problem}") from error


def sample_user_ids(n: int, seed: int) -> list[int]:
    """Return the ids of `n` users with ratings, or of all where they are fewer, ascending; a seed gives one sample."""
    has_ratings = sa.exists().where(Rating.user_id == User.id)
    user_ids = db.session.scalars(sa.select(User.id).where(has_ratings).order_by(User.id)).all()
    sampler = random.Random(seed)  # noqa: S311 - a sample needs no cryptographic randomness
    return sorted(sampler.sample(user_ids, min(n, len(user_ids))))


def sample_lists(loaded: Sequence[LoadedVersion], user_ids: Sequence[int]) -> list[list[set[int]]]:
    """Return the ten best movies of each user with ratings for each version, from the same ratings and catalogue."""
    users = [user for user in read_user_ratings(user_ids) if len(user.values)]
    generation = catalog_generation()
    scored = (make_scored_lists(each, find_candidates(each, generation), users, LIST_LENGTH) for each in loaded)
    return [[set(found.movie_ids.tolist()) for found in lists] for lists in scored]


def mean_overlap(pairs: Sequence[tuple[set[int], set[int]]]) -> float | None:
    """Return the mean share of the longer list of each pair that is in both; None without lists."""
    shares = [len(old & new) / max(len(old), len(new)) for old, new in pairs if old or new]
    return sum(shares) / len(shares) if shares else None


def movies_in(lists: Counter[int]) -> tuple[MovedMovie, ...]:
    """Return these movies with their titles, those with most lists first."""
    rows = db.session.execute(sa.select(Movie.id, Movie.title).where(Movie.id.in_(lists))).all()
    return tuple(sorted((MovedMovie(*row, lists[row.id]) for row in rows), key=lambda each: (-each.lists, each.title)))


def recorded_figures(active: ModelVersion, proposed: ModelVersion) -> list[Figure]:
    """Return the figures that were measured when the versions were trained and that both have.

    The relative error of a figure from n ratings or users is about 1/√n, so a small site tolerates larger changes.
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


def is_better(figures: Sequence[Figure]) -> bool:
    """Return whether the decisive figure is better; False where the versions have none in common."""
    by_name = {figure.name: figure for figure in figures}
    figure = next((by_name[name] for name in DECISIVE if name in by_name), None)
    if figure is None or figure.tolerated is None:
        return False
    return (figure.proposed - figure.active) * figure.tolerated < 0


def describe_decisive(figures: Sequence[Figure]) -> str:
    """Return a sentence with the decisive figures of both versions."""
    said = [
        f"{each.name}: {format_figure(each.active)} before, {format_figure(each.proposed)} now"
        for each in figures
        if each.name in DECISIVE
    ]
    return f"{'; '.join(said)}." if said else ""


def ranking_of(version: ModelVersion, split: str, order: str = "version") -> dict[str, float]:
    """Return the figures that the version recorded for this split, as far as they exist and are finite.

    `order` is 'version' for its own lists, or 'popularity' for lists of popular movies.
    """
    recorded = version.metrics.get("ranking", {}).get(split, {}).get(order, {})
    figures = {key: recorded.get(key) for key in RANKING_FIGURES}
    # Older versions recorded NaN for a figure that does not exist.
    return {key: figure for key, figure in figures.items() if figure is not None and math.isfinite(figure)}


def format_figure(figure: float) -> str:
    """Return a count as 1,234 and any other figure with four decimals."""
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.4f}"
