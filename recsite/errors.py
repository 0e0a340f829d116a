"""The exceptions of recsite. `web/request/errors.py` maps each class to a status code."""

from datetime import datetime


class RecsiteError(Exception):
    """An error that the user can correct. The message says what is wrong and what to do."""


class NotFound(RecsiteError):
    """Nothing has the requested id or name."""


class UserNotFound(NotFound):
    """No user with this id or name; the message names the id where several were asked for."""

    def __init__(self, user_id: int | str | None = None) -> None:
        super().__init__("User not found" if user_id is None else f"User {user_id} not found")


class MovieNotFound(NotFound):
    """No movie with this id; the message names it where several were asked for."""

    def __init__(self, movie_id: int | str | None = None) -> None:
        super().__init__("Movie not found" if movie_id is None else f"Movie {movie_id} not found")


class VersionNotFound(NotFound):
    """No model version with this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No model version is named {name!r}; 'flask models list' shows them.")


class InvalidInput(RecsiteError):
    """A value is not allowed. The message names it and the allowed values."""


class IdTaken(RecsiteError):
    """An id that only one movie can have is another's."""


class TokenRefused(RecsiteError):
    """A token is expired, forged or malformed."""


class TokenExpired(TokenRefused):
    """The time of an API token is over."""

    def __init__(self, expired_at: datetime) -> None:
        super().__init__(f"This token expired on {expired_at:%Y-%m-%d %H:%M} UTC; ask the operator for a new one.")


class NoActiveModel(RecsiteError):
    """Scoring needs an active model version, and there is none, or this host cannot load it."""

    def __init__(self, problem: str = "") -> None:
        super().__init__(
            problem
            or "No model version is active; train one with 'flask train --activate' or activate one in /admin/models."
        )


class NotEnoughRatings(RecsiteError):
    """There are too few ratings for training."""


class InsufficientResources(RecsiteError):
    """A training would take more memory or disk than is free, so it was not started."""


class TrainingDiverged(RecsiteError):
    """A training gave numbers that are not finite, so no version was made."""

    def __init__(self, learning_rate: float, regularization: float) -> None:
        super().__init__(
            "The training diverged: its numbers are not finite, so no version was made. Lower TRAIN_LEARNING_RATE "
            f"(now {learning_rate:g}), or raise TRAIN_REGULARIZATION (now {regularization:g}), and train again."
        )


class TrainingGone(RecsiteError):
    """The shared ratings and results of a training were removed, so that no further piece of it can be done."""

    def __init__(self, place: str) -> None:
        super().__init__(f"The data of this training are not in {place} any more. Start a new training.")


class NothingToRollBackTo(RecsiteError):
    """No other version was active before the active one."""


class UntrustedVersion(RecsiteError):
    """A version cannot be activated: its files are unreadable or changed, or latest.pkl cannot be replaced."""


class MediaUnavailable(RecsiteError):
    """The place that MEDIA_URL names cannot be opened, read or written."""

    def __init__(self, verb: str, address: str, reason: str) -> None:
        super().__init__(
            f"Cannot {verb} {address}: {reason.rstrip('.')}. See that MEDIA_URL is right, and that this host reaches "
            "the place and may read and write there."
        )


class BrokenDataset(RecsiteError):
    """A data set cannot be read, for example because a file or a column is missing."""


class RunNotFound(NotFound):
    """No run with this id."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"There is no run {run_id}; 'flask runs list' shows the latest.")


class RunInTheWay(RecsiteError):
    """Of each kind one run at a time is queued or running, and there is one."""

    def __init__(self, run_id: int, kind: str, state: str, asked_by: str) -> None:
        super().__init__(
            f"Run {run_id} ({kind}, {state}, asked for by {asked_by}) is in the way. Wait until it is done, or cancel "
            f"it with 'flask runs cancel {run_id}' or in /admin/jobs."
        )
        self.run_id = run_id
        self.state = state


class RunIsOver(RecsiteError):
    """What was asked of a run goes with one that is in another state; the message says which."""


class RunCancelled(RecsiteError):
    """The run that this work belongs to is not running any more, so the work ends here."""

    def __init__(self) -> None:
        super().__init__("The run was cancelled.")


class QueueUnavailable(RecsiteError):
    """Redis does not answer, so nothing can be queued."""

    def __init__(self) -> None:
        super().__init__("Redis does not answer, so nothing was queued; start it, or run the command without --queue.")
