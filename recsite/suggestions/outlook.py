"""What a movie's page says to whoever looks at it: the rating they would give, and which of their ratings say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsite.suggestions.ranking import UserRatings, read_user_ratings
from recsite.suggestions.reasons import Contribution, contributions_to, ranks_by_ease
from recsite.suggestions.scoring import predict_from
from recsite.versions.active import recommender

MOST_REASONS = 4


@dataclass(frozen=True)
class Reason:
    """One own rating that speaks for the movie."""

    contribution: Contribution
    part: float
    "Of all that speaks for the movie, 0 to 1."


@dataclass(frozen=True)
class Outlook:
    """What is predicted for one movie, and why it is suggested or not."""

    value: float
    "The predicted rating, in stars."
    reasons: Sequence[Reason]
    "The strongest first; none where nothing speaks for the movie."
    against: Contribution | None
    "The own rating that speaks against the movie most."


def outlook_for(movie_id: int, user_id: int | None, given: Mapping[int, float]) -> Outlook | None:
    """The outlook for a user, or for a visitor who gave these stars; None without ratings or without a model."""
    version = recommender.current()
    users = [UserRatings.of_visitor(given)] if user_id is None else read_user_ratings([user_id])
    if version is None or not users or not len(users[0].values):
        return None
    shares = contributions_to(version, users[0], movie_id) if ranks_by_ease() else ()
    speaking_for = [each for each in shares if each.share > 0]
    total = sum(each.share for each in speaking_for)
    return Outlook(
        value=predict_from(version, users[0], movie_id).value,
        reasons=[Reason(each, each.share / total) for each in speaking_for[:MOST_REASONS]],
        against=shares[-1] if shares and shares[-1].share < 0 else None,
    )
