"""The site at one glance: which version serves, whether it does well, and how much there is."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from recsite import versions
from recsite.extensions import db
from recsite.storage.tables import Activation, ModelVersion, Movie, Rating, User, now
from recsite.suggestions.quality import acceptance, comparison
from recsite.suggestions.quality.acceptance import OnlineQuality

RECENT_DAYS = (7, 30)
WORSE_RMSE = 1 + comparison.RMSE_MAY_RISE
BIAS_IS_TOO_MUCH = 0.5
"Stars that predictions may be off, in the mean, before somebody should look."


@dataclass(frozen=True)
class Counts:
    """How much there is."""

    users: int
    movies: int
    ratings: int
    ratings_in_7_days: int
    ratings_in_30_days: int


@dataclass(frozen=True)
class Finding:
    """One sentence about how the version does."""

    says: str
    is_good: bool


@dataclass(frozen=True)
class Serving:
    """The active version, how it came to be, and how it does."""

    version: ModelVersion
    activation: Activation | None
    online: OnlineQuality
    findings: tuple[Finding, ...]

    @property
    def does_well(self) -> bool | None:
        """Whether every finding is good; None where there is none yet."""
        return all(finding.is_good for finding in self.findings) if self.findings else None


def count() -> Counts:
    """How much there is; all ratings are counted by the movies' averages, for counting the rows takes seconds."""
    at = now()
    recent = [
        sa.select(sa.func.count()).where(Rating.timestamp >= at - timedelta(days=days)).scalar_subquery()
        for days in RECENT_DAYS
    ]
    row = db.session.execute(
        sa.select(
            sa.select(sa.func.count(User.id)).scalar_subquery(),
            sa.select(sa.func.count(Movie.id)).scalar_subquery(),
            sa.select(sa.func.coalesce(sa.func.sum(Movie.rating_count), 0)).scalar_subquery(),
            *recent,
        )
    ).one()
    return Counts(*row)


def find_serving() -> Serving | None:
    """The active version with all that is known of it; None where none is active."""
    version = versions.find_active()
    if version is None:
        return None
    last = db.session.execute(
        sa.select(Activation, ModelVersion)
        .outerjoin(ModelVersion, ModelVersion.id == Activation.previous_version_id)
        .where(Activation.model_version_id == version.id)
        .order_by(Activation.id.desc())
        .limit(1)
    ).first()
    activation, before = last or (None, None)
    online = acceptance.of_version(version)
    found = (beside_popularity(version), beside_the_one_before(version, before), *from_ratings(online))
    return Serving(version, activation, online, tuple(finding for finding in found if finding))


def beside_popularity(version: ModelVersion) -> Finding | None:
    """Whether its lists find more than what is popular would, on held-out ratings."""
    recorded = version.metrics.get("ranking", {}).get("time", {})
    ours, popular = (recorded.get(name, {}).get("ndcg_at_10") for name in ("version", "popularity"))
    if ours is None or not popular:
        return None
    if ours > popular:
        return Finding(f"Its lists are {ours / popular:.1f} times as good as lists of what is popular.", True)
    return Finding("Its lists are no better than lists of what is popular: train anew, or roll back.", False)


def beside_the_one_before(version: ModelVersion, before: ModelVersion | None) -> Finding | None:
    """Whether it predicts as well as the version that it replaced."""
    if before is None:
        return None
    change = version.rmse / before.rmse - 1
    direction = "more" if change > 0 else "less"
    return Finding(
        f"Its error on held-out ratings is {abs(change):.1%} {direction} than that of {before.version_name} before it.",
        version.rmse <= before.rmse * WORSE_RMSE,
    )


def from_ratings(online: OnlineQuality) -> list[Finding]:
    """What people's ratings of its suggestions say, once there are enough of them."""
    if online.acceptance is None or online.bias is None:
        return []
    found = [
        Finding(
            f"{online.acceptance:.0%} of the {online.rated:,} suggestions that people rated got "
            f"{acceptance.LIKED_FROM:g} stars or more.",
            online.acceptance >= 0.5,
        )
    ]
    if abs(online.bias) > BIAS_IS_TOO_MUCH:
        direction = "many" if online.bias > 0 else "few"
        found.append(Finding(f"It predicts {abs(online.bias):.1f} stars too {direction} for what people watch.", False))
    return found
