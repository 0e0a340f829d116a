"""Words for failure. No status codes here: `views/errors.py` maps each class to one."""


class RecsiteError(Exception):
    """A failure that the person who caused it can mend; the message says what, where and how."""


class NotFound(RecsiteError):
    """What was asked for by id or name does not exist."""


class UserNotFound(NotFound):
    """No user with this id or name."""

    def __init__(self) -> None:
        super().__init__("User not found")


class MovieNotFound(NotFound):
    """No movie with this id."""

    def __init__(self) -> None:
        super().__init__("Movie not found")


class VersionNotFound(NotFound):
    """No model version with this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No model version is named {name!r}; 'flask models list' shows them.")


class InvalidInput(RecsiteError):
    """A value that was given cannot be used; the message names it and what it may be."""


class NoActiveModel(RecsiteError):
    """Scoring needs an active model version and there is none."""

    def __init__(self) -> None:
        super().__init__(
            "No model version is active; train one with 'flask train --activate' or activate one in /admin/models."
        )


class NotEnoughRatings(RecsiteError):
    """There are too few ratings to train on."""


class NothingToRollBackTo(RecsiteError):
    """The active version is the first one that ever was active."""


class UntrustedVersion(RecsiteError):
    """A version's files are missing, changed, truncated or gone, so it cannot become active."""


class BrokenDataset(RecsiteError):
    """A data set cannot be read at all: wrong folder, missing file or column."""


class QueueUnavailable(RecsiteError):
    """Redis does not answer, so nothing can be queued."""

    def __init__(self) -> None:
        super().__init__("Redis does not answer, so nothing was queued; start it, or run the command without --queue.")
