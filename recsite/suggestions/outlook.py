"""The prediction on a movie's page: the rating that the viewer would give, and which of their ratings support it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsite.suggestions.candidates import stands_low
from recsite.suggestions.ranking import UserRatings, read_user_ratings
from recsite.suggestions.reasons import Contribution, contributions_to, ranks_by_ease
from recsite.suggestions.scoring import predict_from
from recsite.versions.active import recommender

MAX_REASONS = 4


@dataclass(frozen=True)
class Reason:
    """One of the viewer's ratings that supports the movie."""

    contribution: Contribution
    part: float
    "Share of the sum of all supporting contributions, 0 to 1."


@dataclass(frozen=True)
class Outlook:
    """The prediction for one movie, with the ratings for and against it."""

    value: float | None
    "The predicted rating in stars; None where the version was trained without ratings of the movie."
    is_low: bool
    "Whether the movie stands behind all others, because the predicted rating is under the floor."
    reasons: Sequence[Reason]
    "The strongest first; empty if no rating supports the movie."
    against: Contribution | None
    "The rating that counts most against the movie."


def outlook_for(movie_id: int, user_id: int | None, visitor_stars: Mapping[int, float]) -> Outlook | None:
    """Return the outlook for a user, or for a visitor with these ratings by movie id; None without ratings or model."""
    version = recommender.current()
    users = [UserRatings.of_visitor(visitor_stars)] if user_id is None else read_user_ratings([user_id])
    if version is None or not users or not len(users[0].values):
        return None
    contributions = contributions_to(version, users[0], movie_id) if ranks_by_ease() else ()
    supporting = [each for each in contributions if each.share > 0]
    total = sum(each.share for each in supporting)
    prediction = predict_from(version, users[0], movie_id)
    value = prediction.value if prediction.knows_movie else None
    return Outlook(
        value=value,
        is_low=stands_low(value),
        reasons=[Reason(each, each.share / total) for each in supporting[:MAX_REASONS]],
        against=contributions[-1] if contributions and contributions[-1].share < 0 else None,
    )
