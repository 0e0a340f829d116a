"""Errors of a failing Redis, translated for readers of /readyz and for the operator."""

from dataclasses import dataclass

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)


@dataclass(frozen=True)
class Problem:
    """A reason why Redis takes no changes now."""

    state: str
    "The words that follow 'Redis is'."
    remedy: str
    "For the operator: what to do. '{setting}' stands for the name of the setting with the server's address."


UNREACHABLE = Problem("unreachable", "start it, or correct {setting}")
FULL = Problem("full", "make room, or raise its maxmemory")
REPLICA = Problem("a read-only replica", "point {setting} at the primary server, or make this one the primary")
DISK = Problem("unable to save its data", "make room on its disk and let it write there; its log says what is wrong")
PASSWORD = Problem("refusing the password or user", "correct {setting}")
LOADING = Problem("still loading its data", "wait until it is done")
OTHER = "correct {setting} or the server's configuration"


def find(error: RedisError) -> Problem:
    """Return the problem behind this error of a command that writes."""
    if isinstance(error, OutOfMemoryError):
        return FULL
    if isinstance(error, ReadOnlyError):
        return REPLICA
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return PASSWORD
    if isinstance(error, BusyLoadingError):
        return LOADING
    if not isinstance(error, ResponseError):
        return UNREACHABLE
    text = str(error)
    if text.startswith("MISCONF"):
        return DISK
    if text.startswith(("NOAUTH", "WRONGPASS")):
        return PASSWORD
    return Problem(f"taking no changes ({text.rstrip('.')})", OTHER)
