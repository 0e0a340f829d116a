"""Strict reading of query strings: a valid value, or InvalidInput that names the parameter and the valid values."""

import re
from collections.abc import Collection

from flask import request
from werkzeug.datastructures import MultiDict

from recsite.errors import InvalidInput
from recsite.storage.paging import LAST_PAGE

DIGITS = re.compile("[0-9]{1,19}")
YEARS = re.compile("[12][0-9]{3}(-[12][0-9]{3})?")
"A year, or two joined by a hyphen."
END = r"$(?!\n)"
"The end of a pattern: in Python, $ alone also matches before a line break at the end."
LONGEST_TEXT = 200
"Characters of a parameter or form field, unless its reader sets another limit."


def text(name: str) -> str | None:
    """Return the parameter's text; None when it was not sent."""
    return single_text(request.args, name, LONGEST_TEXT)


def number(name: str, least: int, most: int, default: int) -> int:
    """Return the parameter as a whole number from `least` to `most`; `default` when it was not sent."""
    sent = text(name)
    return default if sent is None else parse_number(name, sent, least, most)


def page_number() -> int:
    """Return the parameter `page`; 1 when it was not sent."""
    return number("page", 1, LAST_PAGE, default=1)


def choice(name: str, choices: Collection[str], default: str) -> str:
    """Return the parameter, which must be one of `choices`; `default` when it was not sent."""
    sent = text(name)
    if sent is None:
        return default
    if sent not in choices:
        raise InvalidInput(f"{name} must be one of: {', '.join(choices)}.")
    return sent


def years(name: str) -> tuple[int, int] | None:
    """Return the parameter's first and last year; None when it was not sent, or is empty."""
    sent = text(name)
    if not sent:
        return None
    if not YEARS.fullmatch(sent):
        raise InvalidInput(f"{name} must be a year or two years, such as 1990-1999.")
    return parse_years(sent)


def parse_years(sent: str) -> tuple[int, int]:
    """Return the first and the last year of a text that matches YEARS, in whichever order they are sent."""
    found = sorted(map(int, sent.split("-")))
    return found[0], found[-1]


def single_text(sent: MultiDict[str, str], name: str, longest: int) -> str | None:
    """Return the only value of this name; None when there is none."""
    values = sent.getlist(name)
    if len(values) > 1:
        raise InvalidInput(f"{name} is given more than once.")
    return check_text(name, values[0], longest) if values else None


def check_text(name: str, sent: str, longest: int) -> str:
    """Return the text unchanged, or raise InvalidInput if it is too long or contains a NUL."""
    if len(sent) > longest:
        raise InvalidInput(f"{name} is longer than {longest} characters.")
    # PostgreSQL cannot store a NUL.
    if "\0" in sent:
        raise InvalidInput(f"{name} has a NUL character in it.")
    return sent


def parse_number(name: str, sent: str, least: int, most: int) -> int:
    """Return the number that these ASCII digits spell, or raise InvalidInput."""
    # int() alone would accept '+5', '1_0' and the digits of any script.
    if not DIGITS.fullmatch(sent) or not least <= int(sent) <= most:
        raise InvalidInput(f"{name} must be a whole number from {least} to {most}.")
    return int(sent)
