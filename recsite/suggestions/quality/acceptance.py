"""How well suggestions did with the people who rated them, by the version that made them.

Rated suggestions alone are read, by an index of those (`ix_suggestions_rated`), and no further back than asked: the
time it takes follows the ratings of that period, not the millions of rows that nobody rated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ml.experiments import RELEVANT_FROM
from recsite.storage.tables import ModelVersion, Suggestion, now

LIKED_FROM = RELEVANT_FROM
"A suggestion that got at least these stars was a good one: as in the held-out figures."
FEWEST_RATED = 50
"Of fewer, the share liked is known to no better than ± 14 per cent."
FEWEST_FOR_DECILES = 100
"Ten in each."
MOST_FOR_DECILES = 100_000
"The newest ones, for all are sorted."
PERIODS = (7, 30, 90, 365)
"Days that the figures can look back."
USUAL_PERIOD = 90


@dataclass(frozen=True)
class OnlineQuality:
    """What became of one version's suggestions; means are None without any that was rated."""

    version_id: int
    version_name: str
    mae_heldout: float
    "The mean error on held-out ratings, in stars, as it was measured when the version was trained."
    rated: int = 0
    liked: int = 0
    "Got LIKED_FROM stars or more."
    mean_predicted: float | None = None
    "In stars, as are the others."
    mean_given: float | None = None
    mae: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether enough were rated for the figures to mean anything."""
        return self.rated >= FEWEST_RATED

    @property
    def acceptance(self) -> float | None:
        """The share of the rated suggestions that was liked; None while that is not known."""
        return self.liked / self.rated if self.is_known else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the share lies, 19 times of 20: the interval of Wilson (1927)."""
        if not self.is_known:
            return None
        z, n, share = 1.96, self.rated, self.liked / self.rated
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return middle - half, middle + half

    @property
    def bias(self) -> float | None:
        """How many stars too much were predicted, in the mean; negative = too few."""
        if self.mean_predicted is None or self.mean_given is None:
            return None
        return self.mean_predicted - self.mean_given


@dataclass(frozen=True)
class Decile:
    """A tenth of the rated suggestions, by what was predicted."""

    number: int
    "1 = the lowest predictions."
    rated: int
    mean_predicted: float
    mean_given: float


def of_versions(days: int) -> list[OnlineQuality]:
    """Each version with its figures over the last `days` days, the newest version first."""
    found = counted(days)
    versions = db.session.execute(
        sa.select(ModelVersion.id, ModelVersion.version_name, ModelVersion.mae).order_by(ModelVersion.id.desc())
    )
    return [OnlineQuality(*row, *found.get(row.id, ())) for row in versions]


def of_version(version: ModelVersion, days: int = USUAL_PERIOD) -> OnlineQuality:
    """One version's figures over the last `days` days."""
    return OnlineQuality(version.id, version.version_name, version.mae, *counted(days).get(version.id, ()))


def counted(days: int) -> dict[int | None, tuple[Any, ...]]:
    """What became of suggestions, from `rated` on, by the id of the version; nothing for one without rated ones."""
    rows = db.session.execute(
        sa.select(
            Suggestion.model_version_id,
            sa.func.count(),
            sa.func.sum(sa.case((Suggestion.rating_value >= LIKED_FROM, 1), else_=0)),
            sa.func.avg(Suggestion.value),
            sa.func.avg(Suggestion.rating_value),
            sa.func.avg(sa.func.abs(Suggestion.value - Suggestion.rating_value)),
        )
        .where(rated_since(now() - timedelta(days=days)))
        .group_by(Suggestion.model_version_id)
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def deciles(version_id: int, days: int) -> Sequence[Decile]:
    """The version's rated suggestions in ten equal parts, the lowest predictions first; none of too few."""
    newest = (
        sa.select(Suggestion.value, Suggestion.rating_value)
        .where(Suggestion.model_version_id == version_id, rated_since(now() - timedelta(days=days)))
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


def rated_since(since: datetime) -> sa.ColumnElement[bool]:
    """What picks the suggestions that were rated since then, and after they were suggested.

    An import brings ratings that are older than the suggestion: those say nothing of it.
    """
    return sa.and_(
        Suggestion.did_rate,  # as the index has it: SQLite would not use it for `did_rate IS true`
        Suggestion.did_rate_timestamp >= since,
        Suggestion.did_rate_timestamp >= Suggestion.timestamp,
    )
