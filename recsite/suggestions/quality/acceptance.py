"""The ratings that users gave to suggestions, by the version that made the suggestions.

Queries read rated suggestions of the period only, by their index (`ix_suggestions_rated`): their time follows the
ratings of that period, not the millions of rows that nobody rated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.experiments import RELEVANT_FROM
from recsite.storage.tables import ModelVersion, Suggestion, now

LIKED_FROM = RELEVANT_FROM
"Stars from which a suggestion was liked, as in the held-out figures."
FEWEST_RATED = 50
"With fewer rated suggestions the liked share has a 95 % interval wider than ± 14 per cent."
FEWEST_FOR_DECILES = 100
"Ten in each decile."
MOST_FOR_DECILES = 100_000
"The newest ones; a bound, because all of them are sorted."
PERIODS = (7, 30, 90, 365)
"Days that the figures can go back."
USUAL_PERIOD = 90
"Days that the figures go back by default."


@dataclass(frozen=True)
class OnlineQuality:
    """The ratings that one version's suggestions got; the means are None where none was rated."""

    version_id: int
    version_name: str
    mae_heldout: float
    "Mean absolute error on held-out ratings in stars, measured when the version was trained."
    rated: int = 0
    "Number of suggestions that were rated."
    liked: int = 0
    "Number of those with LIKED_FROM stars or more."
    mean_predicted: float | None = None
    mean_given: float | None = None
    mae: float | None = None
    "Mean absolute difference of predicted and given ratings, in stars."

    @property
    def is_known(self) -> bool:
        """Return whether enough suggestions were rated for the figures to mean something."""
        return self.rated >= FEWEST_RATED

    @property
    def acceptance(self) -> float | None:
        """Return the liked share of the rated suggestions; None with fewer than `FEWEST_RATED`."""
        return self.liked / self.rated if self.is_known else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the liked share; None with fewer than `FEWEST_RATED`.

        E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927.
        """
        if not self.is_known:
            return None
        z, n, p = 1.96, self.rated, self.liked / self.rated
        center = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return center - half, center + half

    @property
    def bias(self) -> float | None:
        """Return the mean of predicted minus given stars; None where nothing was rated."""
        if self.mean_predicted is None or self.mean_given is None:
            return None
        return self.mean_predicted - self.mean_given


@dataclass(frozen=True)
class Decile:
    """A tenth of the rated suggestions, in the order of their predicted ratings; the means are in stars."""

    number: int
    "1 = the lowest predictions."
    rated: int
    mean_predicted: float
    mean_given: float


def measure_versions(days: int) -> list[OnlineQuality]:
    """Return the figures of each version over the last `days` days, the newest version first."""
    found = aggregate(days)
    versions = db.session.execute(
        sa.select(ModelVersion.id, ModelVersion.version_name, ModelVersion.mae).order_by(ModelVersion.id.desc())
    )
    return [OnlineQuality(*row, *found.get(row.id, ())) for row in versions]


def measure_version(version: ModelVersion, days: int = USUAL_PERIOD) -> OnlineQuality:
    """Return the figures of one version over the last `days` days."""
    return OnlineQuality(version.id, version.version_name, version.mae, *aggregate(days).get(version.id, ()))


def aggregate(days: int) -> dict[int | None, tuple[Any, ...]]:
    """Return the fields of `OnlineQuality` from `rated` on, by version id; versions without rated ones are left out."""
    rows = db.session.execute(
        sa.select(
            Suggestion.model_version_id,
            sa.func.count(),
            sa.func.sum(sa.case((Suggestion.rating_value >= LIKED_FROM, 1), else_=0)),
            sa.func.avg(Suggestion.value),
            sa.func.avg(Suggestion.rating_value),
            sa.func.avg(sa.func.abs(Suggestion.value - Suggestion.rating_value)),
        )
        .where(rated_since(days))
        .group_by(Suggestion.model_version_id)
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def deciles(version_id: int, days: int) -> Sequence[Decile]:
    """Return the version's rated suggestions in ten equal parts, the lowest predictions first.

    Empty with fewer than `FEWEST_FOR_DECILES` rated suggestions.
    """
    newest = (
        sa.select(Suggestion.value, Suggestion.rating_value)
        .where(Suggestion.model_version_id == version_id, rated_since(days))
        .order_by(Suggestion.did_rate_timestamp.desc())
        .limit(MOST_FOR_DECILES)
        .subquery()
    )
    tile = sa.func.ntile(10).over(order_by=newest.c.value).label("tile")
    tiles = sa.select(tile, newest.c.value, newest.c.rating_value).subquery()
    rows = db.session.execute(
        sa.select(tiles.c.tile, sa.func.count(), sa.func.avg(tiles.c.value), sa.func.avg(tiles.c.rating_value))
        .group_by(tiles.c.tile)
        .order_by(tiles.c.tile)
    )
    found = [Decile(*row) for row in rows]
    return found if sum(each.rated for each in found) >= FEWEST_FOR_DECILES else []


def rated_since(days: int) -> sa.ColumnElement[bool]:
    """Return the condition that a suggestion was rated in the last `days` days, and after it was made.

    An import brings ratings that are older than the suggestion, which say nothing about it.
    """
    return sa.and_(
        Suggestion.did_rate,  # As in the index: SQLite would not use it for `did_rate IS true`.
        Suggestion.did_rate_timestamp >= now() - timedelta(days=days),
        Suggestion.did_rate_timestamp >= Suggestion.timestamp,
    )
