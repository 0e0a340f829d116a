"""Parsers of settings. Each gets the name and the value, and raises BadSetting for a value that is not allowed."""

import re
from collections.abc import Callable


class BadSetting(ValueError):
    """A setting has an invalid value. The message names it and the allowed values."""


def text(name: str, value: str) -> str:
    """Return the text unchanged."""
    return value


def secret(name: str, value: str) -> str:
    """Return the text unchanged; the message about a bad one does not repeat it."""
    if not 16 <= len(value) <= 1000 or not value.isprintable():
        raise BadSetting(f"{name} must have 16 to 1000 characters: use a long random text.")
    return value


def secret_list(name: str, value: str) -> tuple[str, ...]:
    """Return texts that are joined by commas, each as `secret` checks it."""
    return tuple(secret(name, each.strip()) for each in value.split(","))


def boolean(name: str, value: str) -> bool:
    """Return a boolean."""
    if value.lower() not in ("1", "true", "yes", "0", "false", "no"):
        raise BadSetting(f"Unexpected value {name}={value!r}, use 'true' or 'false'.")
    return value.lower() in ("1", "true", "yes")


def whole(least: int, most: int) -> Callable[[str, str], int]:
    """Return a parser of whole numbers from `least` to `most`."""

    def parse(name: str, value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,20}", value) or not least <= int(value) <= most:
            raise BadSetting(f"Unexpected value {name}={value!r}, use a whole number from {least} to {most}.")
        return int(value)

    return parse


def number(least: float, most: float) -> Callable[[str, str], float]:
    """Return a parser of numbers from `least` to `most`."""

    def parse(name: str, value: str) -> float:
        try:
            parsed = float(value)
        except ValueError:
            parsed = float("nan")
        if not least <= parsed <= most:
            raise BadSetting(f"Unexpected value {name}={value!r}, use a number from {least} to {most}.")
        return parsed

    return parse


def one_of(*choices: str) -> Callable[[str, str], str]:
    """Return a parser that accepts one of these words."""

    def parse(name: str, value: str) -> str:
        if value not in choices:
            raise BadSetting(f"Unexpected value {name}={value!r}, use one of: {', '.join(choices)}.")
        return value

    return parse


def origins(name: str, value: str) -> tuple[str, ...]:
    """Return the origins in a comma-separated list, each as scheme, host and port in lower case."""
    found = tuple(part.strip().lower().removesuffix("/") for part in value.split(",") if part.strip())
    if not all(re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", origin) for origin in found):
        raise BadSetting(
            f"Unexpected value {name}={value!r}, use origins such as 'https://www.example.org', joined by commas."
        )
    return found


def folder_url(name: str, value: str) -> str:
    """Return the URL of a folder on another server, without a slash at the end."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?", value):
        raise BadSetting(
            f"Unexpected value {name}={value!r}, use an address such as 'https://image.tmdb.org/t/p/w342'."
        )
    return value.rstrip("/")
