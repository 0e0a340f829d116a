"""The admin overview: the version that serves, findings about its quality, and the size of the site."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from recsite import versions
from recsite.extensions import db
from recsite.storage.tables import Activation, ModelVersion, Movie, Rating, User, now
from recsite.suggestions.quality import acceptance, comparison
from recsite.suggestions.quality.acceptance import OnlineQuality

RECENT_DAYS = (7, 30)
HIGHEST_RMSE_RATIO = 1 + comparison.RMSE_MAY_RISE
"RMSE relative to the previous version from which the finding is a bad one."
LARGEST_BIAS = 0.5
"Stars; a larger mean difference of predicted and given ratings is a finding."


@dataclass(frozen=True)
class Finding:
    """One sentence about the quality of the version."""

    text: str
    is_good: bool


@dataclass(frozen=True)
class Waiting:
    """A version that is newer than the active one and better by what was measured when they were trained."""

    version_name: str
    figures: str
    "A sentence with the decisive figures of both."


@dataclass(frozen=True)
class Serving:
    """The active version, its activation and its quality."""

    version: ModelVersion
    activation: Activation | None
    online: OnlineQuality
    findings: tuple[Finding, ...]

    @property
    def does_well(self) -> bool | None:
        """Return whether every finding is good; None without findings."""
        return all(finding.is_good for finding in self.findings) if self.findings else None


def count_records() -> sa.Row[*tuple[int, ...]]:
    """Return the size of the site; the ratings are summed over the movies, because counting the rows takes seconds."""
    at = now()
    counts = {
        "users": sa.select(sa.func.count(User.id)),
        "movies": sa.select(sa.func.count(Movie.id)),
        "ratings": sa.select(sa.func.coalesce(sa.func.sum(Movie.rating_count), 0)),
    }
    for days in RECENT_DAYS:
        recent = sa.select(sa.func.count()).where(Rating.timestamp >= at - timedelta(days=days))
        counts[f"ratings_in_{days}_days"] = recent
    return db.session.execute(sa.select(*(query.label(name) for name, query in counts.items()))).one()


def find_serving() -> Serving | None:
    """Return the active version with its activation and findings; None where none is active."""
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
    activation, previous = last or (None, None)
    online = acceptance.measure_version(version)
    found = (compare_with_popularity(version), compare_with_previous(version, previous), *findings_from_ratings(online))
    return Serving(version, activation, online, tuple(finding for finding in found if finding))


def compare_with_popularity(version: ModelVersion) -> Finding | None:
    """Return whether its lists beat lists of popular movies on held-out ratings; None where that was not measured."""
    lists = (comparison.ranking_of(version, "time", order) for order in ("version", "popularity"))
    ours, popular = (each.get("ndcg_at_10") for each in lists)
    if ours is None or not popular:
        return None
    if ours > popular:
        return Finding(f"Its lists are {ours / popular:.1f} times as good as lists of what is popular.", True)
    return Finding("Its lists are no better than lists of what is popular: train anew, or roll back.", False)


def compare_with_previous(version: ModelVersion, previous: ModelVersion | None) -> Finding | None:
    """Return whether it predicts as well as the version before it; None where there was none, or one without errors."""
    if previous is None or not previous.rmse:
        return None
    change = version.rmse / previous.rmse - 1
    direction = "more" if change > 0 else "less"
    name = previous.version_name
    return Finding(
        f"Its error on held-out ratings is {abs(change):.1%} {direction} than that of {name} before it.",
        version.rmse <= previous.rmse * HIGHEST_RMSE_RATIO,
    )


def findings_from_ratings(online: OnlineQuality) -> list[Finding]:
    """Return the findings from ratings of its suggestions; empty while there are too few ratings."""
    if online.acceptance is None or online.bias is None:
        return []
    found = [
        Finding(
            f"{online.acceptance:.0%} of the {online.rated:,} suggestions that people rated got "
            f"{acceptance.LIKED_FROM:g} stars or more.",
            online.acceptance >= 0.5,
        )
    ]
    if abs(online.bias) > LARGEST_BIAS:
        direction = "many" if online.bias > 0 else "few"
        found.append(Finding(f"It predicts {abs(online.bias):.1f} stars too {direction} for what people watch.", False))
    return found


def find_better(active: ModelVersion) -> Waiting | None:
    """Return the newest version if it is not active, better than the active one, and in no figure clearly worse."""
    newest = db.session.scalars(sa.select(ModelVersion).order_by(ModelVersion.id.desc()).limit(1)).one()
    if newest.id <= active.id or newest.pruned_at is not None:
        return None
    figures = comparison.recorded_figures(active, newest)
    if not comparison.is_better(figures) or any(figure.objection for figure in figures):
        return None
    return Waiting(newest.version_name, comparison.describe_decisive(figures))
